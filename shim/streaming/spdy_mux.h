#ifndef BULKHEAD_SHIM_STREAMING_SPDY_MUX_H_
#define BULKHEAD_SHIM_STREAMING_SPDY_MUX_H_

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "shim/streaming/byte_stream.h"
#include "shim/streaming/mux.h"
#include "shim/streaming/spdy/session.h"
#include "shim/streaming/watch.h"

namespace bulkhead::streaming {

// A SPDY session over a socket or a WebSocket. What waits to be sent is bounded, and nothing is
// read while it is full, so that a client cannot make it grow by asking without reading.
class SpdyMux final : public Mux, private spdy::SessionEvents {
 public:
  // `early`: what was read behind the upgrade request.
  SpdyMux(std::unique_ptr<ByteStream> stream, std::string early,
          std::chrono::milliseconds idle_timeout, const spdy::SessionLimits& limits = {});

  void Start(std::weak_ptr<void> owner, MuxEvents& events) override;
  size_t Room(ChannelId channel) const override;
  void Send(ChannelId channel, std::string_view data) override;
  void End(ChannelId channel) override;
  void Reset(ChannelId channel) override;
  void Consumed(ChannelId channel, size_t size) override;
  void Finish() override;
  void Abort() override;

 private:
  void OnStream(spdy::StreamId stream, const spdy::Headers& headers) override;
  void OnData(spdy::StreamId stream, std::string_view data) override;
  void OnEnd(spdy::StreamId stream) override;
  void OnReset(spdy::StreamId stream) override;
  void OnWindow() override;

  void Read();
  void OnRead(error_code error, size_t size);
  void Receive(std::string_view bytes);
  void Flush();
  void OnWritten(error_code error);
  size_t Queued() const { return session_.output().size() + writing_.size(); }
  void Close();
  void Gone();

  std::unique_ptr<ByteStream> stream_;
  mutable spdy::Session session_;
  Watch watch_;
  std::weak_ptr<void> owner_;
  MuxEvents* events_ = nullptr;  // Null once the user is not told any more.
  std::string early_;
  std::array<char, 32 * 1024> read_;
  bool reading_ = false;
  std::string writing_;  // Not empty while a write is under way.
  bool finishing_ = false;
  bool ended_sending_ = false;
  bool closed_ = false;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_SPDY_MUX_H_
