#ifndef BULKHEAD_SHIM_STREAMING_REMOTE_COMMAND_H_
#define BULKHEAD_SHIM_STREAMING_REMOTE_COMMAND_H_

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "shim/pods/attached_process.h"
#include "shim/streaming/mux.h"
#include "shim/streaming/protocols.h"
#include "shim/streaming/pump.h"
#include "shim/streaming/resize.h"
#include "shim/streaming/workers.h"

namespace bulkhead::streaming {

// One exec or attach: connects a client's channels with a process's streams.
//
// At the process's end its output is drained before the client is told its exit status. A child
// that it left behind and that holds the streams open does not keep the client: once what was
// in them at the end is sent, half a second of silence is enough, or ten seconds in all.
class RemoteCommand final : public MuxEvents, public std::enable_shared_from_this<RemoteCommand> {
 public:
  struct Options {
    std::string target_id;  // The container.
    pods::StreamSelection streams;
    CommandProtocol protocol;
    bool tells_exit_code = true;  // Attach tells only that it is over.
    std::chrono::milliseconds creation_timeout{30'000};
  };
  // Starts the process, or attaches to it. May block.
  using Begin = std::function<absl::StatusOr<std::unique_ptr<pods::AttachedProcess>>()>;

  RemoteCommand(asio::any_io_executor io, std::unique_ptr<Mux> mux, Options options, Begin begin,
                Workers& workers);
  ~RemoteCommand() override;

  // The client opens a stream for each part.
  void StartStreams();
  // The channels of a WebSocket have fixed numbers.
  void StartChannels();

  bool OnOpen(ChannelId channel, const spdy::Headers& headers) override;
  void OnData(ChannelId channel, std::string_view data) override;
  void OnEnd(ChannelId channel) override;
  void OnReset(ChannelId channel) override;
  void OnRoom() override;
  void OnGone() override { Close(); }

 private:
  enum class Part { kIn, kOut, kErr, kError, kResize };
  struct Output {
    explicit Output(const asio::any_io_executor& io) : descriptor(io) {}
    stream_descriptor descriptor;
    std::optional<OutputPump> pump;
    bool refused = false;  // By the client.
    size_t owed = 0;       // The count of bytes at which all that the process wrote itself is sent.
    size_t before = 0;     // The count when it was last looked at.
  };

  bool Expects(Part part) const;
  std::optional<Part> PartOf(ChannelId channel) const;
  std::optional<ChannelId> ChannelOf(Part part) const;
  void BeginIfComplete();
  void OnBegun(absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> process);
  bool Adopt(stream_descriptor& descriptor, UniqueFd fd);
  void StartOutput(Output& output, Part part, UniqueFd fd);
  void StartInput(UniqueFd fd);
  void AwaitEnd();
  void WaitForEnd();
  void OnProcessEnded();
  void DrainFor(std::chrono::milliseconds time);
  bool IsDrained(Output& output, bool late);
  void AskExitCode();
  void Tell(const absl::StatusOr<int32_t>& exit_code);
  void SendMessage();
  void Resize();
  Keeper KeepThis();
  void ReleaseProcess();
  void Release();  // All but the connection.
  void Close();

  const asio::any_io_executor io_;
  const std::unique_ptr<Mux> mux_;
  const Options options_;
  Begin begin_;  // Empty once called.
  Workers& workers_;
  const Workers::Queue queue_;
  const GivenUp given_up_ = std::make_shared<std::atomic<bool>>(false);
  std::map<Part, ChannelId> channels_;

  stream_descriptor in_;
  std::optional<InputPump> in_pump_;
  Output out_;
  Output err_;
  stream_descriptor ended_;
  asio::steady_timer timer_;  // For the streams to come, then for the output to drain.
  std::shared_ptr<pods::AttachedProcess> process_;  // Used on queue_ alone.
  ResizeReader resize_reader_;
  std::optional<pods::TerminalSize> size_;  // Not carried out yet.
  bool resizing_ = false;
  std::chrono::steady_clock::time_point ended_at_;
  bool draining_ = false;
  std::optional<std::string> message_;  // For the error channel; waits for room.
  bool closed_ = false;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_REMOTE_COMMAND_H_
