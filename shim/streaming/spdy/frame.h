#ifndef BULKHEAD_SHIM_STREAMING_SPDY_FRAME_H_
#define BULKHEAD_SHIM_STREAMING_SPDY_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// The frames of SPDY/3.1 (draft 3.1, section 2.2 and 2.6).
namespace bulkhead::spdy {

using StreamId = uint32_t;

inline constexpr uint32_t kVersion = 3;
inline constexpr size_t kFrameHeaderSize = 8;
inline constexpr uint32_t kIdMask = 0x7fffffff;

enum class FrameType : uint16_t {
  kSynStream = 1,
  kSynReply = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kHeaders = 8,
  kWindowUpdate = 9,
};

inline constexpr uint8_t kFlagFin = 1;
inline constexpr uint8_t kFlagUnidirectional = 2;  // Of SYN_STREAM.

enum class ResetStatus : uint32_t {
  kProtocolError = 1,
  kInvalidStream = 2,
  kRefusedStream = 3,
  kCancel = 5,
  kInternalError = 6,
  kFlowControlError = 7,
};

enum class GoAwayStatus : uint32_t { kOk = 0, kProtocolError = 1, kInternalError = 2 };

inline constexpr uint32_t kSettingsInitialWindowSize = 7;

// Who is told of what was read; returns whether reading goes on.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual bool OnControlFrame(FrameType type, uint8_t flags, std::string_view payload) = 0;
  // A piece of a DATA frame, perhaps empty; `last` with the frame's end, when `fin` is its flag.
  virtual bool OnDataFrame(StreamId stream, std::string_view piece, bool last, bool fin) = 0;
};

// Splits bytes, however they come, into frames. A DATA frame goes on in the pieces in which it
// comes, so that its length (up to 16 MiB) costs nothing; a control frame is kept until it is
// whole.
class FrameReader {
 public:
  explicit FrameReader(size_t max_control_payload = 16 * 1024)
      : max_control_payload_(max_control_payload) {}

  // False once the bytes are no frames of SPDY/3, a control frame is too long, or the sink said so;
  // later calls are false too.
  bool Read(std::string_view bytes, FrameSink& sink);

 private:
  bool Step(std::string_view& bytes, FrameSink& sink);
  bool ReadData(std::string_view& bytes, FrameSink& sink);
  bool ReadControl(std::string_view& bytes, FrameSink& sink);
  bool BeginFrame();

  const size_t max_control_payload_;
  std::string buffer_;     // The header, then a control frame's payload.
  bool in_frame_ = false;  // The header has been read.
  bool control_ = false;
  uint32_t head_ = 0;  // The header's first word.
  uint8_t flags_ = 0;
  size_t left_ = 0;  // Of the payload.
  bool failed_ = false;
};

// Each appends one frame.
void WriteControlFrame(FrameType type, uint8_t flags, std::string_view payload, std::string& out);
void WriteDataFrame(StreamId stream, std::string_view data, bool fin, std::string& out);
void WriteRstStream(StreamId stream, ResetStatus status, std::string& out);
void WritePing(uint32_t id, std::string& out);
void WriteGoAway(StreamId last_good, GoAwayStatus status, std::string& out);
// Stream 0 is the session.
void WriteWindowUpdate(StreamId stream, uint32_t delta, std::string& out);
void WriteSynStream(StreamId stream, bool fin, std::string_view header_block, std::string& out);
void WriteSynReply(StreamId stream, bool fin, std::string_view header_block, std::string& out);

}  // namespace bulkhead::spdy

#endif  // BULKHEAD_SHIM_STREAMING_SPDY_FRAME_H_
