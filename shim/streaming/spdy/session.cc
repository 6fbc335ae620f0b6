#include "shim/streaming/spdy/session.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "shim/streaming/spdy/wire.h"

namespace bulkhead::spdy {
namespace {

constexpr int64_t kMaxWindow = 0x7fffffff;
constexpr size_t kMaxDataFrame = 32 * 1024;  // Small enough for streams to take turns.

}  // namespace

Session::Session(Role role, const SessionLimits& limits, SessionEvents& events)
    : role_(role),
      limits_(limits),
      events_(events),
      frames_(limits.control_payload),
      header_reader_(limits.headers),
      next_id_(role == Role::kClient ? 1 : 2),
      next_ping_(next_id_) {}

bool Session::Receive(std::string_view bytes) {
  if (failed_) return false;
  failed_ = !frames_.Read(bytes, *this);
  if (failed_) GoAway(GoAwayStatus::kProtocolError);
  // Once, however many frames said so: the others' bytes wait meanwhile.
  if (std::exchange(window_grew_, false) && !failed_) events_.OnWindow();
  return !failed_;
}

StreamId Session::Open(const Headers& headers) {
  const StreamId id = next_id_;
  next_id_ += 2;
  streams_.emplace(id, Stream{.send_window = initial_send_window_});
  WriteSynStream(id, false, header_writer_.Write(headers), output_);
  return id;
}

void Session::Accept(StreamId stream) {
  if (!IsOpen(stream)) return;
  WriteSynReply(stream, false, header_writer_.Write({}), output_);
}

void Session::Refuse(StreamId stream) { Reset(stream, ResetStatus::kRefusedStream); }

size_t Session::SendWindow(StreamId stream) const {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !found->second.sends) return 0;
  int64_t window = std::numeric_limits<int64_t>::max();
  if (peer_keeps_windows_) window = std::min(window, found->second.send_window);
  if (peer_keeps_session_window_) window = std::min(window, session_send_window_);
  return std::max<int64_t>(window, 0);
}

void Session::Send(StreamId stream, std::string_view data) {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !found->second.sends) return;
  found->second.send_window -= data.size();
  session_send_window_ -= data.size();
  while (!data.empty()) {
    const std::string_view piece = data.substr(0, kMaxDataFrame);
    WriteDataFrame(stream, piece, false, output_);
    data.remove_prefix(piece.size());
  }
}

void Session::End(StreamId stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !found->second.sends) return;
  found->second.sends = false;
  WriteDataFrame(stream, {}, true, output_);
  RemoveIfDone(found);
}

void Session::Reset(StreamId stream, ResetStatus status) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  WriteRstStream(stream, status, output_);
  Remove(found);
}

void Session::Consumed(StreamId stream, size_t size) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;  // Its data was returned when it went.
  Stream& state = found->second;
  size = std::min(size, state.unconsumed);
  const bool was_congested = state.unconsumed > limits_.receive_window;
  state.unconsumed -= size;
  if (was_congested && state.unconsumed <= limits_.receive_window) --congested_streams_;
  ReturnToSession(size);
  state.to_return += size;
  if (!state.receives || state.to_return < limits_.receive_window / 2) return;
  WriteWindowUpdate(stream, state.to_return, output_);
  state.to_return = 0;
}

void Session::GoAway(GoAwayStatus status) {
  if (gone_away_) return;
  gone_away_ = true;
  WriteGoAway(last_received_, status, output_);
}

void Session::Ping() {
  WritePing(next_ping_, output_);
  next_ping_ += 2;
}

bool Session::OnControlFrame(FrameType type, uint8_t flags, std::string_view payload) {
  switch (type) {
    case FrameType::kSynStream:
      return OnSynStream(flags, payload);
    case FrameType::kSynReply:
      return OnSynReply(flags, payload);
    case FrameType::kRstStream:
      return OnRstStream(payload);
    case FrameType::kSettings:
      return OnSettings(payload);
    case FrameType::kPing:
      return OnPing(payload);
    case FrameType::kGoAway:
      return OnGoAway(payload);
    case FrameType::kHeaders:
      return OnHeaders(flags, payload);
    case FrameType::kWindowUpdate:
      return OnWindowUpdate(payload);
  }
  return true;  // Types of later versions are to be ignored.
}

bool Session::OnDataFrame(StreamId stream, std::string_view piece, bool last, bool fin) {
  if (stream == 0) return false;
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !found->second.receives) {
    ReturnToSession(piece.size());
    // A stream that has just ended may have data under way; one that never was is a mistake.
    const bool never_was = IsOurs(stream) ? stream >= next_id_ : stream > last_received_;
    if (never_was && last) WriteRstStream(stream, ResetStatus::kInvalidStream, output_);
    return true;
  }
  if (!piece.empty()) {
    CountUnconsumed(found->second, piece.size());
    events_.OnData(stream, piece);
  }
  if (last && fin) EndReceiving(stream);
  return true;
}

bool Session::OnSynStream(uint8_t flags, std::string_view payload) {
  constexpr size_t kFixed = 10;  // Two ids, priority, slot.
  if (payload.size() < kFixed) return false;
  const StreamId id = Get32(payload, 0) & kIdMask;
  // Read even when it is not wanted, because the blocks are one zlib stream.
  const std::optional<Headers> headers = header_reader_.Read(payload.substr(kFixed));
  if (!headers || id == 0 || IsOurs(id)) return false;
  if (gone_away_) return true;
  if (id <= last_received_) {  // Older clients open streams from several threads out of order.
    WriteRstStream(id, ResetStatus::kProtocolError, output_);
    if (const auto open = streams_.find(id); open != streams_.end()) {
      Remove(open);
      events_.OnReset(id);
    }
    return true;
  }
  last_received_ = id;
  // One that takes no answer would be gone from the count with its end, while its user still holds
  // what belongs to it. Clients of Kubernetes open none.
  if (streams_.size() >= limits_.streams || (flags & kFlagUnidirectional) != 0) {
    WriteRstStream(id, ResetStatus::kRefusedStream, output_);
    return true;
  }
  streams_.emplace(id, Stream{.send_window = initial_send_window_});
  events_.OnStream(id, *headers);
  if ((flags & kFlagFin) != 0) EndReceiving(id);
  return true;
}

bool Session::OnSynReply(uint8_t flags, std::string_view payload) {
  if (payload.size() < 4) return false;
  const StreamId id = Get32(payload, 0) & kIdMask;
  const std::optional<Headers> headers = header_reader_.Read(payload.substr(4));
  if (!headers || !IsOurs(id)) return false;
  if (!IsOpen(id)) return true;
  events_.OnReply(id, *headers);
  if ((flags & kFlagFin) != 0) EndReceiving(id);
  return true;
}

bool Session::OnHeaders(uint8_t flags, std::string_view payload) {
  if (payload.size() < 4) return false;
  if (!header_reader_.Read(payload.substr(4))) return false;
  if ((flags & kFlagFin) != 0) EndReceiving(Get32(payload, 0) & kIdMask);
  return true;
}

bool Session::OnRstStream(std::string_view payload) {
  if (payload.size() != 8) return false;
  const StreamId id = Get32(payload, 0) & kIdMask;
  const auto found = streams_.find(id);
  if (found == streams_.end()) return true;
  Remove(found);
  events_.OnReset(id);
  return true;
}

bool Session::OnSettings(std::string_view payload) {
  constexpr size_t kEntry = 8;
  if (payload.size() < 4 || (payload.size() - 4) % kEntry != 0) return false;
  if (Get32(payload, 0) != (payload.size() - 4) / kEntry) return false;
  std::optional<uint32_t> window;  // The last one holds.
  for (size_t at = 4; at < payload.size(); at += kEntry) {
    const uint32_t id = Get32(payload, at) & 0x00ffffff;  // Above it are flags.
    if (id == kSettingsInitialWindowSize) window = Get32(payload, at + 4);
  }
  return !window || SetInitialWindow(*window);
}

bool Session::OnPing(std::string_view payload) {
  if (payload.size() != 4) return false;
  const uint32_t id = Get32(payload, 0);
  if (!IsOurs(id)) WritePing(id, output_);
  return true;
}

bool Session::OnGoAway(std::string_view payload) {
  if (payload.size() != 8) return false;
  gone_away_ = true;
  events_.OnGoAway();
  return true;
}

bool Session::OnWindowUpdate(std::string_view payload) {
  if (payload.size() != 8) return false;
  const StreamId id = Get32(payload, 0) & kIdMask;
  const uint32_t delta = Get32(payload, 4) & kIdMask;
  if (delta == 0) return false;
  if (id != 0) return GrowStreamWindow(id, delta);
  peer_keeps_session_window_ = true;
  session_send_window_ += delta;
  if (session_send_window_ > kMaxWindow) return false;
  window_grew_ = true;
  return true;
}

bool Session::GrowStreamWindow(StreamId stream, uint32_t delta) {
  peer_keeps_windows_ = true;
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return true;
  found->second.send_window += delta;
  if (found->second.send_window > kMaxWindow) {
    Reset(stream, ResetStatus::kFlowControlError);
    events_.OnReset(stream);
  } else {
    window_grew_ = true;
  }
  return true;
}

bool Session::SetInitialWindow(uint32_t size) {
  if (size > kMaxWindow) return false;
  peer_keeps_windows_ = true;
  const int64_t growth = size - initial_send_window_;
  initial_send_window_ = size;
  for (auto& [id, stream] : streams_) {
    stream.send_window += growth;
    if (stream.send_window > kMaxWindow) return false;
  }
  window_grew_ = true;
  return true;
}

void Session::EndReceiving(StreamId stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !found->second.receives) return;
  found->second.receives = false;
  events_.OnEnd(stream);
  if (const auto still = streams_.find(stream); still != streams_.end()) RemoveIfDone(still);
}

void Session::RemoveIfDone(Streams::iterator stream) {
  if (!stream->second.receives && !stream->second.sends) Remove(stream);
}

void Session::Remove(Streams::iterator stream) {
  ReturnToSession(stream->second.unconsumed);
  if (stream->second.unconsumed > limits_.receive_window) --congested_streams_;
  streams_.erase(stream);
}

void Session::CountUnconsumed(Stream& stream, size_t size) {
  const bool was_congested = stream.unconsumed > limits_.receive_window;
  stream.unconsumed += size;
  if (!was_congested && stream.unconsumed > limits_.receive_window) ++congested_streams_;
}

void Session::ReturnToSession(size_t size) {
  session_to_return_ += size;
  if (session_to_return_ < limits_.receive_window / 2) return;
  WriteWindowUpdate(0, session_to_return_, output_);
  session_to_return_ = 0;
}

}  // namespace bulkhead::spdy
