#ifndef BULKHEAD_SHIM_STREAMING_SPDY_SESSION_H_
#define BULKHEAD_SHIM_STREAMING_SPDY_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "shim/streaming/spdy/frame.h"
#include "shim/streaming/spdy/header_block.h"

namespace bulkhead::spdy {

enum class Role { kServer, kClient };

struct SessionLimits {
  size_t streams = 256;  // Open at once; more are refused.
  size_t control_payload = 16 * 1024;
  HeaderLimits headers;
  // What the other end may send of a stream before it is consumed. The draft's initial value,
  // because clients of Kubernetes know of no other.
  uint32_t receive_window = 64 * 1024;
};

// What a session's owner is told, from within Receive. It may call the session, but not end it.
class SessionEvents {
 public:
  virtual ~SessionEvents() = default;
  // The other end opened a stream: to be answered by Accept or Refuse.
  virtual void OnStream(StreamId stream, const Headers& headers) = 0;
  virtual void OnReply(StreamId, const Headers&) {}  // To Open.
  // Consumed is to be called when it was passed on.
  virtual void OnData(StreamId stream, std::string_view data) = 0;
  virtual void OnEnd(StreamId stream) = 0;    // No more data will come of it.
  virtual void OnReset(StreamId stream) = 0;  // It is gone, both ways.
  virtual void OnWindow() = 0;                // A window grew: more may be sent.
  virtual void OnGoAway() {}
};

// One end of a SPDY/3.1 session: bytes that came go in, bytes to send pile up in `output`. Knows
// no sockets and no clock.
//
// Windows: the clients of Kubernetes (spdystream) keep no windows: they send as much as the
// connection takes, and never a WINDOW_UPDATE. So a stream's send window counts from the first
// WINDOW_UPDATE or SETTINGS_INITIAL_WINDOW_SIZE of the other end, the session's from its first
// WINDOW_UPDATE of stream 0, with everything sent before taken into account; and more data
// than a window is not an error but makes the session `congested`: the owner then reads no more.
class Session : private FrameSink {
 public:
  Session(Role role, const SessionLimits& limits, SessionEvents& events);

  // False: the other end broke the protocol; what is left to be sent ends with a GOAWAY.
  bool Receive(std::string_view bytes);

  // Opens a stream. Not after a GOAWAY, either way.
  StreamId Open(const Headers& headers);
  void Accept(StreamId stream);
  void Refuse(StreamId stream);
  // How much may be sent now; 0 for a stream that is not open this way.
  size_t SendWindow(StreamId stream) const;
  // At most SendWindow; ignored when the stream is not open this way.
  void Send(StreamId stream, std::string_view data);
  void End(StreamId stream);
  void Reset(StreamId stream, ResetStatus status);
  // The data was passed on: makes room for more.
  void Consumed(StreamId stream, size_t size);
  // Streams go on; new ones are ignored.
  void GoAway(GoAwayStatus status);
  void Ping();

  bool IsOpen(StreamId stream) const { return streams_.contains(stream); }
  size_t open_streams() const { return streams_.size(); }
  // A stream holds more than its window that is not consumed.
  bool congested() const { return congested_streams_ > 0; }
  // To be sent, in this order; the owner takes it away.
  std::string& output() { return output_; }

 private:
  struct Stream {
    bool receives = true;  // The other end has not ended its side.
    bool sends = true;
    int64_t send_window;
    size_t unconsumed = 0;
    size_t to_return = 0;  // Consumed, but no WINDOW_UPDATE was sent for it.
  };
  using Streams = std::map<StreamId, Stream>;

  bool OnControlFrame(FrameType type, uint8_t flags, std::string_view payload) override;
  bool OnDataFrame(StreamId stream, std::string_view piece, bool last, bool fin) override;
  bool OnSynStream(uint8_t flags, std::string_view payload);
  bool OnSynReply(uint8_t flags, std::string_view payload);
  bool OnHeaders(uint8_t flags, std::string_view payload);
  bool OnRstStream(std::string_view payload);
  bool OnSettings(std::string_view payload);
  bool OnPing(std::string_view payload);
  bool OnGoAway(std::string_view payload);
  bool OnWindowUpdate(std::string_view payload);
  bool GrowStreamWindow(StreamId stream, uint32_t delta);
  bool SetInitialWindow(uint32_t size);

  bool IsOurs(StreamId stream) const { return (stream % 2 == 1) == (role_ == Role::kClient); }
  void EndReceiving(StreamId stream);
  void RemoveIfDone(Streams::iterator stream);
  void Remove(Streams::iterator stream);
  void CountUnconsumed(Stream& stream, size_t size);
  void ReturnToSession(size_t size);

  const Role role_;
  const SessionLimits limits_;
  SessionEvents& events_;
  FrameReader frames_;
  HeaderReader header_reader_;
  HeaderWriter header_writer_;
  Streams streams_;
  StreamId next_id_;
  StreamId last_received_ = 0;
  uint32_t next_ping_;
  bool gone_away_ = false;
  bool window_grew_ = false;  // Since OnWindow.
  bool failed_ = false;
  size_t congested_streams_ = 0;
  std::string output_;

  int64_t initial_send_window_ = 64 * 1024;
  bool peer_keeps_windows_ = false;
  int64_t session_send_window_ = 64 * 1024;
  bool peer_keeps_session_window_ = false;
  size_t session_to_return_ = 0;
};

}  // namespace bulkhead::spdy

#endif  // BULKHEAD_SHIM_STREAMING_SPDY_SESSION_H_
