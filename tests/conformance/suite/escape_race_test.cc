// Races of the whole product against a container that exchanges a directory of a shared volume with
// a symbolic link, as fast as it can. Those of mounts alone, 10,000 rounds of them, are in
// tests/kernel/isolation/race_test.cc.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/conformance/fixture/escape_test.h"

namespace bulkhead::fixture {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::Eq;

class EscapeByRace : public EscapeTest {
 protected:
  // Fewer on emulated machines: $BULKHEAD_RACE_ROUNDS.
  static int Rounds(int usual) {
    const char* variable = getenv("BULKHEAD_RACE_ROUNDS");
    return variable == nullptr ? usual : std::min(usual, atoi(variable));
  }
  // The volume "place" and "link", which `target` is behind, and who exchanges them.
  std::string StartExchanger(const Pod& pod, const std::string& target) {
    fs::create_directories(volume() / "place");
    fs::create_symlink(target, volume() / "link");
    auto config = Command({"attack", "exchange", "/volume/place", "/volume/link"});
    Mount(config, volume(), "/volume");
    return Start(pod, config);
  }
  // Ends it; how often it exchanged them.
  long Exchanges(const std::string& exchanger) {
    const std::string output = StopAndRead(exchanger);
    const std::string begin = "exchanges ";
    if (!output.starts_with(begin)) throw std::runtime_error("the attacker said: " + output);
    return std::stol(output.substr(begin.size()));
  }
  fs::path volume() const { return folder() / "volume"; }
};

// CVE-2021-30465, CVE-2024-45310.
TEST_F(EscapeByRace, AMountPointThatIsExchangedForALinkStaysInTheContainer) {
  const int rounds = Rounds(300);
  WriteFile(folder() / "inner/marker", "");
  const Pod pod = RunPod();
  const std::string exchanger = StartExchanger(pod, outside());
  const std::string script =
      absl::StrCat("[ -e /volume/secret ] || [ -e /volume/link/secret ] || [ -e ",
                   outside().string(), "/secret ] && echo escaped; grep -q ' ", outside().string(),
                   "/inner ' /proc/mounts && echo link || echo place; cat /volume/place/secret 2> "
                   "/dev/null; true");
  int by_link = 0, by_place = 0, refused = 0;
  // And further until both sides won.
  const auto goes_on = [&](int round) {
    return round < rounds || (round < 10 * rounds && (by_link == 0 || by_place == 0));
  };
  for (int round = 0; goes_on(round); ++round) {
    auto config = Shell(script);
    Mount(config, volume(), "/volume");
    Mount(config, folder() / "inner", "/volume/place/inner");
    Mount(config, folder() / "inner/marker", "/volume/place/file");
    const absl::StatusOr<std::string> id = cri().CreateContainer(pod.id, config, pod.config);
    if (!id.ok()) {
      ++refused;
      continue;
    }
    Must(cri().StartContainer(*id));
    AwaitExit(*id);
    const std::string output = client::StreamOf(Log(*id), "stdout");
    ASSERT_THAT(output, AnyOf(Eq("link\n"), Eq("place\n"))) << "round " << round;
    ++(output == "link\n" ? by_link : by_place);
    Must(cri().RemoveContainer(*id));
  }
  EXPECT_GT(Exchanges(exchanger), rounds);
  RecordProperty("by_link", by_link);
  RecordProperty("by_place", by_place);
  RecordProperty("refused", refused);
  EXPECT_GT(by_link, 0);
  EXPECT_GT(by_place, 0);
  ExpectOutsideUntouched();
}

// CVE-2024-21626, as a race: the working directory of commands.
TEST_F(EscapeByRace, AWorkingDirectoryThatIsExchangedForALinkLeadsNowhere) {
  constexpr int kAtOnce = 4;
  const int rounds = Rounds(10000) / kAtOnce * kAtOnce;
  const Pod pod = RunPod();
  fs::create_directories(volume() / "place");
  auto config = Idle();
  Mount(config, volume(), "/volume");
  config.set_working_dir("/volume/place");
  const std::string id = Start(pod, config);
  const std::string exchanger = StartExchanger(pod, "/proc/self/fd/3");
  std::atomic<int> entered = 0, refused = 0;
  const auto execute = [&] {
    for (int round = 0; round < rounds / kAtOnce; ++round) {
      const auto result = cri().ExecSync(id, {"pwd"});
      if (!result.ok()) {
        EXPECT_THAT(std::string(result.status().message()),
                    testing::HasSubstr("working directory"));
        ++refused;
        continue;
      }
      // The directory may have its other name by then.
      EXPECT_THAT(result->standard_output, AnyOf(Eq("/volume/place\n"), Eq("/volume/link\n")));
      ++entered;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kAtOnce; ++i) threads.emplace_back(execute);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(Exchanges(exchanger), rounds);
  RecordProperty("entered", entered);
  RecordProperty("refused", refused);
  EXPECT_EQ(entered + refused, rounds);
  EXPECT_GT(entered, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace bulkhead::fixture
