// System-call filters from files, and what becomes of them after the launch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "tests/kernel/pods/real_pods.h"

namespace bulkhead::pods {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kRefuseChmod[] = R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["chmod", "fchmod", "fchmodat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]})";
constexpr char kTryChmod[] = "chmod 0700 /tmp 2>/dev/null && echo changed || echo refused";

class LocalhostSeccomp : public RealPods {
 protected:
  void Write(const std::string& text) { std::ofstream(profile_) << text; }

  spec::ContainerSpec Filtered(const std::string& script) {
    spec::ContainerSpec container = ContainerOf("c", script);
    container.security.seccomp = {spec::SecurityProfile::Type::kLocalhost, profile_};
    return container;
  }
  std::string TryChmod(const std::string& id) {
    const auto result = pods_->ExecSync(id, {"/bin/sh", "-c", kTryChmod}, seconds(0));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->standard_output : "";
  }

  const std::string profile_ = root_ + "/profile.json";
};

TEST_F(LocalhostSeccomp, FiltersTheContainersProcess) {
  Write(kRefuseChmod);
  const spec::ContainerSpec container = Filtered(kTryChmod);
  AwaitExit(Start(Run(PodOf("web")), container));
  EXPECT_THAT(LogOf(container), HasSubstr("refused"));
}

TEST_F(LocalhostSeccomp, AnExecHasTheContainersFilterWhateverBecomesOfFileAndDaemon) {
  Write(kRefuseChmod);
  const std::string id = Start(Run(PodOf("web")), Filtered("exec sleep 1000"));
  EXPECT_EQ(TryChmod(id), "refused\n");
  Write(R"({"defaultAction": "SCMP_ACT_ALLOW"})");
  EXPECT_EQ(TryChmod(id), "refused\n");
  fs::remove(profile_);
  Close();
  Open();
  EXPECT_EQ(TryChmod(id), "refused\n");
}

TEST_F(LocalhostSeccomp, AnExecWhoseFilterIsLostIsRefused) {
  Write(kRefuseChmod);
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, Filtered("exec sleep 1000"));
  const std::string kept = root_ + "/state/pods/" + pod + "/seccomp." + id;
  const auto exec = [&] { return pods_->ExecSync(id, {"/bin/true"}, seconds(0)).status(); };
  EXPECT_TRUE(exec().ok()) << exec();
  fs::resize_file(kept, 0);
  EXPECT_TRUE(absl::IsDataLoss(exec())) << exec();
  ASSERT_TRUE(fs::remove(kept));
  EXPECT_TRUE(absl::IsDataLoss(exec())) << exec();
}

TEST_F(LocalhostSeccomp, APrivilegedContainerHasNoFilterAndNeedsNoFile) {
  spec::PodSpec pod = PodOf("web");
  pod.security.privileged = true;
  spec::ContainerSpec container = Filtered("exec sleep 1000");
  container.security.privileged = true;
  EXPECT_EQ(TryChmod(Start(Run(pod), container)), "changed\n");
}

TEST_F(LocalhostSeccomp, AFaultyProfileFailsTheCreationAndLeavesNothing) {
  const std::string pod = Run(PodOf("web"));
  const auto create = [&] { return pods_->CreateContainer(pod, Filtered("true")).status(); };
  EXPECT_THAT(create(), ::testing::Property(&absl::Status::message, HasSubstr(profile_)));
  Write(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"],
           "action": "SCMP_ACT_NOTIFY"}]})");
  EXPECT_TRUE(absl::IsFailedPrecondition(create())) << create();
  Write(R"({"defaultAction": "SCMP_ACT_OPEN"})");
  const absl::Status status = create();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(profile_), HasSubstr("defaultAction: \"SCMP_ACT_OPEN\"")));
  EXPECT_TRUE(fs::is_empty(root_ + "/data/containers"));
  for (const auto& entry : fs::directory_iterator(root_ + "/state/pods/" + pod)) {
    EXPECT_NE(entry.path().filename().string().substr(0, 7), "seccomp") << entry.path();
  }
}

}  // namespace
}  // namespace bulkhead::pods
