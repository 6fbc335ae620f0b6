#ifndef BULKHEAD_TESTS_CONFORMANCE_CLIENT_STREAMING_SPDY_CLIENT_H_
#define BULKHEAD_TESTS_CONFORMANCE_CLIENT_STREAMING_SPDY_CLIENT_H_

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "shim/streaming/spdy/session.h"

namespace bulkhead::client {

// A client of exec, attach and port-forward over SPDY. It keeps no windows, like those of
// Kubernetes: what it sends goes as fast as the socket takes it.
class SpdyClient final : private spdy::SessionEvents {
 public:
  struct Stream {
    std::string data;
    bool replied = false;
    bool ended = false;  // By the server.
    bool reset = false;
  };

  // PERMISSION_DENIED, NOT_FOUND ... as the HTTP status.
  static absl::StatusOr<std::unique_ptr<SpdyClient>> Dial(
      const std::string& url, const std::vector<std::string>& protocols);

  const std::string& head() const { return head_; }
  // Waits for the answer; the stream tells whether it was accepted.
  spdy::StreamId Open(const spdy::Headers& headers);
  void Send(spdy::StreamId stream, std::string_view data) { session_.Send(stream, data); }
  void End(spdy::StreamId stream) { session_.End(stream); }
  void Reset(spdy::StreamId stream) { session_.Reset(stream, spdy::ResetStatus::kCancel); }

  Stream& stream(spdy::StreamId id) { return streams_[id]; }
  size_t unsent() { return output_.size() + session_.output().size(); }
  bool closed() const { return closed_; }
  bool went_away() const { return went_away_; }

  // Sends and receives until `done` says so. False: the time was over, or the connection is.
  bool RunUntil(const std::function<bool()>& done,
                std::chrono::milliseconds timeout = std::chrono::seconds(20));
  bool AwaitEnd(spdy::StreamId id) {
    return RunUntil([&] { return stream(id).ended || stream(id).reset; });
  }
  // Sends what there is without reading, for as long as the server takes it.
  void PushBlindly(std::chrono::milliseconds patience);

 private:
  explicit SpdyClient(UniqueFd socket)
      : socket_(std::move(socket)), session_(spdy::Role::kClient, Limits(), *this) {}
  static spdy::SessionLimits Limits();

  void OnStream(spdy::StreamId, const spdy::Headers&) override {}
  void OnReply(spdy::StreamId stream, const spdy::Headers&) override {
    streams_[stream].replied = true;
  }
  void OnData(spdy::StreamId stream, std::string_view data) override {
    streams_[stream].data.append(data);
  }
  void OnEnd(spdy::StreamId stream) override { streams_[stream].ended = true; }
  void OnReset(spdy::StreamId stream) override { streams_[stream].reset = true; }
  void OnWindow() override {}
  void OnGoAway() override { went_away_ = true; }

  // Once poll(2) says so.
  void Exchange(int timeout_ms, bool read);

  UniqueFd socket_;
  std::string head_;
  spdy::Session session_;
  std::string output_;  // Of the session, and not sent yet.
  std::map<spdy::StreamId, Stream> streams_;
  bool closed_ = false;
  bool went_away_ = false;
};

}  // namespace bulkhead::client

#endif  // BULKHEAD_TESTS_CONFORMANCE_CLIENT_STREAMING_SPDY_CLIENT_H_
