#ifndef BULKHEAD_SHIM_STREAMING_PUMP_H_
#define BULKHEAD_SHIM_STREAMING_PUMP_H_

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "shim/streaming/mux.h"
#include "shim/streaming/socket.h"

namespace bulkhead::streaming {

using asio::posix::stream_descriptor;

// What a handler that Asio holds has to keep alive.
using Keeper = std::function<std::shared_ptr<void>()>;

// Carries what can be read of a descriptor to a channel, as fast as the client takes it. For the io
// thread alone; the descriptor is borrowed, and non-blocking.
class OutputPump {
 public:
  OutputPump(Mux& mux, ChannelId channel, stream_descriptor& from)
      : mux_(mux), channel_(channel), from_(from) {}

  // `ended`: there is no more to read.
  void Start(Keeper keep, std::function<void()> ended);
  // To be called when the client may take more.
  void Resume();
  // The client wants no more; `ended` is not called.
  void Stop();

  bool ended() const { return ended_; }
  bool blocked() const { return blocked_; }  // By the client.
  size_t bytes() const { return bytes_; }
  // What is in the pipe or terminal now.
  size_t Available();

 private:
  void Pump();
  void Ended();

  Mux& mux_;
  const ChannelId channel_;
  stream_descriptor& from_;
  Keeper keep_;
  std::function<void()> on_end_;
  size_t bytes_ = 0;
  bool waiting_ = false;
  bool blocked_ = false;
  bool ended_ = false;
};

// Carries what comes of a channel to a descriptor. It holds no more than the mux lets through
// before it is consumed.
class InputPump {
 public:
  InputPump(Mux& mux, ChannelId channel, stream_descriptor& to)
      : mux_(mux), channel_(channel), to_(to) {}

  // `done`: all was written after End, or the other end does not read any more (`broken`).
  void Start(Keeper keep, std::function<void(bool broken)> done);
  void Write(std::string_view data);
  void End();
  // Nobody reads any more: what is there and what comes is thrown away. `done` is not called.
  void Stop();

 private:
  void Flush();
  void Done(bool broken);

  Mux& mux_;
  const ChannelId channel_;
  stream_descriptor& to_;
  Keeper keep_;
  std::function<void(bool)> on_done_;
  std::string pending_;
  size_t written_ = 0;  // Of pending_.
  bool waiting_ = false;
  bool ending_ = false;
  bool done_ = false;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_PUMP_H_
