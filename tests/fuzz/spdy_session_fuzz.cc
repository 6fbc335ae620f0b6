// A server's session, to which a client sends frames that are good, bad and in any pieces. Header
// blocks are compressed here: no fuzzer would find many that are whole.
#include <string>

#include "shim/streaming/spdy/session.h"
#include "tests/fuzz/input.h"

namespace {

using namespace bulkhead::spdy;  // NOLINT: one file, one name space.
using bulkhead::fuzz::Input;
using bulkhead::fuzz::Require;

constexpr size_t kStreams = 8;

class Owner final : public SessionEvents {
 public:
  Owner() : session_(Role::kServer, Limits(), *this) {}

  Session& session() { return session_; }

  void OnStream(StreamId stream, const Headers& headers) override {
    last_ = stream;
    if (headers.size() % 2 == 0) {
      session_.Accept(stream);
    } else {
      session_.Refuse(stream);
    }
  }
  void OnData(StreamId stream, std::string_view data) override {
    Require(session_.IsOpen(stream));
    last_ = stream;
    if (data.size() % 3 != 0) session_.Consumed(stream, data.size());
    Send(stream, data.substr(0, 100));
  }
  void OnEnd(StreamId stream) override { session_.End(stream); }
  void OnReset(StreamId stream) override { Require(!session_.IsOpen(stream)); }
  void OnWindow() override { Send(last_, "more"); }

 private:
  static SessionLimits Limits() {
    SessionLimits limits;
    limits.streams = kStreams;
    limits.control_payload = 1024;
    limits.headers = {.inflated_bytes = 1024, .pairs = 8};
    limits.receive_window = 1024;
    return limits;
  }

  void Send(StreamId stream, std::string_view data) {
    session_.Send(stream, data.substr(0, session_.SendWindow(stream)));
  }

  Session session_;
  StreamId last_ = 0;
};

Headers TakeHeaders(Input& input) {
  Headers headers;
  for (int i = input.Byte() % 4; i > 0; --i) {
    headers.emplace_back(input.Take(input.Byte() % 16), input.Take(input.Byte() % 64));
  }
  return headers;
}

void TakeFrame(Input& input, HeaderWriter& headers, std::string& out) {
  const uint8_t what = input.Byte();
  const StreamId id = input.Byte() % 32;
  const bool fin = (what & 0x80) != 0;
  switch (what % 8) {
    case 0:
      return WriteSynStream(id, fin, headers.Write(TakeHeaders(input)), out);
    case 1:
      return WriteSynReply(id, fin, headers.Write(TakeHeaders(input)), out);
    case 2:
      return WriteDataFrame(id, input.Take(input.Byte() * 8), fin, out);
    case 3:
      return WriteRstStream(id, ResetStatus::kCancel, out);
    case 4:
      return WriteWindowUpdate(id, static_cast<uint32_t>(input.Byte()) << input.Byte() % 25, out);
    case 5:
      return WriteControlFrame(static_cast<FrameType>(input.Byte() % 12), input.Byte(),
                               input.Take(input.Byte()), out);
    case 6:
      return WritePing(id, out);
    default:
      out.append(input.Take(input.Byte()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const size_t piece = 1 + input.Byte();
  Owner owner;
  HeaderWriter headers;
  bool good = true;
  while (good && !input.empty()) {
    std::string bytes;
    TakeFrame(input, headers, bytes);
    for (size_t at = 0; good && at < bytes.size(); at += piece) {
      good = owner.session().Receive(std::string_view(bytes).substr(at, piece));
      Require(owner.session().open_streams() <= kStreams);
      // An answer is never much longer than what it answers.
      Require(owner.session().output().size() <= 4 * piece + 2 * 1024);
      owner.session().output().clear();
    }
  }
  Require(good || !owner.session().Receive("x"));
  return 0;
}
