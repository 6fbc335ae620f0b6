// Bytes through exec and port-forward, and what the daemon keeps of them meanwhile.
#include <algorithm>
#include <random>
#include <stdexcept>

#include "tests/bench/measurements.h"
#include "tests/conformance/client/streaming/spdy_client.h"
#include "tests/conformance/fixture/must.h"

namespace bulkhead::bench {
namespace {

using client::SpdyClient;
using fixture::Must;

constexpr size_t kBlock = 1 << 20;
constexpr int kEchoPort = 18081;

// Bytes without a pattern that ends in any power of two, so that a lost or doubled piece shows.
std::string RandomBlock() {
  std::mt19937_64 random;
  std::string block(kBlock - 3, '\0');
  std::generate(block.begin(), block.end(), [&] { return static_cast<char>(random()); });
  return block;
}

// Compares what comes back with the endless repetition of a block.
class Expected {
 public:
  explicit Expected(const std::string& block) : block_(block) {}
  void Take(std::string_view data) {
    while (!data.empty()) {
      const size_t at = size_ % block_.size();
      const size_t length = std::min(block_.size() - at, data.size());
      if (data.substr(0, length) != std::string_view(block_).substr(at, length)) {
        throw std::runtime_error("other bytes came back, within 1 MiB after " +
                                 std::to_string(size_));
      }
      size_ += length;
      data.remove_prefix(length);
    }
  }
  size_t size() const { return size_; }

 private:
  const std::string& block_;
  size_t size_ = 0;
};

// Sends so many blocks and reads them back.
void Echo(SpdyClient& client, spdy::StreamId in, spdy::StreamId out, size_t blocks) {
  const std::string block = RandomBlock();
  Expected expected(block);
  size_t sent = 0;
  const bool all = client.RunUntil(
      [&] {
        if (sent < blocks && client.unsent() < kBlock) {
          client.Send(in, block);
          if (++sent == blocks) client.End(in);
        }
        expected.Take(std::exchange(client.stream(out).data, {}));
        return client.stream(out).ended;
      },
      std::chrono::minutes(10));
  if (!all || expected.size() != blocks * block.size()) {
    throw std::runtime_error(std::to_string(expected.size()) + " bytes came back of " +
                             std::to_string(blocks * block.size()));
  }
}

// Runs `transfer` of so many blocks, and adds its speed and the daemon's memory.
template <typename Transfer>
void Measure(Target& target, const char* name, int megabytes, Report& report,
             const Transfer& transfer) {
  const long idle = target.DaemonRssAndForgetPeak();
  const double seconds = Milliseconds(transfer) / 1000;
  report.Of("streams", std::string(name) + ", there and back", "MB/s", target.name())
      .Add(megabytes * static_cast<double>(kBlock) / 1e6 / seconds);
  report.Of("streams", std::string(name) + ", daemon's peak above idle", "MiB", target.name())
      .Add(static_cast<double>(target.DaemonPeakRss() - idle) / 1024);
}

void MeasureExecStream(Target& target, const std::string& container, int megabytes,
                       Report& report) {
  v1::ExecRequest request;
  request.set_container_id(container);
  request.add_cmd("cat");
  request.set_stdin(true);
  request.set_stdout(true);
  Measure(target, "exec cat", megabytes, report, [&] {
    auto client = Must(SpdyClient::Dial(Must(target.cri().Exec(request)), {"v4.channel.k8s.io"}));
    client->Open({{"streamtype", "error"}});
    const spdy::StreamId in = client->Open({{"streamtype", "stdin"}});
    const spdy::StreamId out = client->Open({{"streamtype", "stdout"}});
    Echo(*client, in, out, static_cast<size_t>(megabytes));
  });
}

void MeasurePortForward(Target& target, const std::string& pod, int megabytes, Report& report) {
  v1::PortForwardRequest request;
  request.set_pod_sandbox_id(pod);
  Measure(target, "port-forward", megabytes, report, [&] {
    auto client =
        Must(SpdyClient::Dial(Must(target.cri().PortForward(request)), {"portforward.k8s.io"}));
    const std::string port = std::to_string(kEchoPort);
    client->Open({{"streamtype", "error"}, {"port", port}, {"requestid", "1"}});
    const spdy::StreamId data =
        client->Open({{"streamtype", "data"}, {"port", port}, {"requestid", "1"}});
    Echo(*client, data, data, static_cast<size_t>(megabytes));
  });
}

}  // namespace

void MeasureStreams(Targets& targets, int megabytes, int runs, Report& report) {
  for (int run = 0; run < runs; ++run) {
    for (auto& target : targets) {
      const auto pod = target->NewPod(PodNetwork::kHost);
      const std::string id = Must(target->cri().RunPodSandbox(pod));
      const auto config =
          target->NewContainer(pod, {"nc", "-ll", "-p", std::to_string(kEchoPort), "-e", "cat"});
      const std::string container = Must(target->cri().CreateContainer(id, config, pod));
      Must(target->cri().StartContainer(container));
      MeasureExecStream(*target, container, megabytes, report);
      // It has been listening since long before the exec's bytes were through.
      MeasurePortForward(*target, id, megabytes, report);
      target->RemovePod(id);
    }
  }
}

}  // namespace bulkhead::bench
