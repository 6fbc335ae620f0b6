// Latencies of the life cycle's calls.
#include <atomic>
#include <mutex>
#include <thread>

#include "tests/bench/measurements.h"
#include "tests/conformance/fixture/must.h"

namespace bulkhead::bench {
namespace {

using fixture::Must;

std::string NameOf(PodNetwork network) {
  return network == PodNetwork::kHost ? "host network" : "CNI";
}

void OneLife(Target& target, PodNetwork network, Report& report) {
  client::Client& cri = target.cri();
  auto add = [&](const char* name, double value) {
    report.Of(NameOf(network), name, "ms", target.name()).Add(value);
    return value;
  };
  const auto pod = target.NewPod(network);
  const auto config = target.NewContainer(pod, {"sleep", "1000000"});
  std::string id;
  std::string container;
  double up = add("RunPodSandbox", Milliseconds([&] { id = Must(cri.RunPodSandbox(pod)); }));
  up += add("CreateContainer",
            Milliseconds([&] { container = Must(cri.CreateContainer(id, config, pod)); }));
  up += add("StartContainer", Milliseconds([&] { Must(cri.StartContainer(container)); }));
  double down =
      add("StopContainer, grace 0", Milliseconds([&] { Must(cri.StopContainer(container, {})); }));
  down += add("RemoveContainer", Milliseconds([&] { Must(cri.RemoveContainer(container)); }));
  down += add("StopPodSandbox", Milliseconds([&] { Must(cri.StopPodSandbox(id)); }));
  down += add("RemovePodSandbox", Milliseconds([&] { Must(cri.RemovePodSandbox(id)); }));
  add("up, all three", up);
  add("down, all four", down);
}

// A pod with an idle container; `id` is set as soon as there is something to remove.
absl::Status RunOne(Target& target, const v1::PodSandboxConfig& pod, std::string& id) {
  auto run = target.cri().RunPodSandbox(pod);
  if (!run.ok()) return run.status();
  id = *run;
  const auto container = target.NewContainer(pod, {"sleep", "1000000"});
  auto created = target.cri().CreateContainer(id, container, pod);
  if (!created.ok()) return created.status();
  return target.cri().StartContainer(*created);
}

// Runs `count` pods with `at_once` callers; their ids.
std::vector<std::string> RunMany(Target& target, PodNetwork network, int count, int at_once) {
  std::vector<v1::PodSandboxConfig> pods;
  for (int i = 0; i < count; ++i) pods.push_back(target.NewPod(network));
  std::vector<std::string> ids(pods.size());
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  absl::Status first_error;
  auto work = [&] {
    for (size_t i = next++; i < pods.size(); i = next++) {
      absl::Status status = RunOne(target, pods[i], ids[i]);
      std::lock_guard lock(mutex);
      first_error.Update(status);
    }
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < at_once; ++i) callers.emplace_back(work);
  for (std::thread& caller : callers) caller.join();
  Must(first_error);
  return ids;
}

}  // namespace

void MeasureLifeCycle(Targets& targets, PodNetwork network, int runs, Report& report) {
  for (int i = 0; i < runs; ++i) {
    for (auto& target : targets) OneLife(*target, network, report);
  }
}

void MeasureExec(Targets& targets, int runs, Report& report) {
  std::vector<std::pair<std::string, std::string>> pods;
  for (auto& target : targets) {
    const std::string pod = target->RunIdlePod(PodNetwork::kHost);
    v1::ContainerFilter filter;
    filter.set_pod_sandbox_id(pod);
    pods.emplace_back(pod, Must(target->cri().ListContainers(filter)).at(0).id());
  }
  for (int i = 0; i < runs; ++i) {
    for (size_t t = 0; t < targets.size(); ++t) {
      const double took =
          Milliseconds([&] { Must(targets[t]->cri().ExecSync(pods[t].second, {"true"})); });
      report.Of("exec", "ExecSync true", "ms", targets[t]->name()).Add(took);
    }
  }
  for (size_t t = 0; t < targets.size(); ++t) targets[t]->RemovePod(pods[t].first);
}

void MeasureStartAtOnce(Targets& targets, PodNetwork network, int pods, int at_once,
                        Report& report) {
  const std::string name = std::to_string(pods) + " pods, " + std::to_string(at_once) + " at once";
  for (auto& target : targets) {
    std::vector<std::string> ids;
    const double took = Milliseconds([&] { ids = RunMany(*target, network, pods, at_once); });
    report.Of(NameOf(network), name, "s", target->name()).Add(took / 1000);
    for (const std::string& id : ids) target->RemovePod(id);
  }
}

void MeasureMemory(Targets& targets, const std::vector<int>& pods, Report& report) {
  for (auto& target : targets) {
    std::vector<std::string> ids;
    auto add = [&](const std::string& name, const char* unit, double value) {
      report.Of("memory", name, unit, target->name()).Add(value);
    };
    add("daemon PSS at 0 pods", "MiB", static_cast<double>(target->DaemonPss()) / 1024);
    for (int count : pods) {
      const std::string at = " at " + std::to_string(count) + " pods";
      auto more = RunMany(*target, PodNetwork::kHost, count - static_cast<int>(ids.size()), 4);
      ids.insert(ids.end(), more.begin(), more.end());
      add("pod processes' PSS a pod" + at, "KiB",
          static_cast<double>(target->PodProcessesPss()) / count);
      add("daemon PSS" + at, "MiB", static_cast<double>(target->DaemonPss()) / 1024);
    }
    for (const std::string& id : ids) target->RemovePod(id);
  }
}

}  // namespace bulkhead::bench
