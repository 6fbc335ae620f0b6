#ifndef BULKHEAD_SHIM_STREAMING_MUX_H_
#define BULKHEAD_SHIM_STREAMING_MUX_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "shim/streaming/spdy/header_block.h"

namespace bulkhead::streaming {

// A stream of SPDY or a channel of a WebSocket.
using ChannelId = uint32_t;

// What the user of a multiplexed connection is told; nothing more after OnGone, Finish or Abort.
class MuxEvents {
 public:
  virtual ~MuxEvents() = default;
  // SPDY: the client opened a stream. Whether it is taken.
  virtual bool OnOpen(ChannelId, const spdy::Headers&) { return false; }
  // Consumed is to be called when it was passed on.
  virtual void OnData(ChannelId channel, std::string_view data) = 0;
  virtual void OnEnd(ChannelId channel) = 0;    // The client sends no more of it.
  virtual void OnReset(ChannelId channel) = 0;  // The client has given it up, both ways.
  virtual void OnRoom() = 0;                    // There may be room again to send.
  // The client left, broke the protocol, or nothing moved for too long.
  virtual void OnGone() = 0;
};

// A connection that carries several channels. For the io thread alone.
//
// The parts of a session keep no pointers to each other that own: each handler that Asio holds
// keeps the session as a whole (`owner`), so that it goes with its last handler.
class Mux {
 public:
  virtual ~Mux() = default;
  virtual void Start(std::weak_ptr<void> owner, MuxEvents& events) = 0;
  // How much Send takes now.
  virtual size_t Room(ChannelId channel) const = 0;
  // At most Room; of an empty message as much as nothing.
  virtual void Send(ChannelId channel, std::string_view data) = 0;
  // No more will be sent of it.
  virtual void End(ChannelId channel) = 0;
  virtual void Reset(ChannelId channel) = 0;
  virtual void Consumed(ChannelId channel, size_t size) = 0;
  // Closes when all that was sent is with the client, or it does not take it.
  virtual void Finish() = 0;
  virtual void Abort() = 0;
};

// Sends what there is room for and takes it off `text`. False: the rest waits for OnRoom.
inline bool SendOff(Mux& mux, ChannelId channel, std::string& text) {
  while (!text.empty()) {
    const size_t size = std::min(mux.Room(channel), text.size());
    if (size == 0) return false;
    const std::string piece = text.substr(0, size);
    text.erase(0, size);
    mux.Send(channel, piece);
  }
  return true;
}

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_MUX_H_
