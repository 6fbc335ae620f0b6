// Races against a process that exchanges, all the time, what is in a volume with a symbolic link:
// what it wins must stay in the container's root. CVE-2021-30465, CVE-2024-45310, CVE-2025-31133,
// CVE-2025-52565 and their kin.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <new>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/launch_report.h"
#include "runtime/kernel/path.h"
#include "tests/kernel/isolation/test_pod.h"

namespace bulkhead::isolation {
namespace {

namespace fs = std::filesystem;

// Fewer on emulated machines: $BULKHEAD_RACE_ROUNDS.
int Rounds(int usual) {
  const char* variable = getenv("BULKHEAD_RACE_ROUNDS");
  return variable == nullptr ? usual : std::min(usual, atoi(variable));
}

// Shared with the processes that are forked while it exists.
template <typename T>
class Shared {
 public:
  Shared() {
    void* memory =
        mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap");
    value_ = new (memory) T();
  }
  ~Shared() { munmap(value_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

// A process that exchanges two names until the object goes, and counts.
class Exchanger {
 public:
  Exchanger(const std::string& a, const std::string& b) : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
      if (renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) ++*exchanges_;
    }
  }
  ~Exchanger() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Exchanger(const Exchanger&) = delete;
  Exchanger& operator=(const Exchanger&) = delete;

  uint64_t exchanges() const { return *exchanges_; }

 private:
  const Shared<std::atomic<uint64_t>> exchanges_;
  const pid_t pid_;
};

// What came of the rounds.
struct Counts {
  int in_volume = 0;
  int through_link = 0;
  int refused = 0;
};

class RaceTest : public testing::Test {
 protected:
  RaceTest() {
    layer_ = dir_.Make("layer");
    MakeBusyboxLayer(layer_);
    volume_ = dir_.Make("volume");
    outside_ = dir_.Make("outside");
  }
  ~RaceTest() override {
    EXPECT_TRUE(fs::is_empty(outside_));
    EXPECT_EQ(HostMounts(), mounts_before_);
  }

  // `round` with each of so many containers, which `make` makes. The trees of a container are used
  // up with it, and only a process that has no pod yet can open more of the host: so there are many
  // pods.
  void Run(int rounds, const std::function<TestContainer()>& make,
           const std::function<void(const TestContainer&, const PodNamespaces&)>& round) {
    constexpr int kContainersOfAPod = 100;
    for (int done = 0; done < rounds && !HasFailure(); done += kContainersOfAPod) {
      RunForked([&] {
        std::vector<TestContainer> containers;
        for (int i = done; i < std::min(rounds, done + kContainersOfAPod); ++i) {
          containers.push_back(make());
        }
        absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
        ASSERT_TRUE(pod.ok()) << pod.status();
        for (const TestContainer& container : containers) round(container, *pod);
      });
    }
  }

  const std::string mounts_before_ = HostMounts();
  TestDir dir_;
  std::string layer_;
  std::string volume_;
  std::string outside_;
};

bool Exists(const PreparedRoot& root, const std::string& path) {
  return UniqueFd(std::max(-1, OpenInRoot(root.root.get(), path.c_str(), O_PATH))).valid();
}

// Mount points and the working directory are made below a directory of a volume, which is exchanged
// with a link to a directory of the host.
TEST_F(RaceTest, AMountPointThatIsExchangedStaysInTheRoot) {
  const std::string place = dir_.Make("volume/place"), link = volume_ + "/link";
  fs::create_symlink(outside_, link);
  std::ofstream(dir_.Make("inner") + "/marker") << "inner\n";
  const auto make = [&] {
    TestContainer container = MakeContainer("c", layer_, "", {"true"});
    container.root.clear_mounts();
    container.root.clear_devices();
    container.AddBind(volume_, "/data");
    container.AddBind(dir_.path() + "/inner", "/data/place/inner");
    container.AddBind(dir_.path() + "/inner/marker", "/data/place/file");
    container.root.set_working_directory("/data/place/work");
    return container;
  };
  const Shared<Counts> counts;
  const auto assemble = [&](const TestContainer& container, const PodNamespaces& pod) {
    const auto root = AssembleRoot(container.root, container.root_fds, pod);
    if (!root.ok()) {
      ++counts->refused;
      return;
    }
    // The directory has one of two names at a time.
    for (int look = 0; look < 1000; ++look) {
      if (Exists(*root, "data/place/inner/marker") || Exists(*root, "data/link/inner/marker")) {
        ++counts->in_volume;
        return;
      }
      if (Exists(*root, outside_ + "/inner/marker")) {
        ++counts->through_link;
        return;
      }
    }
    ADD_FAILURE() << "mounted out of the root's reach";
  };
  const int rounds = Rounds(10000);
  const Exchanger attacker(place, link);
  Run(rounds, make, assemble);
  RecordProperty("exchanges", std::to_string(attacker.exchanges()));
  RecordProperty("in_volume", counts->in_volume);
  RecordProperty("through_link", counts->through_link);
  RecordProperty("refused", counts->refused);
  EXPECT_EQ(counts->in_volume + counts->through_link + counts->refused, rounds);
  EXPECT_GT(attacker.exchanges(), static_cast<uint64_t>(rounds));
  EXPECT_GT(counts->in_volume, 0);
  EXPECT_GT(counts->through_link, 0);
}

// What the container with a terminal writes until it ends.
std::string ReadTerminal(Running& running) {
  std::string text;
  char buffer[4096];
  pollfd polled = {.fd = running.process.terminal.get(), .events = POLLIN};
  while (poll(&polled, 1, 20000) == 1) {
    const ssize_t n = read(polled.fd, buffer, sizeof(buffer));
    if (n <= 0) break;
    text.append(buffer, n);
  }
  return text;
}

// CVE-2025-31133, CVE-2025-52565: the null device that masks are made of, and the place for the
// console, in a /dev that is a volume.
TEST_F(RaceTest, AMaskOrAConsoleThatIsExchangedIsRefusedOrItself) {
  for (const char* name : {"dev/pts", "dev/shm"}) dir_.Make(name);
  const std::string dev = dir_.path() + "/dev";
  ASSERT_EQ(mknod((dev + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  std::ofstream(dev + "/console");
  std::ofstream(layer_ + "/etc/target") << "target\n";
  fs::create_symlink("/etc/target", dev + "/null-link");
  fs::create_symlink("/etc/target", dev + "/console-link");
  const auto make = [&] {
    TestContainer container = MakeContainer(
        "c", layer_, "",
        {"sh", "-c", "cat /proc/version /etc/target; grep /etc/ /proc/self/mountinfo; echo end"});
    container.AddBind(dev, "/dev");
    auto& mounts = *container.root.mutable_mounts();
    mounts.SwapElements(0, mounts.size() - 1);
    mounts.RemoveLast();
    container.launch.mutable_late_mounts()->add_masked_paths("/proc/version");
    container.launch.mutable_process()->set_terminal(true);
    return container;
  };
  const Shared<Counts> counts;
  const auto launch = [&](const TestContainer& container, const PodNamespaces& pod) {
    absl::StatusOr<Running> running = Prepare(container, pod);
    if (!running.ok()) {
      EXPECT_THAT(LaunchStepOf(running.status()), testing::AnyOf("mask path", "mount console"))
          << running.status();
      ++counts->refused;
      return;
    }
    ASSERT_TRUE(Begin(*running).ok());
    EXPECT_EQ(ReadTerminal(*running), "target\r\nend\r\n");
    Finish(*running);
    ++counts->in_volume;
  };
  const int rounds = Rounds(2000);
  const Exchanger null(dev + "/null", dev + "/null-link");
  const Exchanger console(dev + "/console", dev + "/console-link");
  Run(rounds, make, launch);
  RecordProperty("started", counts->in_volume);
  RecordProperty("refused", counts->refused);
  EXPECT_GT(null.exchanges() + console.exchanges(), static_cast<uint64_t>(rounds));
  EXPECT_GT(counts->in_volume, 0);
  EXPECT_GT(counts->refused, 0);
}

}  // namespace
}  // namespace bulkhead::isolation
