#include "shim/streaming/remote_command.h"

#include <fcntl.h>
#include <poll.h>

#include <utility>

#include "shim/streaming/exit_message.h"

namespace bulkhead::streaming {
namespace {

constexpr std::chrono::milliseconds kSilence{500};
constexpr std::chrono::seconds kLongestDrain{10};

}  // namespace

RemoteCommand::RemoteCommand(asio::any_io_executor io, std::unique_ptr<Mux> mux, Options options,
                             Begin begin, Workers& workers)
    : io_(std::move(io)),
      mux_(std::move(mux)),
      options_(std::move(options)),
      begin_(std::move(begin)),
      workers_(workers),
      queue_(workers.NewQueue(options_.target_id)),
      in_(io_),
      out_(io_),
      err_(io_),
      ended_(io_),
      timer_(io_) {}

RemoteCommand::~RemoteCommand() = default;

void RemoteCommand::StartStreams() {
  timer_.expires_after(options_.creation_timeout);
  timer_.async_wait([this, keep = shared_from_this()](error_code error) {
    if (!error && begin_) Close();
  });
  mux_->Start(weak_from_this(), *this);
}

void RemoteCommand::StartChannels() {
  for (const Part part : {Part::kIn, Part::kOut, Part::kErr, Part::kError, Part::kResize}) {
    if (Expects(part)) channels_[part] = static_cast<ChannelId>(part);
  }
  mux_->Start(weak_from_this(), *this);
  // An empty message to the first channel that is written tells the client that it is connected.
  for (const Part part : {Part::kOut, Part::kErr, Part::kError}) {
    if (!channels_.contains(part)) continue;
    mux_->Send(channels_[part], {});
    break;
  }
  if (options_.streams.standard_input) in_pump_.emplace(*mux_, channels_[Part::kIn], in_);
  BeginIfComplete();
}

bool RemoteCommand::Expects(Part part) const {
  switch (part) {
    case Part::kIn:
      return options_.streams.standard_input;
    case Part::kOut:
      return options_.streams.standard_output;
    case Part::kErr:
      return options_.streams.standard_error;
    case Part::kError:
      return true;
    case Part::kResize:
      return options_.streams.terminal && options_.protocol.has_resize();
  }
  return false;
}

std::optional<RemoteCommand::Part> RemoteCommand::PartOf(ChannelId channel) const {
  for (const auto& [part, id] : channels_) {
    if (id == channel) return part;
  }
  return std::nullopt;
}

std::optional<ChannelId> RemoteCommand::ChannelOf(Part part) const {
  const auto found = channels_.find(part);
  return found == channels_.end() ? std::nullopt : std::optional(found->second);
}

bool RemoteCommand::OnOpen(ChannelId channel, const spdy::Headers& headers) {
  static constexpr std::pair<const char*, Part> kTypes[] = {{"stdin", Part::kIn},
                                                            {"stdout", Part::kOut},
                                                            {"stderr", Part::kErr},
                                                            {"error", Part::kError},
                                                            {"resize", Part::kResize}};
  const std::string* const type = spdy::Find(headers, "streamtype");
  for (const auto& [name, part] : kTypes) {
    if (type == nullptr || *type != name) continue;
    if (!Expects(part) || channels_.contains(part)) return false;
    channels_[part] = channel;
    if (part == Part::kIn) in_pump_.emplace(*mux_, channel, in_);
    // Not at once: the answer to this stream goes out first.
    asio::post(io_, [this, keep = shared_from_this()] { BeginIfComplete(); });
    return true;
  }
  return false;
}

void RemoteCommand::BeginIfComplete() {
  for (const Part part : {Part::kIn, Part::kOut, Part::kErr, Part::kError, Part::kResize}) {
    if (Expects(part) && !channels_.contains(part)) return;
  }
  if (closed_ || !begin_) return;
  timer_.cancel();
  workers_.Run(queue_, given_up_, std::exchange(begin_, nullptr),
               [this, keep = shared_from_this()](
                   absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> process) {
                 OnBegun(std::move(process));
               });
}

void RemoteCommand::OnBegun(absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> process) {
  if (!process.ok()) {
    Tell(process.status());
    return;
  }
  process_ = *std::move(process);
  if (closed_) {
    ReleaseProcess();
    return;
  }
  pods::ProcessStreams streams = process_->TakeStreams();
  if (options_.streams.standard_input) StartInput(std::move(streams.in));
  if (options_.streams.standard_output) StartOutput(out_, Part::kOut, std::move(streams.out));
  if (options_.streams.standard_error) StartOutput(err_, Part::kErr, std::move(streams.err));
  Resize();
  AwaitEnd();
}

// False, and the descriptor is closed, when it cannot be waited for.
bool RemoteCommand::Adopt(stream_descriptor& descriptor, UniqueFd fd) {
  error_code error;
  descriptor.assign(fd.get(), error);
  if (error) return false;
  static_cast<void>(fd.release());
  return true;
}

void RemoteCommand::StartInput(UniqueFd fd) {
  if (!Adopt(in_, std::move(fd))) {
    Close();
    return;
  }
  in_pump_->Start(KeepThis(), [this](bool broken) {
    error_code ignored;
    in_.close(ignored);
    // The client learns that nobody reads any more.
    if (broken) mux_->End(channels_[Part::kIn]);
  });
}

void RemoteCommand::StartOutput(Output& output, Part part, UniqueFd fd) {
  if (output.refused) return;
  const ChannelId channel = channels_[part];
  if (closed_ || !Adopt(output.descriptor, std::move(fd))) {
    Close();
    return;
  }
  output.pump.emplace(*mux_, channel, output.descriptor);
  output.pump->Start(KeepThis(), [this, &output, channel] {
    error_code ignored;
    output.descriptor.close(ignored);
    mux_->End(channel);
    if (draining_) DrainFor({});
  });
}

void RemoteCommand::OnData(ChannelId channel, std::string_view data) {
  const std::optional<Part> part = PartOf(channel);
  if (part == Part::kIn) {
    in_pump_->Write(data);
    return;
  }
  mux_->Consumed(channel, data.size());
  if (part != Part::kResize) return;
  if (const std::optional<pods::TerminalSize> size = resize_reader_.Read(data)) {
    size_ = size;
    Resize();
  }
}

void RemoteCommand::OnEnd(ChannelId channel) {
  if (PartOf(channel) == Part::kIn) in_pump_->End();
}

void RemoteCommand::OnReset(ChannelId channel) {
  const std::optional<Part> part = PartOf(channel);
  if (part == Part::kIn) in_pump_->End();
  if (part == Part::kError) Close();
  if (part != Part::kOut && part != Part::kErr) return;
  Output& output = part == Part::kOut ? out_ : err_;
  output.refused = true;
  if (output.pump) output.pump->Stop();
  error_code ignored;
  output.descriptor.close(ignored);  // The process is told by SIGPIPE.
}

void RemoteCommand::OnRoom() {
  if (message_) {
    SendMessage();
    return;
  }
  if (out_.pump) out_.pump->Resume();
  if (err_.pump) err_.pump->Resume();
}

// One at a time, the newest: a client may send them faster than they can be carried out.
void RemoteCommand::Resize() {
  if (process_ == nullptr || resizing_ || !size_) return;
  resizing_ = true;
  const pods::TerminalSize size = *std::exchange(size_, std::nullopt);
  workers_.Run(
      queue_, given_up_, [process = process_, size] { return process->Resize(size); },
      [this, keep = shared_from_this()](const absl::Status&) {
        // The process may have ended meanwhile; there is nobody to be told.
        resizing_ = false;
        Resize();
      });
}

void RemoteCommand::AwaitEnd() {
  if (closed_) return;
  if (!Adopt(ended_, UniqueFd(fcntl(process_->ended_fd(), F_DUPFD_CLOEXEC, 0)))) {
    Tell(absl::InternalError("the end of the process cannot be waited for"));
    return;
  }
  WaitForEnd();
}

// Asio gives the event of a descriptor that has been closed to the next one that gets its place, so
// that a wait can be over for nothing.
void RemoteCommand::WaitForEnd() {
  ended_.async_wait(stream_descriptor::wait_read,
                    [this, keep = shared_from_this()](error_code error) {
                      if (error) return;
                      pollfd ended = {.fd = ended_.native_handle(), .events = POLLIN, .revents = 0};
                      if (poll(&ended, 1, 0) > 0) {
                        OnProcessEnded();
                      } else {
                        WaitForEnd();
                      }
                    });
}

void RemoteCommand::OnProcessEnded() {
  if (closed_) return;
  draining_ = true;
  if (in_pump_) in_pump_->Stop();
  ended_at_ = std::chrono::steady_clock::now();
  for (Output* output : {&out_, &err_}) {
    if (!output->pump || output->pump->ended()) continue;
    output->before = output->pump->bytes();
    output->owed = output->before + output->pump->Available();
  }
  DrainFor({});
}

// Looks after this time whether all is drained, or else after a silence.
void RemoteCommand::DrainFor(std::chrono::milliseconds time) {
  timer_.expires_after(time);
  timer_.async_wait([this, time, keep = shared_from_this()](error_code error) {
    if (error || closed_ || !draining_) return;
    const bool late = std::chrono::steady_clock::now() >= ended_at_ + kLongestDrain;
    const bool silent = time == kSilence;
    const bool out = IsDrained(out_, late || silent);
    const bool err = IsDrained(err_, late || silent);
    if (out && err) {
      AskExitCode();
    } else {
      DrainFor(kSilence);
    }
  });
}

bool RemoteCommand::IsDrained(Output& output, bool may_be_open) {
  if (!output.pump || output.pump->ended()) return true;
  const size_t bytes = output.pump->bytes();
  const bool moved = std::exchange(output.before, bytes) != bytes;
  if (!may_be_open || bytes < output.owed) return false;
  const bool late = std::chrono::steady_clock::now() >= ended_at_ + kLongestDrain;
  return late || (!moved && !output.pump->blocked());
}

void RemoteCommand::AskExitCode() {
  draining_ = false;
  for (Output* output : {&out_, &err_}) {
    if (output->pump) output->pump->Stop();
  }
  workers_.Run(
      queue_, given_up_, [process = process_] { return process->ExitCode(); },
      [this, keep = shared_from_this()](const absl::StatusOr<int32_t>& exit_code) {
        const bool told = options_.tells_exit_code || !exit_code.ok();
        Tell(told ? exit_code : absl::StatusOr<int32_t>(0));
      });
}

void RemoteCommand::Tell(const absl::StatusOr<int32_t>& exit_code) {
  if (closed_) return;
  message_ = ExitMessage(exit_code, options_.protocol.has_json_status());
  for (const Part part : {Part::kOut, Part::kErr, Part::kIn}) {
    if (const std::optional<ChannelId> channel = ChannelOf(part)) mux_->End(*channel);
  }
  SendMessage();
}

void RemoteCommand::SendMessage() {
  if (closed_) return;
  const ChannelId channel = channels_[Part::kError];
  if (!SendOff(*mux_, channel, *message_)) return;
  mux_->End(channel);
  mux_->Finish();
  Release();
}

void RemoteCommand::ReleaseProcess() {
  if (process_ == nullptr) return;
  workers_.Run(queue_, [process = std::move(process_)] {});  // Its end may block.
}

Keeper RemoteCommand::KeepThis() {
  return [self = weak_from_this()] { return self.lock(); };
}

void RemoteCommand::Close() {
  if (closed_) return;
  Release();
  mux_->Abort();
}

void RemoteCommand::Release() {
  closed_ = true;
  *given_up_ = true;
  begin_ = nullptr;
  error_code ignored;
  timer_.cancel();
  for (stream_descriptor* descriptor : {&in_, &out_.descriptor, &err_.descriptor, &ended_}) {
    descriptor->close(ignored);
  }
  ReleaseProcess();
}

}  // namespace bulkhead::streaming
