#include "shim/streaming/spdy/frame.h"

#include <algorithm>

#include "shim/streaming/spdy/wire.h"

namespace bulkhead::spdy {
namespace {

constexpr uint32_t kControlBit = 0x80000000;
constexpr uint32_t kLengthMask = 0x00ffffff;

void WriteFlagsAndLength(uint8_t flags, size_t length, std::string& out) {
  Put32(static_cast<uint32_t>(flags) << 24 | static_cast<uint32_t>(length & kLengthMask), out);
}

}  // namespace

bool FrameReader::Read(std::string_view bytes, FrameSink& sink) {
  while (!failed_ && !bytes.empty()) failed_ = !Step(bytes, sink);
  return !failed_;
}

bool FrameReader::Step(std::string_view& bytes, FrameSink& sink) {
  if (in_frame_) return control_ ? ReadControl(bytes, sink) : ReadData(bytes, sink);
  const size_t taken = std::min(kFrameHeaderSize - buffer_.size(), bytes.size());
  buffer_.append(bytes.substr(0, taken));
  bytes.remove_prefix(taken);
  if (buffer_.size() < kFrameHeaderSize) return true;
  if (!BeginFrame()) return false;
  if (left_ > 0) return true;
  return control_ ? ReadControl(bytes, sink) : ReadData(bytes, sink);  // It is whole already.
}

bool FrameReader::BeginFrame() {
  head_ = Get32(buffer_, 0);
  const uint32_t rest = Get32(buffer_, 4);
  buffer_.clear();
  control_ = (head_ & kControlBit) != 0;
  flags_ = static_cast<uint8_t>(rest >> 24);
  left_ = rest & kLengthMask;
  in_frame_ = true;
  if (!control_) return true;
  return (head_ >> 16 & 0x7fff) == kVersion && left_ <= max_control_payload_;
}

bool FrameReader::ReadData(std::string_view& bytes, FrameSink& sink) {
  const std::string_view piece = bytes.substr(0, std::min(left_, bytes.size()));
  bytes.remove_prefix(piece.size());
  left_ -= piece.size();
  in_frame_ = left_ > 0;
  return sink.OnDataFrame(head_ & kIdMask, piece, !in_frame_, (flags_ & kFlagFin) != 0);
}

bool FrameReader::ReadControl(std::string_view& bytes, FrameSink& sink) {
  const size_t taken = std::min(left_, bytes.size());
  buffer_.append(bytes.substr(0, taken));
  bytes.remove_prefix(taken);
  left_ -= taken;
  if (left_ > 0) return true;
  in_frame_ = false;
  const std::string payload = std::move(buffer_);
  buffer_.clear();
  return sink.OnControlFrame(static_cast<FrameType>(head_ & 0xffff), flags_, payload);
}

void WriteControlFrame(FrameType type, uint8_t flags, std::string_view payload, std::string& out) {
  Put32(kControlBit | kVersion << 16 | static_cast<uint32_t>(type), out);
  WriteFlagsAndLength(flags, payload.size(), out);
  out.append(payload);
}

void WriteDataFrame(StreamId stream, std::string_view data, bool fin, std::string& out) {
  Put32(stream & kIdMask, out);
  WriteFlagsAndLength(fin ? kFlagFin : 0, data.size(), out);
  out.append(data);
}

void WriteRstStream(StreamId stream, ResetStatus status, std::string& out) {
  std::string payload;
  Put32(stream & kIdMask, payload);
  Put32(static_cast<uint32_t>(status), payload);
  WriteControlFrame(FrameType::kRstStream, 0, payload, out);
}

void WritePing(uint32_t id, std::string& out) {
  std::string payload;
  Put32(id, payload);
  WriteControlFrame(FrameType::kPing, 0, payload, out);
}

void WriteGoAway(StreamId last_good, GoAwayStatus status, std::string& out) {
  std::string payload;
  Put32(last_good & kIdMask, payload);
  Put32(static_cast<uint32_t>(status), payload);
  WriteControlFrame(FrameType::kGoAway, 0, payload, out);
}

void WriteWindowUpdate(StreamId stream, uint32_t delta, std::string& out) {
  std::string payload;
  Put32(stream & kIdMask, payload);
  Put32(delta & kIdMask, payload);
  WriteControlFrame(FrameType::kWindowUpdate, 0, payload, out);
}

void WriteSynStream(StreamId stream, bool fin, std::string_view header_block, std::string& out) {
  std::string payload;
  Put32(stream & kIdMask, payload);
  Put32(0, payload);  // Associated to no other stream.
  Put16(0, payload);  // Highest priority, no credential slot.
  payload.append(header_block);
  WriteControlFrame(FrameType::kSynStream, fin ? kFlagFin : 0, payload, out);
}

void WriteSynReply(StreamId stream, bool fin, std::string_view header_block, std::string& out) {
  std::string payload;
  Put32(stream & kIdMask, payload);
  payload.append(header_block);
  WriteControlFrame(FrameType::kSynReply, fin ? kFlagFin : 0, payload, out);
}

}  // namespace bulkhead::spdy
