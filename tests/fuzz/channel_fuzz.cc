// Messages of a WebSocket's channels, and the sizes of a terminal that one of them carries: what
// comes in pieces has to be read as if it came as a whole.
#include <string>

#include "shim/streaming/channel_codec.h"
#include "shim/streaming/resize.h"
#include "tests/fuzz/input.h"

namespace {

using bulkhead::fuzz::Input;
using bulkhead::fuzz::Require;
using namespace bulkhead::streaming;  // NOLINT: one file, one name space.

class Transcript final : public ChannelSink {
 public:
  void OnChannelData(uint8_t channel, std::string_view data) override {
    if (channel != channel_) text += "\n" + std::to_string(channel) + ":";
    channel_ = channel;
    text += data;
    if (channel == 4) resize_.Read(data);
  }
  void OnChannelClose(uint8_t channel) override {
    text += "\nend of " + std::to_string(channel);
    channel_ = -1;
  }

  std::string text;

 private:
  int channel_ = -1;
  ResizeReader resize_;
};

std::string Read(Input input, bool base64, bool has_close, size_t piece) {
  ChannelReader reader(base64, has_close);
  Transcript transcript;
  while (!input.empty()) {
    const std::string_view message = input.Take(input.Byte());
    bool good = true;
    for (size_t at = 0; good && at <= message.size(); at += piece) {
      good = reader.Read(message.substr(at, piece), at + piece > message.size(), transcript);
    }
    if (!good) {
      // How much of a bad message came through before it was seen to be bad, may differ.
      Require(!reader.Read("", true, transcript));
      return "malformed";
    }
  }
  return transcript.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const size_t piece = 1 + input.Byte() % 64;
  for (const bool base64 : {false, true}) {
    for (const bool has_close : {false, true}) {
      Require(Read(input, base64, has_close, piece) == Read(input, base64, has_close, 1000));
    }
  }
  bulkhead::streaming::ResizeReader().Read(input.rest());
  return 0;
}
