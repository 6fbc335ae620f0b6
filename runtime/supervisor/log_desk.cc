#include "runtime/supervisor/log_desk.h"

#include <sys/epoll.h>

#include <algorithm>

namespace bulkhead::supervisor {

LogDesk::LogDesk(EventLoop& loop, std::function<void(const LogLoss&)> on_loss)
    : loop_(loop), on_loss_(std::move(on_loss)) {}

LogDesk::~LogDesk() {
  if (writer_ != nullptr) loop_.Forget(writer_->notice_fd());
}

absl::Status LogDesk::Start() {
  if (writer_ != nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<LogWriter>> writer = LogWriter::Start();
  if (!writer.ok()) return writer.status();
  writer_ = *std::move(writer);
  return loop_.Watch(writer_->notice_fd(), EPOLLIN, [this](uint32_t) { OnNotices(); });
}

void LogDesk::Add(const std::string& id, const state::Log& log) { writer_->Add(id, log); }

void LogDesk::Reopen(const std::string& id, UniqueFd file, Done done) {
  waiting_[++last_ticket_] = std::move(done);
  writer_->Reopen(id, std::move(file), last_ticket_);
}

void LogDesk::Attach(const std::string& id, UniqueFd out, UniqueFd err, Done done) {
  waiting_[++last_ticket_] = std::move(done);
  writer_->Attach(id, std::move(out), std::move(err), last_ticket_);
}

void LogDesk::Drain(const std::string& id, Done done) {
  if (writer_ == nullptr) return done();
  draining_[id] = {std::move(done), 0, writer_->progress(), EventLoop::Clock::now() + kDrainLimit};
  writer_->Drain(id);
  Watch(id);
}

void LogDesk::Watch(const std::string& id) {
  draining_[id].timer = loop_.After(kDrainPatience, [this, id] {
    Draining& draining = draining_[id];
    const bool stuck = draining.progress == writer_->progress();
    if (stuck || EventLoop::Clock::now() >= draining.limit) {
      SetUnfinished(id, true);
      return FinishDrain(id);
    }
    draining.progress = writer_->progress();
    Watch(id);
  });
}

void LogDesk::SetUnfinished(const std::string& id, bool unfinished) {
  Losing& losing = losing_[id];
  losing.loss.set_id(id);
  losing.loss.set_unfinished(unfinished);
  losing.told = false;
  TellLoss(id);
}

void LogDesk::FinishDrain(const std::string& id) {
  const auto found = draining_.find(id);
  if (found == draining_.end()) return;
  loop_.Cancel(found->second.timer);
  const Done done = std::move(found->second.done);
  draining_.erase(found);
  TellLoss(id);
  done();
}

void LogDesk::Remove(const std::string& id) {
  if (const auto found = draining_.find(id); found != draining_.end()) {
    loop_.Cancel(found->second.timer);
    draining_.erase(found);
  }
  if (const auto found = losing_.find(id); found != losing_.end()) {
    loop_.Cancel(found->second.timer);
    losing_.erase(found);
  }
  if (writer_ != nullptr) writer_->Remove(id);
}

void LogDesk::OnNotices() {
  for (LogNotice& notice : writer_->TakeNotices()) {
    switch (notice.kind) {
      case LogNotice::Kind::kDrained:
        // Later than its container's end was waited for.
        if (losing_.contains(notice.id) && losing_[notice.id].loss.unfinished()) {
          SetUnfinished(notice.id, false);
        }
        FinishDrain(notice.id);
        break;
      case LogNotice::Kind::kDone:
        if (auto node = waiting_.extract(notice.ticket)) node.mapped()();
        break;
      case LogNotice::Kind::kPaused:
        FinishPause(true);
        break;
      case LogNotice::Kind::kLoss:
        OnLoss(notice.id, notice.loss);
        break;
    }
  }
}

void LogDesk::OnLoss(const std::string& id, const LogLossCount& count) {
  Losing& losing = losing_[id];
  losing.loss.set_id(id);
  losing.loss.set_lines(count.lines);
  losing.loss.set_bytes(count.bytes);
  losing.loss.set_error_number(count.error_number);
  losing.told = false;
  if (losing.timer != 0) return;
  TellLoss(id);
  losing.timer = loop_.After(kLossInterval, [this, id] {
    losing_[id].timer = 0;
    TellLoss(id);
  });
}

void LogDesk::TellLoss(const std::string& id) {
  const auto found = losing_.find(id);
  if (found == losing_.end() || found->second.told) return;
  found->second.told = true;
  on_loss_(found->second.loss);
}

void LogDesk::Pause(std::chrono::milliseconds patience, std::function<void(bool)> done) {
  if (writer_ == nullptr) return done(true);
  pausing_ = std::move(done);
  pause_timer_ = loop_.After(patience, [this] { FinishPause(false); });
  writer_->Pause();
}

void LogDesk::FinishPause(bool paused) {
  // A late notice of a pause that was given up.
  if (!pausing_) return;
  loop_.Cancel(pause_timer_);
  if (!paused) writer_->Resume();
  std::exchange(pausing_, nullptr)(paused);
}

void LogDesk::Resume() {
  if (writer_ != nullptr) writer_->Resume();
}

std::map<std::string, state::Log> LogDesk::Save() {
  if (writer_ == nullptr) return {};
  return writer_->Save();
}

}  // namespace bulkhead::supervisor
