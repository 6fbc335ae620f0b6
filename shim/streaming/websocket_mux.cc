#include "shim/streaming/websocket_mux.h"

#include <utility>

namespace bulkhead::streaming {
namespace {

constexpr size_t kMostQueued = 64 * 1024;
// Smaller messages would multiply: each that is sent makes room for another as small.
constexpr size_t kLeastRoom = 4 * 1024;
constexpr size_t kMostUnconsumed = 64 * 1024;
// How long a client may take to answer the closing handshake.
constexpr std::chrono::seconds kLinger{5};

}  // namespace

WebSocketMux::WebSocketMux(std::unique_ptr<WebSocket> socket, const ChannelProtocol& protocol,
                           std::chrono::milliseconds idle_timeout)
    : socket_(std::move(socket)),
      protocol_(protocol),
      reader_(protocol.base64, protocol.has_close),
      watch_(socket_->executor(), idle_timeout) {}

void WebSocketMux::Start(std::weak_ptr<void> owner, MuxEvents& events) {
  owner_ = std::move(owner);
  events_ = &events;
  watch_.Start(
      owner_, [this] { return socket_->ClientLeft(); }, [this] { Gone(); });
  Read();
}

size_t WebSocketMux::Room(ChannelId) const {
  if (closed_ || finishing_ || queued_ + kLeastRoom > kMostQueued) return 0;
  const size_t room = kMostQueued - queued_;
  return protocol_.base64 ? room / 2 : room;  // A third more, and the digit.
}

void WebSocketMux::Send(ChannelId channel, std::string_view data) {
  if (closed_ || finishing_) return;
  messages_.push_back(EncodeChannelMessage(static_cast<uint8_t>(channel), data, protocol_.base64));
  queued_ += messages_.back().size();
  Write();
}

void WebSocketMux::End(ChannelId) {}
void WebSocketMux::Reset(ChannelId) {}

void WebSocketMux::Consumed(ChannelId, size_t size) {
  unconsumed_ -= size;
  Read();
}

void WebSocketMux::Finish() {
  if (closed_ || finishing_) return;
  events_ = nullptr;
  finishing_ = true;
  Write();
  Read();
}

void WebSocketMux::Abort() {
  events_ = nullptr;
  Close();
}

void WebSocketMux::OnChannelData(uint8_t channel, std::string_view data) {
  if (events_ == nullptr) return;
  unconsumed_ += data.size();
  events_->OnData(channel, data);
}

void WebSocketMux::OnChannelClose(uint8_t channel) {
  if (events_ != nullptr) events_->OnEnd(channel);
}

void WebSocketMux::Read() {
  if (reading_ || closed_ || owner_.expired()) return;
  // While finishing what comes is thrown away, so that the client's answer is found behind it.
  const bool paused = !finishing_ && unconsumed_ > kMostUnconsumed;
  watch_.SetPaused(paused);
  if (paused) return;
  reading_ = true;
  socket_->ReadSome(asio::buffer(read_),
                    [this, keep = owner_.lock()](error_code error, size_t size, bool last) {
                      OnRead(error, size, last);
                    });
}

void WebSocketMux::OnRead(error_code error, size_t size, bool last) {
  if (closed_) return;
  if (error) {
    Gone();
    return;
  }
  // A client that is being ended and goes on sending without reading does not put its end off.
  if (!finishing_) watch_.Moved();
  if (!finishing_ && !reader_.Read(std::string_view(read_.data(), size), last, *this)) {
    Gone();
    return;
  }
  reading_ = false;  // Not before: the next read goes into the same buffer.
  Read();
}

void WebSocketMux::Write() {
  if (closed_ || writing_ || owner_.expired()) return;
  if (messages_.empty()) {
    if (!finishing_ || std::exchange(sent_close_, true)) return;
    watch_.EndAfter(kLinger, [this] { return socket_->Unsent(); });
    socket_->SendClose([this, keep = owner_.lock()](error_code) { Close(); });
    return;
  }
  writing_ = true;
  socket_->Write(asio::buffer(messages_.front()), protocol_.base64,
                 [this, keep = owner_.lock()](error_code error) {
                   writing_ = false;
                   queued_ -= messages_.front().size();
                   messages_.pop_front();
                   OnWritten(error);
                 });
}

void WebSocketMux::OnWritten(error_code error) {
  if (closed_) return;
  if (error) {
    Gone();
    return;
  }
  watch_.Moved();
  Write();
  if (events_ != nullptr) events_->OnRoom();
}

void WebSocketMux::Close() {
  if (std::exchange(closed_, true)) return;
  watch_.Stop();
  socket_->Close();
}

void WebSocketMux::Gone() {
  MuxEvents* const events = std::exchange(events_, nullptr);
  Close();
  if (events != nullptr) events->OnGone();
}

}  // namespace bulkhead::streaming
