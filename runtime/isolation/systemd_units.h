// cgroups as systemd's units: names, paths and properties; pure functions.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SYSTEMD_UNITS_H_
#define BULKHEAD_RUNTIME_ISOLATION_SYSTEMD_UNITS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/spec/container.h"

namespace bulkhead::isolation {

// "/a.slice/a-b.slice" for "a-b.slice", as systemd.slice(5) nests them. INVALID_ARGUMENT: no name
// of a slice, or one whose cgroup systemd would call otherwise.
absl::StatusOr<std::string> SlicePath(std::string_view slice);

// "a-b_c.slice" for "/a/b-c", as the kubelet makes slices of cgroup names.
std::string SliceOfCgroup(std::string_view path);

// "bulkhead-ID.scope": tools find a container by the last element of its cgroup's path.
std::string ScopeName(std::string_view id);
// The id in such a name; empty in any other.
std::string IdOfScope(std::string_view name);

// The unit of a cgroup's path, its last element; empty when that is neither a scope of ours nor a
// slice, as with an exec's leaf.
std::string ScopeOf(std::string_view path);
std::string SliceOf(std::string_view path);

// A property as it goes over the bus, with systemd's names and types.
struct UnitProperty {
  using Value =
      std::variant<bool, uint64_t, std::string, std::vector<uint8_t>, std::vector<uint32_t>>;

  std::string name;
  Value value;

  bool operator==(const UnitProperty&) const = default;
};

// What makes a unit a container's scope, whatever its limits are. `pid` is its first process.
std::vector<UnitProperty> ScopeProperties(std::string_view path, uint32_t pid);

// Limits that systemd must know of, because it writes every file of a cgroup anew when it is
// reloaded, with the values that it knows. What is 0 or empty is left out. FAILED_PRECONDITION
// naming the entry of `unified` that systemd would reset and that no property stands for.
absl::StatusOr<std::vector<UnitProperty>> ResourceProperties(const spec::Resources& resources);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SYSTEMD_UNITS_H_
