// Very many sessions of the streaming server: nothing of them stays, neither of those that end
// well nor of those whose clients vanish.
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <map>
#include <thread>

#include "tests/conformance/client/streaming/spdy_client.h"
#include "tests/conformance/client/streaming/websocket_client.h"
#include "tests/fault/fault_test.h"

namespace bulkhead::fault {
namespace {

using client::SpdyClient;
using client::WebSocketClient;
using fixture::Must;
using fixture::Pod;

namespace v1 = ::runtime::v1;

// Of the daemon, beside what HostState sees.
struct Held {
  size_t descriptors = 0;
  size_t threads = 0;
};

class StreamSessions : public FaultTest {
 protected:
  // A container whose processes are all there.
  std::string StartSettled(const Pod& pod, const v1::ContainerConfig& config) {
    const std::string id = Start(pod, config);
    const auto sleeps = [&] { return Must(cri().ExecSync(id, {"pidof", "sleep"})).exit_code == 0; };
    Await(sleeps, "the container's child");
    return id;
  }
  Held DaemonHolds() {
    const std::string process = "/proc/" + std::to_string(daemon().pid());
    const auto count = [&](const char* folder) {
      const std::filesystem::directory_iterator entries(process + folder);
      return static_cast<size_t>(std::distance(begin(entries), end(entries)));
    };
    return {.descriptors = count("/fd"), .threads = count("/task")};
  }
  // What it allocated, without its program's pages.
  long DaemonKibibytes() {
    const std::string status =
        fixture::ReadFile("/proc/" + std::to_string(daemon().pid()) + "/status");
    return std::stol(status.substr(status.find("RssAnon:") + 8));
  }
  // Remembers the state, the daemon's with what begins with the first use and then stays.
  void WarmUp(const std::string& container, int sessions) {
    host_ = HostState::Take(Scope());
    // The daemon watches the cgroup of a command that leaves a child behind.
    Must(cri().ExecSync(container, {"sh", "-c", "sleep 0.1 &"}));
    InSequence(container, sessions);
    ExpectBecomes(host_, [this] { return HostState::Take(Scope()); });
    held_ = DaemonHolds();
  }
  void ExpectAsWarmedUp() {
    Await(
        [&] {
          const Held now = DaemonHolds();
          // Idle threads of gRPC come and go.
          return now.descriptors == held_.descriptors && now.threads <= held_.threads + 4;
        },
        "the daemon's descriptors and threads");
    ExpectBecomes(host_, [this] { return HostState::Take(Scope()); });
  }

  absl::StatusOr<std::string> Cat(const std::string& container) {
    v1::ExecRequest request;
    request.set_container_id(container);
    for (const char* word : {"sh", "-c", "cat; exit 7"}) request.add_cmd(word);
    request.set_stdin(true);
    request.set_stdout(true);
    return cri().Exec(request);
  }
  // One session from its URL to its exit status, with `meanwhile` once it is there, or cannot be.
  absl::Status OverWebSocket(const std::string& container, const std::string& text,
                             const std::function<void()>& meanwhile) {
    const auto url = Cat(container);
    auto client = url.ok() ? WebSocketClient::Dial(*url, {"v5.channel.k8s.io"}) : url.status();
    meanwhile();
    if (!client.ok()) return client.status();
    absl::Status sent = (*client)->Send(std::string(1, '\0') + text);
    sent.Update((*client)->Send(std::string_view("\xff\0", 2)));
    if (!sent.ok()) return sent;
    auto channels = (*client)->ReceiveAll();
    if (!channels.ok()) return channels.status();
    return Check((*channels)['\1'], text, (*channels)['\3']);
  }
  absl::Status OverSpdy(const std::string& container, const std::string& text,
                        const std::function<void()>& meanwhile) {
    const auto url = Cat(container);
    auto client = url.ok() ? SpdyClient::Dial(*url, {"v4.channel.k8s.io"}) : url.status();
    meanwhile();
    if (!client.ok()) return client.status();
    const auto error = (*client)->Open({{"streamtype", "error"}});
    const auto in = (*client)->Open({{"streamtype", "stdin"}});
    const auto out = (*client)->Open({{"streamtype", "stdout"}});
    (*client)->Send(in, text);
    (*client)->End(in);
    if (!(*client)->AwaitEnd(error)) return absl::DeadlineExceededError("no exit status");
    return Check((*client)->stream(out).data, text, (*client)->stream(error).data);
  }
  static absl::Status Check(const std::string& output, const std::string& expected,
                            const std::string& status) {
    if (output != expected) return absl::DataLossError("other output: " + output);
    if (status.find(R"("message":"7")") == std::string::npos) return absl::DataLossError(status);
    return absl::OkStatus();
  }
  // As many sessions one after the other, in two clients.
  void InSequence(const std::string& container, int count) {
    std::atomic<int> next = 0;
    std::map<int, absl::Status> failed;
    std::mutex mutex;
    const auto work = [&] {
      for (int i = next++; i < count; i = next++) {
        const std::string text = "session " + std::to_string(i);
        const absl::Status status =
            i % 2 == 0 ? OverSpdy(container, text, [] {}) : OverWebSocket(container, text, [] {});
        std::lock_guard lock(mutex);
        if (!status.ok()) failed[i] = status;
      }
    };
    std::thread other(work);
    work();
    other.join();
    EXPECT_THAT(failed, testing::IsEmpty());
  }

 private:
  Held held_;
  HostState host_;
};

TEST_F(StreamSessions, TwoHundredAtOnceOnTwentyContainersLeaveNothing) {
  std::vector<std::string> containers;
  for (int p = 0; p < 5; ++p) {
    const Pod pod = RunPod();
    for (int c = 0; c < 4; ++c) {
      v1::ContainerConfig config = Idle();
      config.mutable_metadata()->set_name("c" + std::to_string(c));
      containers.push_back(StartSettled(pod, config));
    }
  }
  WarmUp(containers[0], 20);
  std::vector<absl::Status> results(200);
  std::barrier all(200);
  std::vector<std::thread> clients;
  for (size_t i = 0; i < results.size(); ++i) {
    clients.emplace_back([&, i] {
      const std::string text(1000 + i, 'x');
      const std::string& container = containers[i % containers.size()];
      const auto wait = [&] { all.arrive_and_wait(); };
      results[i] =
          i % 2 == 0 ? OverSpdy(container, text, wait) : OverWebSocket(container, text, wait);
    });
  }
  for (std::thread& client : clients) client.join();
  for (size_t i = 0; i < results.size(); ++i) EXPECT_TRUE(results[i].ok()) << i << results[i];
  ExpectAsWarmedUp();
}

// 10,000 of them, or what BULKHEAD_MANY_SESSIONS says.
TEST_F(StreamSessions, ManyOneAfterTheOtherLeaveNothing) {
  const char* asked = std::getenv("BULKHEAD_MANY_SESSIONS");
  const int count = asked != nullptr ? std::stoi(asked) : 10000;
  const std::string container = StartSettled(RunPod(), Idle());
  WarmUp(container, 1000);
  const long before = DaemonKibibytes();
  InSequence(container, count);
  ExpectAsWarmedUp();
  // A thread's arena may grow by some thousands at a time, whatever the number of sessions.
  EXPECT_LT(DaemonKibibytes(), before + 6000 + count / 4);
  RecordProperty("daemon_kibibytes_before", std::to_string(before));
  RecordProperty("daemon_kibibytes_after", std::to_string(DaemonKibibytes()));
}

TEST_F(StreamSessions, WhoseClientsVanishLeaveNothing) {
  const std::string container = StartSettled(RunPod(), Idle());
  WarmUp(container, 20);
  for (int i = 0; i < 200; ++i) {
    const std::string url = Must(Cat(container));
    if (i % 2 == 0) {
      auto client = Must(SpdyClient::Dial(url, {"v4.channel.k8s.io"}));
      for (int streams = i % 8; streams > 0; streams -= 2) {
        const char* const kTypes[] = {"error", "stdin", "stdout"};
        client->Open({{"streamtype", kTypes[streams / 2 - 1]}});
      }
    } else {
      Must(WebSocketClient::Dial(url, {"v5.channel.k8s.io"}));
    }
  }
  ExpectAsWarmedUp();
}

}  // namespace
}  // namespace bulkhead::fault
