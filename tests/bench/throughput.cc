// Logs and pulls.
#include <thread>

#include "tests/bench/measurements.h"
#include "tests/conformance/fixture/files.h"
#include "tests/conformance/fixture/image_builder.h"
#include "tests/conformance/fixture/must.h"

namespace bulkhead::bench {
namespace {

using fixture::Entry;
using fixture::Must;

constexpr double kMegabyte = 1e6;

void AwaitExit(Target& target, const std::string& container) {
  // The stop call returns when it has ended; a grace period longer than any run does not end it
  // early, but its signal would. So the state is polled.
  while (Must(target.cri().ContainerStatus(container)).status().state() != v1::CONTAINER_EXITED) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

// This machine's programs and libraries, until there are enough of them, in layers of about
// 64 MB.
std::vector<fixture::Layer> RealLayers(size_t bytes) {
  constexpr size_t kLayer = 64'000'000;
  std::vector<fixture::Layer> layers;
  std::vector<Entry> entries;
  size_t layer_size = 0;
  size_t total = 0;
  for (const char* folder : {"/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/sbin"}) {
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      if (!file.is_regular_file() || file.is_symlink() || total >= bytes) continue;
      entries.push_back({.path = file.path().relative_path(),
                         .content = fixture::ReadFile(file.path()),
                         .mode = 0755});
      layer_size += entries.back().content.size();
      total += entries.back().content.size();
      if (layer_size < kLayer && total < bytes) continue;
      layers.push_back(fixture::Layer::Of(entries));
      entries.clear();
      layer_size = 0;
    }
  }
  return layers;
}

}  // namespace

void MeasureLog(Targets& targets, int megabytes, int runs, Report& report) {
  constexpr int kLine = 100;
  const long lines = static_cast<long>(megabytes) * 1'000'000 / kLine;
  for (int run = 0; run < runs; ++run) {
    for (auto& target : targets) {
      const auto pod = target->NewPod(PodNetwork::kHost);
      const std::string id = Must(target->cri().RunPodSandbox(pod));
      const auto config = target->NewContainer(
          pod, {"/bin/probe", "lines", std::to_string(lines), std::to_string(kLine)});
      const std::string container = Must(target->cri().CreateContainer(id, config, pod));
      const double took = Milliseconds([&] {
        Must(target->cri().StartContainer(container));
        AwaitExit(*target, container);
      });
      report.Of("throughput", "log, lines of 100 bytes", "MB/s", target->name())
          .Add(megabytes / (took / 1000));
      target->RemovePod(id);
      std::filesystem::remove_all(pod.log_directory());
    }
  }
}

void MeasurePull(Targets& targets, fixture::Registry& registry, int megabytes, int runs,
                 Report& report) {
  const auto image = fixture::Image::Of(RealLayers(static_cast<size_t>(megabytes) * 1'000'000), {});
  double packed = 0;
  for (const auto& layer : image.layers) packed += static_cast<double>(layer.blob.size());
  const std::string reference = registry.Push("bench/pull", "1", image);
  for (int run = 0; run < runs; ++run) {
    for (auto& target : targets) {
      const double seconds = Milliseconds([&] { Must(target->cri().PullImage(reference)); }) / 1000;
      report.Of("throughput", "pull, compressed", "MB/s", target->name())
          .Add(packed / kMegabyte / seconds);
      report.Of("throughput", "pull and unpack, unpacked", "MB/s", target->name())
          .Add(megabytes / seconds);
      Must(target->cri().RemoveImage(reference));
    }
  }
}

}  // namespace bulkhead::bench
