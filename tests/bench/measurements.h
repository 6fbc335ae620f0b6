// What is measured. Each takes all targets, so that runtimes are measured in turns, in the same
// minutes of the same machine.
#ifndef BULKHEAD_TESTS_BENCH_MEASUREMENTS_H_
#define BULKHEAD_TESTS_BENCH_MEASUREMENTS_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/bench/samples.h"
#include "tests/bench/target.h"
#include "tests/conformance/fixture/registry.h"

namespace bulkhead::bench {

using Targets = std::vector<std::unique_ptr<Target>>;

// Each life cycle call of a pod with one container, `runs` times.
void MeasureLifeCycle(Targets& targets, PodNetwork network, int runs, Report& report);

// The way up of a pod with all isolation that a container can ask for and of one with none, `runs`
// times; with CNI, where the runtime has user namespaces, in one.
void MeasureIsolation(Targets& targets, PodNetwork network, int runs, Report& report);

// ExecSync of `true`, `runs` times in one container.
void MeasureExec(Targets& targets, int runs, Report& report);

// Memory with each number of idle pods, in ascending order.
void MeasureMemory(Targets& targets, const std::vector<int>& pods, Report& report);

// The time until `pods` pods run, `at_once` at a time.
void MeasureStartAtOnce(Targets& targets, PodNetwork network, int pods, int at_once,
                        Report& report);

// Payload of a container that writes lines of 100 bytes as fast as it can.
void MeasureLog(Targets& targets, int megabytes, int runs, Report& report);

// Bytes through exec of `cat` and through port-forward and back, compared, each time so many MiB;
// and how much memory the daemon had at most meanwhile.
void MeasureStreams(Targets& targets, int megabytes, int runs, Report& report);

// Pull and unpack of an image with about that many megabytes of this machine's own programs.
void MeasurePull(Targets& targets, fixture::Registry& registry, int megabytes, int runs,
                 Report& report);

}  // namespace bulkhead::bench

#endif  // BULKHEAD_TESTS_BENCH_MEASUREMENTS_H_
