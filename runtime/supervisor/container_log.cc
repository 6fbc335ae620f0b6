#include "runtime/supervisor/container_log.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "runtime/supervisor/clock.h"
#include "runtime/supervisor/saved_fd.h"

namespace bulkhead::supervisor {
namespace {

std::array<char, 30> Timestamp() { return FormatTimestamp(Now()); }

std::string_view View(const std::array<char, 30>& text) { return {text.data(), text.size()}; }

}  // namespace

ContainerLog::ContainerLog(const state::Log& state)
    : streams_{Source{RestoreFd(state.out()), LogFormatter("stdout", state.out_partial())},
               Source{RestoreFd(state.err()), LogFormatter("stderr", state.err_partial())}},
      file_(RestoreFd(state.file())),
      terminal_(state.terminal()),
      torn_(state.torn()),
      loss_{state.lost_lines(), state.lost_bytes(), state.error_number()} {
  for (Source& source : streams_) {
    if (source.fd.valid()) {
      fcntl(source.fd.get(), F_SETFL, fcntl(source.fd.get(), F_GETFL) | O_NONBLOCK);
    }
  }
}

state::Log ContainerLog::Save() const {
  state::Log state;
  state.set_out(SaveFd(streams_[kOut].fd.get()));
  state.set_err(SaveFd(streams_[kErr].fd.get()));
  state.set_file(SaveFd(file_.get()));
  state.set_terminal(terminal_);
  state.set_out_partial(streams_[kOut].formatter.partial());
  state.set_err_partial(streams_[kErr].formatter.partial());
  state.set_torn(torn_);
  state.set_lost_lines(loss_.lines);
  state.set_lost_bytes(loss_.bytes);
  state.set_error_number(loss_.error_number);
  return state;
}

void ContainerLog::Pump(Stream stream, LogScratch& scratch) {
  Source& source = streams_[stream];
  if (!source.fd.valid()) return;
  const ssize_t n = read(source.fd.get(), scratch.chunk(), LogScratch::kChunk);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // EIO: nobody has the terminal open any more.
  if (n <= 0) return End(stream, scratch);
  scratch.Used(n);
  // Before the log's disk is waited for.
  clients_.Write(stream, {scratch.chunk(), static_cast<size_t>(n)});
  Format(source, {scratch.chunk(), static_cast<size_t>(n)}, scratch);
  if (source.due == 0) return;
  source.due -= std::min<size_t>(source.due, n);
  if (source.due == 0) FlushPartial(source, scratch);
}

void ContainerLog::Format(Source& source, std::string_view chunk, LogScratch& scratch) {
  // Nobody reads the output; not even an unfinished line needs to be kept.
  if (!file_.valid()) return;
  // One timestamp for all that was read at once.
  const auto now = Timestamp();
  while (!chunk.empty()) {
    chunk.remove_prefix(source.formatter.Append(chunk, View(now), scratch.out()));
    Write(scratch.out());
  }
}

void ContainerLog::End(Stream stream, LogScratch& scratch) {
  Source& source = streams_[stream];
  source.fd.reset();
  clients_.End(stream);
  source.due = 0;
  FlushPartial(source, scratch);
}

void ContainerLog::FlushPartial(Source& source, LogScratch& scratch) {
  source.formatter.Finish(View(Timestamp()), scratch.out());
  Write(scratch.out());
}

void ContainerLog::Write(LogBuffer& out) {
  std::string_view rest = out.content();
  if (!rest.empty() && file_.valid() && WriteTorn()) {
    const std::string_view all = rest;
    while (!rest.empty()) {
      const ssize_t n = write(file_.get(), rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        loss_.error_number = n < 0 ? errno : ENOSPC;
        break;
      }
      rest.remove_prefix(n);
    }
    const size_t written = all.size() - rest.size();
    // A record that the file took a part of is not lost: its rest goes first next time.
    if (!rest.empty() && written > 0 && all[written - 1] != '\n') {
      const size_t end = rest.find('\n') + 1;
      torn_ = rest.substr(0, end);
      rest.remove_prefix(end);
    }
  }
  CountLost(rest);
  out.Clear();
}

bool ContainerLog::WriteTorn() {
  while (!torn_.empty()) {
    const ssize_t n = write(file_.get(), torn_.data(), torn_.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      loss_.error_number = n < 0 ? errno : ENOSPC;
      return false;
    }
    torn_.erase(0, n);
  }
  return true;
}

void ContainerLog::CountLost(std::string_view records) {
  if (!file_.valid()) return;
  while (!records.empty()) {
    const size_t size = records.find('\n') + 1;
    ++loss_.lines;
    loss_.bytes += size - LogFormatter::kHeaderSize - 1;
    records.remove_prefix(size);
  }
}

void ContainerLog::Attach(UniqueFd out, UniqueFd err) {
  // A stream that has ended has nothing to copy.
  if (!streams_[kOut].fd.valid()) out.reset();
  if (!streams_[kErr].fd.valid()) err.reset();
  clients_.Add(std::move(out), std::move(err));
}

void ContainerLog::Reopen(UniqueFd file) {
  if (!torn_.empty() && !WriteTorn()) {
    // The rest belongs behind its beginning in the old file and nowhere else.
    ++loss_.lines;
    loss_.bytes += torn_.size() - 1;
    torn_.clear();
  }
  file_ = std::move(file);
}

void ContainerLog::Drain(LogScratch& scratch) {
  draining_ = true;
  for (Source& source : streams_) {
    int ready = 0;
    if (!source.fd.valid()) continue;
    if (terminal_) {
      // Its line discipline hands bytes on with a delay; its end is told by EIO.
      source.due = std::numeric_limits<size_t>::max();
    } else if (ioctl(source.fd.get(), FIONREAD, &ready) == 0 && ready > 0) {
      source.due = ready;
    } else {
      FlushPartial(source, scratch);
    }
  }
}

bool ContainerLog::TakeDrained() {
  if (!draining_ || streams_[kOut].due > 0 || streams_[kErr].due > 0) return false;
  draining_ = false;
  return true;
}

}  // namespace bulkhead::supervisor
