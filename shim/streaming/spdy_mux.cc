#include "shim/streaming/spdy_mux.h"

#include <algorithm>
#include <utility>

namespace bulkhead::streaming {
namespace {

constexpr size_t kMostQueued = 64 * 1024;
// Smaller pieces would multiply: each that is sent makes room for another as small.
constexpr size_t kLeastRoom = 4 * 1024;
// How long a client may take to close its side after it took all, or to take more of it.
constexpr std::chrono::seconds kLinger{5};

}  // namespace

SpdyMux::SpdyMux(std::unique_ptr<ByteStream> stream, std::string early,
                 std::chrono::milliseconds idle_timeout, const spdy::SessionLimits& limits)
    : stream_(std::move(stream)),
      session_(spdy::Role::kServer, limits, *this),
      watch_(stream_->executor(), idle_timeout),
      early_(std::move(early)) {}

void SpdyMux::Start(std::weak_ptr<void> owner, MuxEvents& events) {
  owner_ = std::move(owner);
  events_ = &events;
  watch_.Start(
      owner_, [this] { return stream_->ClientLeft(); }, [this] { Gone(); });
  if (const std::string early = std::exchange(early_, {}); !early.empty()) Receive(early);
  Read();
}

size_t SpdyMux::Room(ChannelId channel) const {
  if (closed_ || finishing_) return 0;
  const size_t queued = Queued();
  if (queued + kLeastRoom > kMostQueued) return 0;
  return std::min(kMostQueued - queued, session_.SendWindow(channel));
}

void SpdyMux::Send(ChannelId channel, std::string_view data) {
  session_.Send(channel, data);
  Flush();
}

void SpdyMux::End(ChannelId channel) {
  session_.End(channel);
  Flush();
}

void SpdyMux::Reset(ChannelId channel) {
  session_.Reset(channel, spdy::ResetStatus::kCancel);
  Flush();
  Read();
}

void SpdyMux::Consumed(ChannelId channel, size_t size) {
  session_.Consumed(channel, size);
  Flush();
  Read();
}

void SpdyMux::Finish() {
  if (closed_ || finishing_) return;
  events_ = nullptr;
  session_.GoAway(spdy::GoAwayStatus::kOk);
  finishing_ = true;
  Flush();
  Read();
}

void SpdyMux::Abort() {
  events_ = nullptr;
  Close();
}

void SpdyMux::OnStream(spdy::StreamId stream, const spdy::Headers& headers) {
  if (events_ != nullptr && events_->OnOpen(stream, headers)) {
    session_.Accept(stream);
  } else {
    session_.Refuse(stream);
  }
}

void SpdyMux::OnData(spdy::StreamId stream, std::string_view data) {
  if (events_ != nullptr) {
    events_->OnData(stream, data);
  } else {
    session_.Consumed(stream, data.size());
  }
}

void SpdyMux::OnEnd(spdy::StreamId stream) {
  if (events_ != nullptr) events_->OnEnd(stream);
}

void SpdyMux::OnReset(spdy::StreamId stream) {
  if (events_ != nullptr) events_->OnReset(stream);
}

void SpdyMux::OnWindow() {
  if (events_ != nullptr) events_->OnRoom();
}

void SpdyMux::Read() {
  if (reading_ || closed_ || owner_.expired()) return;
  // While finishing what comes is thrown away, so that the client is not stuck sending.
  const bool paused = !finishing_ && (session_.congested() || Queued() >= 2 * kMostQueued);
  watch_.SetPaused(paused);
  if (paused) return;
  reading_ = true;
  stream_->ReadSome(
      asio::buffer(read_),
      [this, keep = owner_.lock()](error_code error, size_t size) { OnRead(error, size); });
}

void SpdyMux::OnRead(error_code error, size_t size) {
  if (closed_) return;
  if (error) {
    Gone();
    return;
  }
  // A client that is being ended and goes on sending without reading does not put its end off.
  if (!finishing_) {
    watch_.Moved();
    Receive(std::string_view(read_.data(), size));
  }
  reading_ = false;  // Not before: the next read goes into the same buffer.
  Read();
}

void SpdyMux::Receive(std::string_view bytes) {
  if (!session_.Receive(bytes) && !closed_ && !finishing_) {
    // The GOAWAY that says why goes out; nothing else is worth waiting for.
    MuxEvents* const events = std::exchange(events_, nullptr);
    finishing_ = true;
    if (events != nullptr) events->OnGone();
  }
  Flush();
}

void SpdyMux::Flush() {
  if (closed_ || !writing_.empty() || owner_.expired()) return;
  if (session_.output().empty()) {
    if (!finishing_ || std::exchange(ended_sending_, true)) return;
    watch_.EndAfter(kLinger, [this] { return stream_->Unsent(); });
    stream_->EndSending([keep = owner_.lock()] {});
    return;
  }
  writing_.swap(session_.output());
  stream_->WriteAll(asio::buffer(writing_), [this, keep = owner_.lock()](error_code error, size_t) {
    writing_.clear();
    OnWritten(error);
  });
}

void SpdyMux::OnWritten(error_code error) {
  if (closed_) return;
  if (error) {
    Gone();
    return;
  }
  watch_.Moved();
  Flush();
  if (events_ != nullptr) events_->OnRoom();
  Read();
}

void SpdyMux::Close() {
  if (std::exchange(closed_, true)) return;
  watch_.Stop();
  stream_->Close();
}

void SpdyMux::Gone() {
  MuxEvents* const events = std::exchange(events_, nullptr);
  Close();
  if (events != nullptr) events->OnGone();
}

}  // namespace bulkhead::streaming
