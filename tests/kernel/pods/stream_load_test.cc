// Many clients at once, and very many one after the other: nothing stays behind.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/kernel/pods/real_pods.h"
#include "tests/kernel/pods/stream_client.h"

namespace bulkhead::pods {
namespace {

namespace fs = std::filesystem;

constexpr StreamSelection kPipes{
    .standard_input = true, .standard_output = true, .standard_error = true};
constexpr StreamSelection kTerminal{
    .standard_input = true, .standard_output = true, .terminal = true};

class StreamLoad : public RealPods {
 protected:
  // What a session could leave behind.
  struct Left {
    HeldDescriptors descriptors;
    size_t threads = 0;
    size_t cgroups = 0;
    size_t processes = 0;
    bool operator==(const Left&) const = default;
    friend void PrintTo(const Left& left, std::ostream* out) {
      *out << ::testing::PrintToString(left.descriptors) << " descriptors, " << left.threads
           << " threads, " << left.cgroups << " cgroups, " << left.processes << " processes";
    }
  };

  void StartContainers(int pods, int containers) {
    for (int p = 0; p < pods; ++p) {
      const std::string pod = Run(PodOf(absl::StrCat("web", p)));
      for (int c = 0; c < containers; ++c) {
        spec::ContainerSpec spec =
            ContainerOf(absl::StrCat("c", p, "-", c), "while read line; do echo got $line; done");
        spec.stdin = true;
        ids_.push_back(Start(pod, spec));
      }
    }
  }
  Left Count() {
    Left left{.descriptors = Held()};
    left.threads = CountFiles<fs::directory_iterator>("/proc/self/task");
    for (const std::string hierarchy : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      left.cgroups += CountFiles<fs::recursive_directory_iterator>(
          hierarchy + config_.cgroup.default_parent, fs::file_type::directory);
    }
    for (const int supervisor : Supervisors()) left.processes += ChildrenOf(supervisor);
    return left;
  }
  static size_t ChildrenOf(int pid) {
    std::ifstream file(absl::StrCat("/proc/", pid, "/task/", pid, "/children"));
    return std::distance(std::istream_iterator<int>(file), std::istream_iterator<int>());
  }
  // What there is with the threads that are begun with the first use. One that leaves a child
  // behind begins the thread that waits for it.
  Left AfterTheFirst() {
    const Left fresh = Count();
    EXPECT_EQ(Echo(ids_[0], "first"), 9);
    const auto ended =
        pods_->ExecSync(ids_[0], {"/bin/sh", "-c", "sleep 0.1 &"}, std::chrono::seconds(0));
    EXPECT_TRUE(ended.ok()) << ended.status();
    Left left;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    do {
      left = Count();
    } while ((left.cgroups != fresh.cgroups || left.processes != fresh.processes) &&
             std::chrono::steady_clock::now() < deadline);
    return left;
  }
  void AwaitLeft(const Left& before) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!(Count() == before) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    EXPECT_EQ(Count(), before);
  }
  // One client from its beginning to its end; the code, -1 for anything wrong.
  int Echo(const std::string& id, const std::string& text) {
    const auto process =
        pods_->Exec(id, {"/bin/sh", "-c", "cat; echo \" $0\" >&2; exit 9", text}, kPipes);
    if (!process.ok()) return -1;
    ProcessStreams streams = (*process)->TakeStreams();
    if (!WriteAll(streams.in.get(), text)) return -1;
    streams.in.reset();
    if (ReadToEnd(streams.out.get()) != text) return -1;
    if (ReadToEnd(streams.err.get()) != " " + text + "\n") return -1;
    return AwaitCode(**process);
  }

  std::vector<std::string> ids_;
};

TEST_F(StreamLoad, TwoHundredCommandsAtOnceInTwentyContainers) {
  StartContainers(5, 4);
  const Left before = AfterTheFirst();
  std::latch all(200);
  std::vector<std::string> results(200);
  std::vector<std::thread> clients;
  for (int i = 0; i < 200; ++i) {
    clients.emplace_back([&, i] {
      const std::string text(1000, static_cast<char>('a' + i % 26));
      const auto process =
          pods_->Exec(ids_[i % ids_.size()], {"/bin/cat"}, i % 4 == 0 ? kTerminal : kPipes);
      // All of them are there before the first one says a word.
      all.arrive_and_wait();
      if (!process.ok()) {
        results[i] = process.status().ToString();
        return;
      }
      ProcessStreams streams = (*process)->TakeStreams();
      if (!WriteAll(streams.in.get(), text + "\n")) results[i] = "cannot be written to";
      const std::string read = ReadUntil(streams.out.get(), "\n");
      if (read.substr(0, 1000) != text) results[i] = absl::StrCat("read: ", read);
      // A pipe's end, or ^D at a terminal.
      if (i % 4 == 0) WriteAll(streams.in.get(), "\x04");
      streams.in.reset();
      if (const int code = AwaitCode(**process); code != 0)
        results[i] = absl::StrCat("code ", code);
    });
  }
  for (std::thread& client : clients) client.join();
  for (const std::string& result : results) EXPECT_EQ(result, "");
  AwaitLeft(before);
}

TEST_F(StreamLoad, AThousandCommandsOneAfterTheOther) {
  StartContainers(1, 1);
  const Left before = AfterTheFirst();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Echo(ids_[0], absl::StrCat("number ", i)), 9) << i;
  AwaitLeft(before);
}

TEST_F(StreamLoad, CommandsThatLeaveAChildAndClientsThatVanish) {
  StartContainers(1, 2);
  const Left before = AfterTheFirst();
  std::vector<std::thread> clients;
  for (int t = 0; t < 8; ++t) {
    clients.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string& id = ids_[(t + i) % 2];
        const StreamSelection& streams = i % 3 == 0 ? kTerminal : kPipes;
        auto process = pods_->Exec(
            id, {"/bin/sh", "-c", i % 2 == 0 ? "sleep 0.1 & exit 0" : "cat; sleep 0.05"}, streams);
        EXPECT_TRUE(process.ok()) << process.status();
        auto attached = pods_->Attach(id, kPipes);
        EXPECT_TRUE(attached.ok()) << attached.status();
        if (i % 4 == 0 && process.ok()) AwaitReadable((*process)->ended_fd());
      }
    });
  }
  for (std::thread& client : clients) client.join();
  AwaitLeft(before);
}

TEST_F(StreamLoad, ContainersThatEndUnderTheirClients) {
  StartContainers(2, 4);
  const Left before = Count();
  std::vector<std::thread> clients;
  for (const std::string& id : ids_) {
    clients.emplace_back([&, id] {
      std::vector<std::unique_ptr<AttachedProcess>> sessions;
      for (int i = 0; i < 5; ++i) {
        sessions.push_back(*pods_->Exec(id, {"/bin/sleep", "1000"}, kPipes));
        sessions.push_back(*pods_->Attach(id, kPipes));
      }
      ASSERT_TRUE(pods_->StopContainer(id, std::chrono::seconds(0)).ok());
      for (const auto& session : sessions) EXPECT_EQ(AwaitCode(*session), 137);
      EXPECT_FALSE(pods_->Exec(id, {"/bin/true"}, kPipes).ok());
      EXPECT_TRUE(pods_->RemoveContainer(id).ok());
    });
  }
  for (std::thread& client : clients) client.join();
  const Left after = Count();
  EXPECT_EQ(after.descriptors.front(), before.descriptors.front());
  EXPECT_EQ(after.processes, 0u);
}

}  // namespace
}  // namespace bulkhead::pods
