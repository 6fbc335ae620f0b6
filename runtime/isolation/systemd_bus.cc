#include "runtime/isolation/systemd_bus.h"

#include <systemd/sd-bus.h>

#include <cerrno>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr char kService[] = "org.freedesktop.systemd1";
constexpr char kObject[] = "/org/freedesktop/systemd1";
constexpr char kManager[] = "org.freedesktop.systemd1.Manager";
// Also on a machine that starts a hundred pods while systemd reloads.
constexpr absl::Duration kPatience = absl::Seconds(30);

template <auto Release>
struct Releaser {
  template <typename T>
  void operator()(T* object) const {
    Release(object);
  }
};
using BusPtr = std::unique_ptr<sd_bus, Releaser<sd_bus_flush_close_unref>>;
using MessagePtr = std::unique_ptr<sd_bus_message, Releaser<sd_bus_message_unref>>;

class BusError {
 public:
  BusError() = default;
  BusError(const BusError&) = delete;
  BusError& operator=(const BusError&) = delete;
  ~BusError() { sd_bus_error_free(&error_); }

  sd_bus_error* get() { return &error_; }
  absl::Status ToStatus(int result) const {
    if (!sd_bus_error_is_set(&error_)) return ErrnoStatus(-result, "systemd");
    const std::string text = absl::StrCat("systemd: ", error_.message, " (", error_.name, ")");
    if (Is("org.freedesktop.systemd1.NoSuchUnit")) return absl::NotFoundError(text);
    if (Is("org.freedesktop.systemd1.UnitExists")) return absl::AlreadyExistsError(text);
    if (Is(SD_BUS_ERROR_PROPERTY_READ_ONLY)) return absl::UnimplementedError(text);
    if (Is(SD_BUS_ERROR_INVALID_ARGS)) return absl::InvalidArgumentError(text);
    if (Is(SD_BUS_ERROR_TIMEOUT) || Is(SD_BUS_ERROR_NO_REPLY)) {
      return absl::DeadlineExceededError(text);
    }
    return absl::InternalError(text);
  }

 private:
  bool Is(const char* name) const { return sd_bus_error_has_name(&error_, name) != 0; }

  sd_bus_error error_ = SD_BUS_ERROR_NULL;
};

// Jobs that ended, with their results, by their paths on the bus.
using EndedJobs = std::map<std::string, std::string>;

// One connection, for one call.
class Connection {
 public:
  static absl::StatusOr<Connection> Open() {
    sd_bus* bus = nullptr;
    const int opened = sd_bus_open_system(&bus);
    if (opened < 0) return ErrnoStatus(-opened, "connect to the system bus");
    return Connection(BusPtr(bus));
  }

  absl::StatusOr<MessagePtr> NewCall(const char* method) {
    sd_bus_message* message = nullptr;
    const int made =
        sd_bus_message_new_method_call(bus_.get(), &message, kService, kObject, kManager, method);
    if (made < 0) return ErrnoStatus(-made, absl::StrCat("call of ", method));
    return MessagePtr(message);
  }

  absl::StatusOr<MessagePtr> Call(const MessagePtr& message) {
    sd_bus_message* reply = nullptr;
    BusError error;
    const int called = sd_bus_call(bus_.get(), message.get(), absl::ToInt64Microseconds(kPatience),
                                   error.get(), &reply);
    if (called < 0) return error.ToStatus(called);
    return MessagePtr(reply);
  }

  // Calls what starts a job, and waits for the job's end.
  absl::Status CallJob(const MessagePtr& message) {
    const absl::Time deadline = absl::Now() + kPatience;
    if (absl::Status status = WatchJobs(); !status.ok()) return status;
    absl::StatusOr<MessagePtr> reply = Call(message);
    if (!reply.ok()) return reply.status();
    const char* job = nullptr;
    if (const int read = sd_bus_message_read(reply->get(), "o", &job); read < 0) {
      return ErrnoStatus(-read, "systemd's reply");
    }
    return AwaitJob(job, deadline);
  }

 private:
  explicit Connection(BusPtr bus) : bus_(std::move(bus)) {}

  static int OnJobRemoved(sd_bus_message* message, void* ended, sd_bus_error*) {
    uint32_t id = 0;
    const char *job = nullptr, *unit = nullptr, *result = nullptr;
    if (sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) >= 0) {
      static_cast<EndedJobs*>(ended)->emplace(job, result);
    }
    return 0;
  }

  // systemd sends signals only when someone subscribed. Not matched by the unit's name: sd-bus
  // does not look behind a first argument that is no string.
  absl::Status WatchJobs() {
    const int matched =
        sd_bus_match_signal_async(bus_.get(), nullptr, kService, kObject, kManager, "JobRemoved",
                                  OnJobRemoved, nullptr, ended_.get());
    if (matched < 0) return ErrnoStatus(-matched, "watch systemd's jobs");
    absl::StatusOr<MessagePtr> subscribe = NewCall("Subscribe");
    if (!subscribe.ok()) return subscribe.status();
    return Call(*subscribe).status();
  }

  absl::Status AwaitJob(const std::string& job, absl::Time deadline) {
    while (!ended_->contains(job)) {
      const int processed = sd_bus_process(bus_.get(), nullptr);
      if (processed < 0) return ErrnoStatus(-processed, "wait for systemd's job");
      if (processed > 0) continue;
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) {
        return absl::DeadlineExceededError(
            absl::StrCat("systemd did not end its job within ", absl::FormatDuration(kPatience)));
      }
      sd_bus_wait(bus_.get(), absl::ToInt64Microseconds(left));
    }
    const std::string& result = ended_->at(job);
    if (result == "done") return absl::OkStatus();
    return absl::InternalError(absl::StrCat("systemd's job ended as \"", result, "\""));
  }

  BusPtr bus_;
  std::unique_ptr<EndedJobs> ended_ = std::make_unique<EndedJobs>();
};

// One "v".
class AppendValue {
 public:
  explicit AppendValue(sd_bus_message* to) : message_(to) {}

  int operator()(bool value) const {
    return sd_bus_message_append(message_, "v", "b", static_cast<int>(value));
  }
  int operator()(uint64_t value) const { return sd_bus_message_append(message_, "v", "t", value); }
  int operator()(const std::string& value) const {
    return sd_bus_message_append(message_, "v", "s", value.c_str());
  }
  int operator()(const std::vector<uint8_t>& value) const { return Array('y', "ay", value); }
  int operator()(const std::vector<uint32_t>& value) const { return Array('u', "au", value); }

 private:
  template <typename T>
  int Array(char type, const char* signature, const std::vector<T>& values) const {
    int result = sd_bus_message_open_container(message_, 'v', signature);
    if (result >= 0) {
      result =
          sd_bus_message_append_array(message_, type, values.data(), values.size() * sizeof(T));
    }
    return result < 0 ? result : sd_bus_message_close_container(message_);
  }

  sd_bus_message* const message_;
};

// "a(sv)"; returns a negative errno.
int AppendProperties(sd_bus_message* message, const std::vector<UnitProperty>& properties) {
  int result = sd_bus_message_open_container(message, 'a', "(sv)");
  for (const UnitProperty& property : properties) {
    if (result >= 0) result = sd_bus_message_open_container(message, 'r', "sv");
    if (result >= 0) result = sd_bus_message_append(message, "s", property.name.c_str());
    if (result >= 0) result = std::visit(AppendValue(message), property.value);
    if (result >= 0) result = sd_bus_message_close_container(message);
  }
  return result < 0 ? result : sd_bus_message_close_container(message);
}

}  // namespace

absl::Status SystemdBus::Check() {
  absl::StatusOr<Connection> connection = Connection::Open();
  if (!connection.ok()) return connection.status();
  absl::StatusOr<MessagePtr> call = connection->NewCall("Subscribe");
  if (!call.ok()) return call.status();
  return connection->Call(*call).status();
}

absl::Status SystemdBus::StartTransient(const std::string& unit,
                                        const std::vector<UnitProperty>& properties) {
  absl::StatusOr<Connection> connection = Connection::Open();
  if (!connection.ok()) return connection.status();
  absl::StatusOr<MessagePtr> call = connection->NewCall("StartTransientUnit");
  if (!call.ok()) return call.status();
  sd_bus_message* message = call->get();
  int result = sd_bus_message_append(message, "ss", unit.c_str(), "fail");
  if (result >= 0) result = AppendProperties(message, properties);
  if (result >= 0) result = sd_bus_message_append(message, "a(sa(sv))", 0);
  if (result < 0) return ErrnoStatus(-result, "call of StartTransientUnit");
  return Annotate(connection->CallJob(*call), absl::StrCat("start ", unit));
}

absl::Status SystemdBus::SetProperties(const std::string& unit,
                                       const std::vector<UnitProperty>& properties) {
  absl::StatusOr<Connection> connection = Connection::Open();
  if (!connection.ok()) return connection.status();
  absl::StatusOr<MessagePtr> call = connection->NewCall("SetUnitProperties");
  if (!call.ok()) return call.status();
  sd_bus_message* message = call->get();
  // At run time only: nothing of it is kept on a disk.
  int result = sd_bus_message_append(message, "sb", unit.c_str(), 1);
  if (result >= 0) result = AppendProperties(message, properties);
  if (result < 0) return ErrnoStatus(-result, "call of SetUnitProperties");
  return Annotate(connection->Call(*call).status(), absl::StrCat("set properties of ", unit));
}

absl::Status SystemdBus::Stop(const std::string& unit) {
  absl::StatusOr<Connection> connection = Connection::Open();
  if (!connection.ok()) return connection.status();
  absl::StatusOr<MessagePtr> call = connection->NewCall("StopUnit");
  if (!call.ok()) return call.status();
  const int result = sd_bus_message_append(call->get(), "ss", unit.c_str(), "replace");
  if (result < 0) return ErrnoStatus(-result, "call of StopUnit");
  const absl::Status stopped = connection->CallJob(*call);
  if (absl::IsNotFound(stopped)) return absl::OkStatus();
  return Annotate(stopped, absl::StrCat("stop ", unit));
}

}  // namespace bulkhead::isolation
