// The calls of systemd's manager that a cgroup takes: org.freedesktop.systemd1(5).
#ifndef BULKHEAD_RUNTIME_ISOLATION_SYSTEMD_BUS_H_
#define BULKHEAD_RUNTIME_ISOLATION_SYSTEMD_BUS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/isolation/systemd_units.h"

namespace bulkhead::isolation {

// Thread safe; each call blocks until systemd has done it, or a bound is over (DEADLINE_EXCEEDED).
class UnitManager {
 public:
  virtual ~UnitManager() = default;

  // UNIMPLEMENTED: this systemd does not know one of the properties.
  virtual absl::Status StartTransient(const std::string& unit,
                                      const std::vector<UnitProperty>& properties) = 0;
  // Of a running unit, until it ends. NOT_FOUND when there is none.
  virtual absl::Status SetProperties(const std::string& unit,
                                     const std::vector<UnitProperty>& properties) = 0;
  // OK when there is none.
  virtual absl::Status Stop(const std::string& unit) = 0;
};

// Over the system bus. A connection a call: beside what systemd takes its cost does not show, and
// nothing has to survive a restart of the bus, or of systemd by daemon-reexec.
class SystemdBus : public UnitManager {
 public:
  // Whether the bus and systemd answer.
  static absl::Status Check();

  absl::Status StartTransient(const std::string& unit,
                              const std::vector<UnitProperty>& properties) override;
  absl::Status SetProperties(const std::string& unit,
                             const std::vector<UnitProperty>& properties) override;
  absl::Status Stop(const std::string& unit) override;
};

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SYSTEMD_BUS_H_
