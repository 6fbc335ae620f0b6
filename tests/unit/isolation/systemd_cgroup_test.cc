#include "runtime/isolation/systemd_cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace bulkhead::isolation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kScope[] = "/a.slice/bulkhead-1.scope";

// What was done, in order; a step that bears `failing`'s name fails.
struct Steps {
  std::vector<std::string> done;
  std::string failing;
  bool empty = true;

  absl::Status Pass(std::string step) {
    done.push_back(std::move(step));
    if (done.back() == failing) return absl::InternalError("broken");
    return absl::OkStatus();
  }
};

class FakeFiles : public CgroupManager {
 public:
  explicit FakeFiles(Steps& steps) : steps_(steps) {}
  absl::StatusOr<std::vector<std::string>> Create(std::string_view path) override {
    const absl::Status status = steps_.Pass("files create");
    if (!status.ok()) return status;
    return std::vector<std::string>{std::string(path)};
  }
  absl::Status SetResources(std::string_view, const spec::Resources&) override {
    return steps_.Pass("files limit");
  }
  absl::StatusOr<std::vector<CgroupWrite>> PlanLimits(std::string_view,
                                                      const spec::Resources&) const override {
    return std::vector<CgroupWrite>();
  }
  absl::Status SetDevices(std::string_view, const std::vector<DeviceRule>&) override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::set<std::string>> ReadDevices(std::string_view) const override {
    return std::set<std::string>();
  }
  std::set<std::string> PlanDevices(const std::vector<DeviceRule>&) const override { return {}; }
  CgroupJoinPaths JoinPaths(std::string_view) const override { return {}; }
  std::string LeafDirectory(std::string_view) const override { return ""; }
  std::string ExecLeafEvents(std::string_view) const override { return ""; }
  CgroupJoinPaths ExecJoinPaths(std::string_view, std::string_view) const override { return {}; }
  std::string OomEventsPath(std::string_view path) const override {
    return "/sys/fs/cgroup" + std::string(path) + "/memory.events";
  }
  absl::Status Kill(std::string_view, absl::Time) override { return absl::OkStatus(); }
  absl::StatusOr<bool> IsEmpty(std::string_view) override { return steps_.empty; }
  absl::Status Remove(std::string_view, absl::Time) override { return steps_.Pass("files remove"); }
  absl::Status Enter(std::string_view) override { return absl::OkStatus(); }

 private:
  Steps& steps_;
};

class FakeUnits : public UnitManager {
 public:
  explicit FakeUnits(Steps& steps) : steps_(steps) {}
  absl::Status StartTransient(const std::string& unit,
                              const std::vector<UnitProperty>& properties) override {
    properties_ = properties;
    const bool policy = properties.back().name == "OOMPolicy";
    if (policy && old_) return absl::UnimplementedError("unknown property");
    return steps_.Pass("start " + unit);
  }
  absl::Status SetProperties(const std::string& unit, const std::vector<UnitProperty>&) override {
    return steps_.Pass("properties of " + unit);
  }
  absl::Status Stop(const std::string& unit) override { return steps_.Pass("stop " + unit); }

  bool old_ = false;
  std::vector<UnitProperty> properties_;

 private:
  Steps& steps_;
};

class FakePlaceHolder : public PlaceHolder {
 public:
  explicit FakePlaceHolder(Steps& steps) : steps_(steps) {}
  ~FakePlaceHolder() override { steps_.Pass("holder ends").IgnoreError(); }
  pid_t pid() const override { return 42; }

 private:
  Steps& steps_;
};

class SystemdCgroupsTest : public testing::Test {
 protected:
  SystemdCgroupsTest() {
    auto units = std::make_unique<FakeUnits>(steps_);
    units_ = units.get();
    cgroups_ =
        std::make_unique<SystemdCgroups>(std::make_unique<FakeFiles>(steps_), std::move(units),
                                         [this]() -> absl::StatusOr<std::unique_ptr<PlaceHolder>> {
                                           const absl::Status status = steps_.Pass("holder starts");
                                           if (!status.ok()) return status;
                                           return std::make_unique<FakePlaceHolder>(steps_);
                                         });
  }

  std::string Policy() const {
    for (const UnitProperty& property : units_->properties_) {
      if (property.name == "OOMPolicy") return std::get<std::string>(property.value);
    }
    return "";
  }

  Steps steps_;
  FakeUnits* units_;
  std::unique_ptr<SystemdCgroups> cgroups_;
};

TEST_F(SystemdCgroupsTest, StartAScopeAroundAProcessAndThenWriteItsFiles) {
  auto hold = cgroups_->CreateLimited(kScope, {});
  ASSERT_TRUE(hold.ok()) << hold.status();
  EXPECT_THAT(steps_.done, ElementsAre("holder starts", "start bulkhead-1.scope", "files create",
                                       "files limit"));
  hold->reset();
  EXPECT_EQ(steps_.done.back(), "holder ends");
}

TEST_F(SystemdCgroupsTest, LeaveTheHolderInNoScopeThatFailed) {
  for (const char* step : {"start bulkhead-1.scope", "files create", "files limit"}) {
    steps_.done.clear();
    steps_.failing = step;
    EXPECT_FALSE(cgroups_->CreateLimited(kScope, {}).ok());
    EXPECT_EQ(steps_.done.back(), "holder ends") << step;
  }
}

TEST_F(SystemdCgroupsTest, StartNothingWithALimitThatSystemdCannotKeep) {
  EXPECT_FALSE(cgroups_->CreateLimited(kScope, {.unified = {{"io.max", "8:0 rbps=1"}}}).ok());
  EXPECT_THAT(steps_.done, ElementsAre("holder starts", "holder ends"));
}

TEST_F(SystemdCgroupsTest, TellSystemdOfTheOomGroupWhereItKnowsOne) {
  ASSERT_TRUE(cgroups_->CreateLimited(kScope, {}).ok());
  EXPECT_EQ(Policy(), "continue");
  const spec::Resources group = {.unified = {{"memory.oom.group", "1"}}};
  ASSERT_TRUE(cgroups_->CreateLimited(kScope, group).ok());
  EXPECT_EQ(Policy(), "kill");
  units_->old_ = true;
  ASSERT_TRUE(cgroups_->CreateLimited(kScope, group).ok());
  EXPECT_EQ(Policy(), "");
}

TEST_F(SystemdCgroupsTest, UpdateFilesBeforeAndAfterSystemdRoundedThem) {
  ASSERT_TRUE(cgroups_->SetResources(kScope, {.cpu_quota = 12'345}).ok());
  EXPECT_THAT(steps_.done,
              ElementsAre("files limit", "properties of bulkhead-1.scope", "files limit"));
  steps_ = {.failing = "files limit"};
  EXPECT_FALSE(cgroups_->SetResources(kScope, {.cpu_quota = 12'345}).ok());
  EXPECT_THAT(steps_.done, ElementsAre("files limit"));
}

TEST_F(SystemdCgroupsTest, HaveSystemdForgetWhatIsRemoved) {
  ASSERT_TRUE(cgroups_->Remove(kScope, absl::Now()).ok());
  ASSERT_TRUE(cgroups_->Remove("/a.slice", absl::Now()).ok());
  ASSERT_TRUE(cgroups_->Remove("/a.slice/bulkhead-1.scope/exec-2", absl::Now()).ok());
  EXPECT_THAT(steps_.done, ElementsAre("files remove", "stop bulkhead-1.scope", "files remove",
                                       "stop a.slice", "files remove"));
}

TEST_F(SystemdCgroupsTest, NeverStopASliceThatIsInUseAgain) {
  steps_.empty = false;
  ASSERT_TRUE(cgroups_->Remove("/a.slice", absl::Now()).ok());
  EXPECT_THAT(steps_.done, ElementsAre("files remove"));
}

TEST_F(SystemdCgroupsTest, KeepACgroupInUseWithItsUnit) {
  steps_.failing = "files remove";
  EXPECT_FALSE(cgroups_->Remove(kScope, absl::Now()).ok());
  EXPECT_THAT(steps_.done, ElementsAre("files remove"));
}

TEST_F(SystemdCgroupsTest, CountTheOomKillsOfAScopeInItsSliceToo) {
  EXPECT_EQ(cgroups_->PodOomEventsPath(kScope), "/sys/fs/cgroup/a.slice/memory.events");
  EXPECT_EQ(cgroups_->PodOomEventsPath("/kubepods/pod1/1"), "");
}

TEST_F(SystemdCgroupsTest, LeavePathsOfTheOtherDriverToTheFiles) {
  auto hold = cgroups_->CreateLimited("/kubepods/pod1/c1", {});
  ASSERT_TRUE(hold.ok());
  EXPECT_EQ(*hold, nullptr);
  ASSERT_TRUE(cgroups_->SetResources("/kubepods/pod1/c1", {.cpu_shares = 2}).ok());
  ASSERT_TRUE(cgroups_->Remove("/kubepods/pod1/c1", absl::Now()).ok());
  EXPECT_THAT(steps_.done,
              ElementsAre("files create", "files limit", "files limit", "files remove"));
}

}  // namespace
}  // namespace bulkhead::isolation
