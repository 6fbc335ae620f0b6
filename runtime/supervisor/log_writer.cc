#include "runtime/supervisor/log_writer.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <set>

#include "runtime/kernel/status.h"

namespace bulkhead::supervisor {
namespace {

// epoll's number of the wake-up descriptor. A stream's is four times its log's key, plus itself;
// attached clients of that log have kClients in the stream's place.
constexpr uint64_t kWake = 0;
constexpr uint64_t kStep = 4;
constexpr uint64_t kClients = 2;
// After so long without output, the memory of the last burst is given back.
constexpr int kIdleMilliseconds = 1000;
// Address space only; the thread touches a few pages of it.
constexpr size_t kStackSize = 256 * 1024;

void Signal(const UniqueFd& eventfd) {
  const uint64_t one = 1;
  // Fails only with EAGAIN on a counter near its end, which wakes all the same.
  [[maybe_unused]] const ssize_t n = write(eventfd.get(), &one, sizeof(one));
}

void Clear(const UniqueFd& eventfd) {
  uint64_t count;
  [[maybe_unused]] const ssize_t n = read(eventfd.get(), &count, sizeof(count));
}

// Gives a log's descriptors the numbers that they have in this thread's table.
void RenumberLog(state::Log& log, const std::vector<UniqueFd>& fds) {
  size_t next = 0;
  const auto number = [&](int old) { return old > 0 && next < fds.size() ? fds[next++].get() : 0; };
  log.set_out(number(log.out()));
  log.set_err(number(log.err()));
  log.set_file(number(log.file()));
}

bool WatchStream(int epoll, int fd, uint64_t number) {
  epoll_event event = {.events = EPOLLIN, .data = {.u64 = number}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

// For the end of its reader only, of which EPOLLERR tells unasked.
bool WatchReader(int epoll, int fd, uint64_t number) {
  epoll_event event = {.events = 0, .data = {.u64 = number}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogWriter>> LogWriter::Start() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd notice(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.valid() || !wake.valid() || !notice.valid() ||
      !WatchStream(epoll.get(), wake.get(), kWake)) {
    return ErrnoStatus(errno, "descriptors for the log writer");
  }
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    return ErrnoStatus(errno, "socketpair for the log writer");
  }
  std::unique_ptr<LogWriter> writer(new LogWriter(
      std::move(epoll), std::move(wake), std::move(notice), UniqueFd(pair[0]), UniqueFd(pair[1])));
  // All signals blocked in the thread: a log that is a pipe or over a file size limit must fail
  // with an errno, not end the supervisor by SIGPIPE or SIGXFSZ.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackSize);
  const int error = pthread_create(&writer->thread_, &attributes, ThreadMain, writer.get());
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) {
    writer->thread_ = {};
    return ErrnoStatus(error, "start the log writer's thread");
  }
  return writer;
}

LogWriter::LogWriter(UniqueFd epoll, UniqueFd wake, UniqueFd notice, UniqueFd main_end,
                     UniqueFd thread_end)
    : epoll_(std::move(epoll)),
      wake_(std::move(wake)),
      notice_(std::move(notice)),
      main_end_(std::move(main_end)),
      thread_end_(std::move(thread_end)) {}

LogWriter::~LogWriter() {
  if (thread_ == pthread_t{}) return;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  Signal(wake_);
  pthread_join(thread_, nullptr);
}

std::vector<LogNotice> LogWriter::TakeNotices() {
  Clear(notice_);
  std::lock_guard lock(mutex_);
  return std::exchange(notices_, {});
}

void LogWriter::Post(Command command) {
  {
    std::lock_guard lock(mutex_);
    commands_.push_back(std::move(command));
  }
  Signal(wake_);
}

void LogWriter::Add(const std::string& id, const state::Log& log) {
  std::vector<UniqueFd> fds;
  for (const int fd : {log.out(), log.err(), log.file()}) {
    if (fd > 0) fds.emplace_back(fd);
  }
  const uint64_t post = main_end_.Send(std::move(fds));
  Post([this, id, log, post] { DoAdd(id, log, post); });
}

void LogWriter::Reopen(const std::string& id, UniqueFd file, uint64_t ticket) {
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(file));
  const uint64_t post = main_end_.Send(std::move(fds));
  Post([this, id, ticket, post] { DoReopen(id, ticket, post); });
}

void LogWriter::Attach(const std::string& id, UniqueFd out, UniqueFd err, uint64_t ticket) {
  const bool has_out = out.valid();
  const bool has_err = err.valid();
  std::vector<UniqueFd> fds;
  if (has_out) fds.push_back(std::move(out));
  if (has_err) fds.push_back(std::move(err));
  const uint64_t post = main_end_.Send(std::move(fds));
  Post(
      [this, id, has_out, has_err, ticket, post] { DoAttach(id, has_out, has_err, ticket, post); });
}

void LogWriter::Drain(const std::string& id) {
  Post([this, id] { DoDrain(id); });
}

void LogWriter::Remove(const std::string& id) {
  Post([this, id] { std::erase_if(logs_, [&](auto& e) { return e.second.id == id; }); });
}

void LogWriter::Pause() {
  {
    std::lock_guard lock(mutex_);
    pause_ = true;
  }
  Signal(wake_);
}

void LogWriter::Resume() {
  // What a pause offered and nobody took.
  Save();
  saved_.clear();
  {
    std::lock_guard lock(mutex_);
    pause_ = false;
  }
  Signal(wake_);
}

std::map<std::string, state::Log> LogWriter::Save() {
  std::map<std::string, state::Log> states;
  std::lock_guard lock(mutex_);
  for (auto& [id, log, post] : std::exchange(offered_, {})) {
    std::vector<UniqueFd> fds = main_end_.Receive(post);
    RenumberLog(log, fds);
    states[id] = std::move(log);
    std::move(fds.begin(), fds.end(), std::back_inserter(saved_));
  }
  return states;
}

void LogWriter::OfferStates() {
  std::vector<Offer> offers;
  for (const auto& [key, entry] : logs_) {
    state::Log log = entry.log->Save();
    std::vector<UniqueFd> copies;
    for (const int fd : {log.out(), log.err(), log.file()}) {
      if (fd > 0) copies.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    }
    offers.push_back({entry.id, std::move(log), thread_end_.Send(std::move(copies))});
  }
  std::lock_guard lock(mutex_);
  offered_ = std::move(offers);
}

void* LogWriter::ThreadMain(void* self) {
  static_cast<LogWriter*>(self)->Run();
  return nullptr;
}

// The copies that unshare makes are closed again, but for those that the thread uses: a copy of
// a container's pipe or of the daemon's connection would keep it open.
void LogWriter::LeaveDescriptorTable() {
#ifdef __SANITIZE_THREAD__
  // The race detector takes equal numbers for the same descriptor.
  return;
#endif
  // Out of memory it goes on with the common table, which costs only the guard against a hang.
  if (unshare(CLONE_FILES) != 0) return;
  const std::set<int> kept = {0, 1, 2, epoll_.get(), wake_.get(), notice_.get(), thread_end_.fd()};
  unsigned first = 0;
  for (const int fd : kept) {
    const unsigned number = fd;
    if (number > first) syscall(SYS_close_range, first, number - 1, 0);
    first = number + 1;
  }
  syscall(SYS_close_range, first, ~0U, 0);
}

void LogWriter::Run() {
  LeaveDescriptorTable();
  while (true) {
    epoll_event events[16];
    const int n = epoll_wait(epoll_.get(), events, 16, scratch_.large() ? kIdleMilliseconds : -1);
    if (n == 0) scratch_.Release();
    for (int i = 0; i < n; ++i) {
      if (events[i].data.u64 != kWake) {
        Pump(events[i].data.u64);
        continue;
      }
      Clear(wake_);
      RunCommands();
      WaitWhilePaused();
      std::lock_guard lock(mutex_);
      if (!stop_) continue;
      // Here, as the numbers are of this thread's table.
      logs_.clear();
      return;
    }
  }
}

void LogWriter::RunCommands() {
  while (true) {
    Command command;
    {
      std::lock_guard lock(mutex_);
      if (commands_.empty()) return;
      command = std::move(commands_.front());
      commands_.pop_front();
    }
    command();
    progress_.fetch_add(1, std::memory_order_relaxed);
  }
}

void LogWriter::WaitWhilePaused() {
  const auto asked = [this] {
    std::lock_guard lock(mutex_);
    return pause_ && !stop_;
  };
  if (!asked()) return;
  // What was posted before Pause comes before it.
  RunCommands();
  OfferStates();
  Notify({.kind = LogNotice::Kind::kPaused});
  // Level-triggered, so other descriptors must not be waited for here.
  UniqueFd only_wake(epoll_create1(EPOLL_CLOEXEC));
  WatchStream(only_wake.get(), wake_.get(), kWake);
  while (asked()) {
    epoll_event event;
    epoll_wait(only_wake.get(), &event, 1, -1);
    Clear(wake_);
  }
  RunCommands();
}

void LogWriter::Pump(uint64_t number) {
  const auto found = logs_.find(number / kStep);
  if (found == logs_.end()) return;
  if (number % kStep == kClients) return found->second.log->clients().DropClosed();
  const auto stream = static_cast<ContainerLog::Stream>(number % kStep);
  // Closing the descriptor at its end takes it out of the epoll set: nobody else has it open.
  found->second.log->Pump(stream, scratch_);
  progress_.fetch_add(1, std::memory_order_relaxed);
  Report(found->second);
}

void LogWriter::DoAdd(const std::string& id, state::Log log, uint64_t post) {
  std::vector<UniqueFd> fds = thread_end_.Receive(post);
  RenumberLog(log, fds);
  for (UniqueFd& fd : fds) static_cast<void>(fd.release());
  const uint64_t key = ++last_key_;
  Entry& entry = logs_[key];
  entry = {id, std::make_unique<ContainerLog>(log), {}};
  for (const auto stream : {ContainerLog::kOut, ContainerLog::kErr}) {
    const int fd = entry.log->fd(stream);
    if (fd >= 0) WatchStream(epoll_.get(), fd, key * kStep + stream);
  }
}

void LogWriter::DoReopen(const std::string& id, uint64_t ticket, uint64_t post) {
  std::vector<UniqueFd> file = thread_end_.Receive(post);
  // Not said to be reopened then; the daemon's deadline ends the request.
  if (file.empty()) return;
  Entry* entry = Find(id);
  if (entry != nullptr) {
    entry->log->Reopen(std::move(file[0]));
    Report(*entry);
  }
  Notify({.kind = LogNotice::Kind::kDone, .id = id, .ticket = ticket});
}

void LogWriter::DoAttach(const std::string& id, bool has_out, bool has_err, uint64_t ticket,
                         uint64_t post) {
  std::vector<UniqueFd> fds = thread_end_.Receive(post);
  // They did not come; the daemon's deadline ends the request.
  if (fds.size() != static_cast<size_t>(has_out) + static_cast<size_t>(has_err)) return;
  const auto entry =
      std::find_if(logs_.begin(), logs_.end(), [&](const auto& e) { return e.second.id == id; });
  if (entry != logs_.end()) {
    for (const UniqueFd& fd : fds) {
      // Closing it takes it out of the epoll set: nobody else has it open. Out of memory the
      // client's end shows with the next output.
      WatchReader(epoll_.get(), fd.get(), entry->first * kStep + kClients);
    }
    UniqueFd out = has_out ? std::move(fds.front()) : UniqueFd();
    UniqueFd err = has_err ? std::move(fds.back()) : UniqueFd();
    entry->second.log->Attach(std::move(out), std::move(err));
  }
  Notify({.kind = LogNotice::Kind::kDone, .id = id, .ticket = ticket});
}

void LogWriter::DoDrain(const std::string& id) {
  Entry* entry = Find(id);
  if (entry == nullptr) return Notify({.kind = LogNotice::Kind::kDrained, .id = id});
  entry->log->Drain(scratch_);
  Report(*entry);
}

LogWriter::Entry* LogWriter::Find(const std::string& id) {
  for (auto& [key, entry] : logs_) {
    if (entry.id == id) return &entry;
  }
  return nullptr;
}

void LogWriter::Report(Entry& entry) {
  if (entry.log->loss() != entry.reported) {
    entry.reported = entry.log->loss();
    Notify({.kind = LogNotice::Kind::kLoss, .id = entry.id, .loss = entry.reported});
  }
  if (entry.log->TakeDrained()) Notify({.kind = LogNotice::Kind::kDrained, .id = entry.id});
}

void LogWriter::Notify(LogNotice notice) {
  {
    std::lock_guard lock(mutex_);
    // Losses can come faster than the main thread reads; the last count says it all.
    if (notice.kind == LogNotice::Kind::kLoss && !notices_.empty() &&
        notices_.back().kind == notice.kind && notices_.back().id == notice.id) {
      notices_.back() = std::move(notice);
    } else {
      notices_.push_back(std::move(notice));
    }
  }
  Signal(notice_);
}

}  // namespace bulkhead::supervisor
