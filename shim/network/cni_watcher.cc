#include "shim/network/cni_watcher.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <system_error>
#include <utility>

#include "runtime/kernel/status.h"

namespace bulkhead::network {
namespace {

constexpr int kRetryMilliseconds = 5000;

}  // namespace

absl::StatusOr<std::unique_ptr<CniWatcher>> CniWatcher::Start(
    std::string config_dir, std::vector<std::string> plugin_dirs) {
  std::vector<std::string> dirs = plugin_dirs;
  dirs.push_back(config_dir);
  absl::StatusOr<DirectoryWatch> watch = DirectoryWatch::Create(std::move(dirs));
  if (!watch.ok()) return watch.status();
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop.valid()) return ErrnoStatus(errno, "eventfd");
  std::unique_ptr<CniWatcher> watcher(new CniWatcher(std::move(config_dir), std::move(plugin_dirs),
                                                     *std::move(watch), std::move(stop)));
  const absl::Status status = watcher->Refresh();
  if (!status.ok()) return status;
  try {
    watcher->thread_ = std::thread([raw = watcher.get()] { raw->Run(); });
  } catch (const std::system_error& error) {
    return ErrnoStatus(error.code().value(), "start the thread that watches CNI configurations");
  }
  return watcher;
}

CniWatcher::CniWatcher(std::string config_dir, std::vector<std::string> plugin_dirs,
                       DirectoryWatch watch, UniqueFd stop)
    : config_dir_(std::move(config_dir)),
      plugin_dirs_(std::move(plugin_dirs)),
      watch_(std::move(watch)),
      stop_(std::move(stop)) {}

CniWatcher::~CniWatcher() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

std::shared_ptr<const CniSelection> CniWatcher::Current() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return current_;
}

absl::Status CniWatcher::Refresh() {
  // Watch first, read second: what changes in between wakes the next round.
  const absl::Status status = watch_.Renew();
  auto selection = std::make_shared<CniSelection>(SelectCniConfig(config_dir_, plugin_dirs_));
  if (!status.ok()) {
    selection->problem = std::string(status.message());
    selection->network.reset();
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  current_ = std::move(selection);
  return status;
}

void CniWatcher::Run() {
  std::array<pollfd, 2> polled = {{{stop_.get(), POLLIN, 0}, {watch_.fd(), POLLIN, 0}}};
  int timeout = -1;
  for (;;) {
    if (poll(polled.data(), polled.size(), timeout) < 0) continue;  // EINTR
    if (polled[0].revents != 0) return;
    watch_.Discard();
    // What cannot be watched (out of inotify watches) is the reason shown for the network not being
    // ready, and sends no event when it can be: only then is there something to try again.
    timeout = Refresh().ok() ? -1 : kRetryMilliseconds;
  }
}

}  // namespace bulkhead::network
