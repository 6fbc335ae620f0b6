#include "shim/streaming/pump.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace bulkhead::streaming {
namespace {

constexpr size_t kPiece = 32 * 1024;

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

void OutputPump::Start(Keeper keep, std::function<void()> ended) {
  keep_ = std::move(keep);
  on_end_ = std::move(ended);
  Pump();
}

void OutputPump::Resume() {
  if (std::exchange(blocked_, false)) Pump();
}

size_t OutputPump::Available() {
  int bytes = 0;
  return ioctl(from_.native_handle(), FIONREAD, &bytes) == 0 ? static_cast<size_t>(bytes) : 0;
}

void OutputPump::Pump() {
  char piece[kPiece];
  while (!ended_ && !waiting_) {
    const size_t room = std::min(mux_.Room(channel_), sizeof(piece));
    blocked_ = room == 0;
    if (blocked_) return;
    const ssize_t size = read(from_.native_handle(), piece, room);
    if (size > 0) {
      bytes_ += static_cast<size_t>(size);
      mux_.Send(channel_, std::string_view(piece, static_cast<size_t>(size)));
    } else if (size < 0 && WouldBlock(errno)) {
      waiting_ = true;
      from_.async_wait(stream_descriptor::wait_read, [this, keep = keep_()](error_code error) {
        waiting_ = false;
        if (!error) Pump();
      });
    } else {
      Ended();  // EIO is the end of a terminal, ECONNRESET one of a connection.
    }
  }
}

void OutputPump::Stop() {
  ended_ = true;
  on_end_ = nullptr;
}

void OutputPump::Ended() {
  ended_ = true;
  std::exchange(on_end_, nullptr)();
}

void InputPump::Start(Keeper keep, std::function<void(bool)> done) {
  keep_ = std::move(keep);
  on_done_ = std::move(done);
  Flush();  // What came before.
}

void InputPump::Write(std::string_view data) {
  if (done_ || ending_) {
    mux_.Consumed(channel_, data.size());
    return;
  }
  pending_.erase(0, std::exchange(written_, 0));
  pending_.append(data);
  Flush();
}

void InputPump::End() {
  ending_ = true;
  Flush();
}

void InputPump::Flush() {
  if (done_ || waiting_ || on_done_ == nullptr) return;
  while (written_ < pending_.size()) {
    const ssize_t size =
        write(to_.native_handle(), pending_.data() + written_, pending_.size() - written_);
    if (size > 0) {
      written_ += static_cast<size_t>(size);
      mux_.Consumed(channel_, static_cast<size_t>(size));
    } else if (size < 0 && WouldBlock(errno)) {
      waiting_ = true;
      to_.async_wait(stream_descriptor::wait_write, [this, keep = keep_()](error_code error) {
        waiting_ = false;
        if (!error) Flush();
      });
      return;
    } else {
      Done(true);
      return;
    }
  }
  pending_.clear();
  written_ = 0;
  if (ending_) Done(false);
}

void InputPump::Stop() {
  done_ = true;
  on_done_ = nullptr;
  mux_.Consumed(channel_, pending_.size() - std::exchange(written_, 0));
  pending_.clear();
}

void InputPump::Done(bool broken) {
  const std::function<void(bool)> done = std::move(on_done_);
  Stop();
  done(broken);
}

}  // namespace bulkhead::streaming
