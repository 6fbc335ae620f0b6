#include "shim/streaming/port_forward.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::streaming {
namespace {

// What one client may have under way at once, with those that it has given up: each waits for a
// thread, and for the pod.
constexpr size_t kMostConnecting = 64;

std::optional<uint16_t> PortOf(const spdy::Headers& headers) {
  const std::string* const text = spdy::Find(headers, "port");
  uint32_t port = 0;
  if (text == nullptr || !absl::SimpleAtoi(*text, &port)) return std::nullopt;
  if (port < 1 || port > 65535) return std::nullopt;
  return static_cast<uint16_t>(port);
}

// Clients before Kubernetes 1.2 send no request id, but open the error stream and then the data
// stream, whose ids are two apart.
std::string RequestIdOf(ChannelId channel, bool is_data, const spdy::Headers& headers) {
  const std::string* const id = spdy::Find(headers, "requestid");
  if (id != nullptr && !id->empty()) return *id;
  return absl::StrCat("stream ", is_data ? channel - 2 : channel);
}

}  // namespace

void PortForward::StartStreams() { mux_->Start(weak_from_this(), *this); }

void PortForward::StartChannels(const std::vector<uint16_t>& ports) {
  finish_with_last_ = true;
  mux_->Start(weak_from_this(), *this);
  for (size_t i = 0; i < ports.size(); ++i) {
    const ChannelId data = static_cast<ChannelId>(2 * i);
    const char port[] = {static_cast<char>(ports[i] & 0xff), static_cast<char>(ports[i] >> 8)};
    mux_->Send(data, std::string_view(port, sizeof(port)));
    mux_->Send(data + 1, std::string_view(port, sizeof(port)));
    connections_[data] = std::make_shared<ForwardedConnection>(io_, *mux_, data);
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    Begin(static_cast<ChannelId>(2 * i), static_cast<ChannelId>(2 * i + 1), ports[i]);
  }
}

bool PortForward::OnOpen(ChannelId channel, const spdy::Headers& headers) {
  const std::optional<uint16_t> port = PortOf(headers);
  const std::string* const type = spdy::Find(headers, "streamtype");
  if (!port || type == nullptr || (*type != "data" && *type != "error")) return false;
  if (*connecting_ >= kMostConnecting) return false;
  const bool is_data = *type == "data";
  const std::string request_id = RequestIdOf(channel, is_data, headers);
  Pair& pair = PairOf(request_id, *port);
  std::optional<ChannelId>& place = is_data ? pair.data : pair.error;
  if (place || pair.port != *port) return false;
  place = channel;
  if (is_data) connections_[channel] = std::make_shared<ForwardedConnection>(io_, *mux_, channel);
  if (pair.data && pair.error) {
    Begin(*pair.data, *pair.error, *port);
    pairs_.erase(request_id);
  }
  return true;
}

PortForward::Pair& PortForward::PairOf(const std::string& request_id, uint16_t port) {
  std::unique_ptr<Pair>& pair = pairs_[request_id];
  if (pair != nullptr) return *pair;
  pair = std::make_unique<Pair>(io_);
  pair->port = port;
  pair->timer.expires_after(creation_timeout_);
  pair->timer.async_wait([this, request_id, keep = shared_from_this()](error_code error) {
    if (!error) DropPair(request_id);
  });
  return *pair;
}

// The other stream did not come.
void PortForward::DropPair(const std::string& request_id) {
  const auto found = pairs_.find(request_id);
  if (found == pairs_.end()) return;
  for (const std::optional<ChannelId>& channel : {found->second->data, found->second->error}) {
    if (!channel) continue;
    connections_.erase(*channel);
    mux_->Reset(*channel);
  }
  pairs_.erase(found);
}

void PortForward::Begin(ChannelId data, ChannelId error, uint16_t port) {
  const auto over = [this, data] {
    // Not at once: this is called from within the connection.
    asio::post(io_, [this, data, keep = shared_from_this()] {
      connections_.erase(data);
      if (finish_with_last_ && connections_.empty()) mux_->Finish();
    });
  };
  ++*connecting_;
  std::shared_ptr<void> place(nullptr, [count = connecting_](void*) { --*count; });
  connections_[data]->Start(
      weak_from_this(), error, absl::StrCat("port ", port),
      [connect = connect_, port] { return connect(port); }, workers_, workers_.NewQueue(pod_id_),
      std::move(place), over);
}

void PortForward::OnData(ChannelId channel, std::string_view data) {
  const auto found = connections_.find(channel);
  if (found == connections_.end()) {
    mux_->Consumed(channel, data.size());
  } else {
    found->second->Write(data);
  }
}

void PortForward::OnEnd(ChannelId channel) {
  const auto found = connections_.find(channel);
  if (found != connections_.end()) found->second->EndInput();
}

void PortForward::OnReset(ChannelId channel) {
  for (const auto& [id, pair] : pairs_) {
    if (pair->data != channel && pair->error != channel) continue;
    DropPair(std::string(id));
    return;
  }
  if (const auto found = connections_.find(channel); found != connections_.end()) {
    found->second->Close();
    connections_.erase(found);
    return;
  }
  for (const auto& [data, connection] : connections_) {
    if (connection->error() == channel) connection->OnErrorReset();
  }
}

void PortForward::OnRoom() {
  const auto connections = connections_;  // One may leave meanwhile.
  for (const auto& [data, connection] : connections) connection->OnRoom();
}

void PortForward::OnGone() {
  pairs_.clear();
  for (const auto& [data, connection] : connections_) connection->Close();
  connections_.clear();
}

}  // namespace bulkhead::streaming
