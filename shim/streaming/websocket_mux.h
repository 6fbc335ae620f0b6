#ifndef BULKHEAD_SHIM_STREAMING_WEBSOCKET_MUX_H_
#define BULKHEAD_SHIM_STREAMING_WEBSOCKET_MUX_H_

#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <string>

#include "shim/streaming/channel_codec.h"
#include "shim/streaming/mux.h"
#include "shim/streaming/watch.h"
#include "shim/streaming/web_socket.h"

namespace bulkhead::streaming {

struct ChannelProtocol {
  bool base64 = false;
  bool has_close = false;
};

// Channels in the messages of a WebSocket. They have no windows: while one holds too much that is
// not consumed, nothing is read at all.
class WebSocketMux final : public Mux, private ChannelSink {
 public:
  WebSocketMux(std::unique_ptr<WebSocket> socket, const ChannelProtocol& protocol,
               std::chrono::milliseconds idle_timeout);

  void Start(std::weak_ptr<void> owner, MuxEvents& events) override;
  size_t Room(ChannelId channel) const override;
  void Send(ChannelId channel, std::string_view data) override;
  void End(ChannelId channel) override;  // There is no message for it.
  void Reset(ChannelId channel) override;
  void Consumed(ChannelId channel, size_t size) override;
  void Finish() override;
  void Abort() override;

 private:
  void OnChannelData(uint8_t channel, std::string_view data) override;
  void OnChannelClose(uint8_t channel) override;

  void Read();
  void OnRead(error_code error, size_t size, bool last);
  void Write();
  void OnWritten(error_code error);
  void Close();
  void Gone();

  std::unique_ptr<WebSocket> socket_;
  const ChannelProtocol protocol_;
  ChannelReader reader_;
  Watch watch_;
  std::weak_ptr<void> owner_;
  MuxEvents* events_ = nullptr;  // Null once the user is not told any more.
  std::array<char, 32 * 1024> read_;
  bool reading_ = false;
  size_t unconsumed_ = 0;
  std::deque<std::string> messages_;  // The first is being written while writing_.
  size_t queued_ = 0;                 // Their bytes.
  bool writing_ = false;
  bool finishing_ = false;
  bool sent_close_ = false;
  bool closed_ = false;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_WEBSOCKET_MUX_H_
