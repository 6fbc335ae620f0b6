#ifndef BULKHEAD_SHIM_STREAMING_CHANNEL_CODEC_H_
#define BULKHEAD_SHIM_STREAMING_CHANNEL_CODEC_H_

#include <cstdint>
#include <string>
#include <string_view>

// The channels of a WebSocket: each message begins with the number of its channel, a byte, or a
// digit when messages are text; the rest is data, in base64 when they are text.
namespace bulkhead::streaming {

class ChannelSink {
 public:
  virtual ~ChannelSink() = default;
  virtual void OnChannelData(uint8_t channel, std::string_view data) = 0;
  virtual void OnChannelClose(uint8_t channel) = 0;
};

// Reads messages in the pieces in which they come, so that their length costs nothing.
class ChannelReader {
 public:
  // `has_close`: a message to channel 255 names a channel whose data ends (version 5).
  ChannelReader(bool base64, bool has_close) : base64_(base64), has_close_(has_close) {}

  // `last`: with this piece the message ends. False once a message is malformed.
  bool Read(std::string_view piece, bool last, ChannelSink& sink);

 private:
  bool ReadData(std::string_view data, bool last, ChannelSink& sink);
  bool ReadBase64(std::string_view text, bool last, ChannelSink& sink);

  const bool base64_;
  const bool has_close_;
  bool in_message_ = false;
  uint8_t channel_ = 0;
  std::string kept_;     // Less than four letters of base64, or what is to be closed.
  bool padded_ = false;  // The base64 of this message has ended.
  bool failed_ = false;
};

std::string EncodeChannelMessage(uint8_t channel, std::string_view data, bool base64);

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_CHANNEL_CODEC_H_
