// bulkhead-bench: figures of any CRI runtime, and of two side by side.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <cstdio>

#include "tests/bench/measurements.h"
#include "tests/conformance/fixture/daemon.h"
#include "tests/conformance/fixture/files.h"
#include "tests/conformance/fixture/must.h"
#include "tests/conformance/fixture/private_host.h"

namespace bulkhead::bench {
namespace {

struct Options {
  std::string endpoint;
  std::string other_endpoint;
  std::string pod_processes = "bulkhead-pod";
  std::string other_pod_processes = "containerd-shim|conmon|/pause";
  int runs = 100;
  std::vector<int> pods = {50, 200};
  int at_once_pods = 100;
  int log_megabytes = 200;
  int pull_megabytes = 200;
  int stream_megabytes = 1024;
  bool without_cni = false;
  std::string json;
};

void AddTo(CLI::App& app, Options& options) {
  app.add_option("--endpoint", options.endpoint, "CRI socket; a private daemon when not given");
  app.add_option("--other-endpoint", options.other_endpoint, "A second one, measured in turns");
  app.add_option("--pod-processes", options.pod_processes,
                 "Command lines of what the runtime keeps for a pod (regular expression)");
  app.add_option("--other-pod-processes", options.other_pod_processes, "The same of the second");
  app.add_option("--runs", options.runs, "Samples of each latency");
  app.add_option("--pods", options.pods, "Numbers of idle pods for memory")->delimiter(',');
  app.add_option("--at-once-pods", options.at_once_pods, "Pods started 8 at once; 0: none");
  app.add_option("--log-mb", options.log_megabytes, "Log to write; 0: none");
  app.add_option("--pull-mb", options.pull_megabytes, "Size of the image to pull; 0: none");
  app.add_option("--stream-mb", options.stream_megabytes,
                 "MiB through exec and through port-forward; 0: none");
  app.add_flag("--without-cni", options.without_cni, "Host network only");
  app.add_option("--json", options.json, "File to write the figures to");
}

void Measure(const Options& options, Targets& targets, fixture::Registry& registry,
             Report& report) {
  std::vector<PodNetwork> networks = {PodNetwork::kHost};
  if (!options.without_cni) networks.push_back(PodNetwork::kCni);
  for (PodNetwork network : networks) {
    MeasureLifeCycle(targets, network, options.runs, report);
    MeasureIsolation(targets, network, options.runs, report);
    if (options.at_once_pods > 0) {
      MeasureStartAtOnce(targets, network, options.at_once_pods, 8, report);
    }
  }
  MeasureExec(targets, options.runs, report);
  if (!options.pods.empty()) MeasureMemory(targets, options.pods, report);
  if (options.stream_megabytes > 0) {
    MeasureStreams(targets, options.stream_megabytes, 3, report);
  }
  if (options.log_megabytes > 0) MeasureLog(targets, options.log_megabytes, 3, report);
  if (options.pull_megabytes > 0) {
    MeasurePull(targets, registry, options.pull_megabytes, 3, report);
  }
}

void Run(const Options& options) {
  if (options.endpoint.empty()) fixture::EnterPrivateHost();
  fixture::ScratchDir scratch;
  std::unique_ptr<fixture::Daemon> daemon;
  fixture::Registry registry(scratch.path() / "registry");
  if (options.endpoint.empty()) {
    daemon = std::make_unique<fixture::Daemon>(fixture::DaemonOptions{scratch.path()});
  }
  const std::string image =
      registry.Push("bench/busybox", "1", fixture::Image::Of({fixture::BaseLayer()}, {}));
  Targets targets;
  targets.push_back(std::make_unique<Target>(daemon ? daemon->socket().string() : options.endpoint,
                                             options.pod_processes, scratch.path() / "logs"));
  if (!options.other_endpoint.empty()) {
    targets.push_back(std::make_unique<Target>(options.other_endpoint, options.other_pod_processes,
                                               scratch.path() / "other-logs"));
  }
  std::vector<std::string> names;
  for (auto& target : targets) {
    fixture::Must(target->cri().PullImage(image));
    target->set_image(image);
    names.push_back(target->name());
  }
  Report report;
  Measure(options, targets, registry, report);
  for (auto& target : targets) fixture::Must(target->cri().RemoveImage(image));
  printf("%s", report.Table(names).c_str());
  if (!options.json.empty()) fixture::WriteFile(options.json, report.Json());
}

}  // namespace
}  // namespace bulkhead::bench

int main(int argc, char** argv) {
  bulkhead::bench::Options options;
  CLI::App app("Measures a CRI runtime, or two in turns.");
  bulkhead::bench::AddTo(app, options);
  CLI11_PARSE(app, argc, argv);
  try {
    bulkhead::bench::Run(options);
  } catch (const std::exception& error) {
    fprintf(stderr, "bulkhead-bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
