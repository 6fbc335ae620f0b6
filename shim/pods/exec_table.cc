#include "shim/pods/exec_table.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "runtime/kernel/fd.h"
#include "runtime/kernel/status.h"

namespace bulkhead::pods {

// Guarded by the table's mutex, but for the descriptor.
struct ExecTable::Entry {
  UniqueFd ended;
  std::optional<supervisor::ExitRecord> exit;
};

class ExecTable::Process : public ExecProcess {
 public:
  Process(std::shared_ptr<ExecTable> table, uint64_t id, UniqueFd ended, SignalFunction signal)
      : table_(std::move(table)),
        id_(id),
        entry_{std::move(ended), std::nullopt},
        signal_(std::move(signal)) {}
  ~Process() override { table_->Forget(id_); }

  Entry& entry() { return entry_; }
  int ended_fd() const override { return entry_.ended.get(); }
  absl::StatusOr<supervisor::ExitRecord> Result() override {
    const std::lock_guard lock(table_->mutex_);
    if (entry_.exit) return *entry_.exit;
    return absl::UnavailableError("the pod's supervisor was lost while the command ran");
  }
  absl::Status Signal(int signal, std::chrono::milliseconds timeout) override {
    return signal_(signal, timeout);
  }

 private:
  const std::shared_ptr<ExecTable> table_;
  const uint64_t id_;
  Entry entry_;
  const SignalFunction signal_;
};

void ExecTable::Begin() {
  const std::lock_guard lock(mutex_);
  ++starting_;
}

absl::StatusOr<std::unique_ptr<ExecProcess>> ExecTable::Finish(uint64_t id, SignalFunction signal) {
  UniqueFd ended(eventfd(0, EFD_CLOEXEC));
  const int error = errno;
  const std::lock_guard lock(mutex_);
  const auto early = early_.find(id);
  std::optional<supervisor::ExitRecord> exit;
  if (early != early_.end()) exit = early->second;
  EndStart();
  if (!ended.valid()) return ErrnoStatus(error, "eventfd");
  auto process =
      std::make_unique<Process>(shared_from_this(), id, std::move(ended), std::move(signal));
  process->entry().exit = exit;
  if (exit || lost_) {
    eventfd_write(process->ended_fd(), 1);
  } else {
    running_[id] = &process->entry();
  }
  return process;
}

void ExecTable::Abandon() {
  const std::lock_guard lock(mutex_);
  EndStart();
}

void ExecTable::EndStart() {
  if (--starting_ == 0) early_.clear();
}

void ExecTable::OnExited(uint64_t id, const supervisor::ExitRecord& exit) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(id);
  if (found != running_.end()) {
    found->second->exit = exit;
    eventfd_write(found->second->ended.get(), 1);
    running_.erase(found);
  } else if (starting_ > 0) {
    early_[id] = exit;
  }
}

void ExecTable::OnLost() {
  const std::lock_guard lock(mutex_);
  lost_ = true;
  for (const auto& [id, entry] : running_) eventfd_write(entry->ended.get(), 1);
  running_.clear();
}

void ExecTable::Forget(uint64_t id) {
  const std::lock_guard lock(mutex_);
  running_.erase(id);
}

}  // namespace bulkhead::pods
