#ifndef BULKHEAD_SHIM_STREAMING_PORT_FORWARD_H_
#define BULKHEAD_SHIM_STREAMING_PORT_FORWARD_H_

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shim/streaming/forwarded_connection.h"
#include "shim/streaming/mux.h"
#include "shim/streaming/workers.h"

namespace bulkhead::streaming {

// A client's port-forward: any number of connections to a pod, one after the other or at once.
class PortForward final : public MuxEvents, public std::enable_shared_from_this<PortForward> {
 public:
  using Connect = std::function<absl::StatusOr<UniqueFd>(uint16_t port)>;  // May block.

  PortForward(asio::any_io_executor io, std::unique_ptr<Mux> mux, std::string pod_id,
              Connect connect, std::chrono::milliseconds creation_timeout, Workers& workers)
      : io_(std::move(io)),
        mux_(std::move(mux)),
        pod_id_(std::move(pod_id)),
        connect_(std::move(connect)),
        creation_timeout_(creation_timeout),
        workers_(workers) {}

  // The client opens two streams a connection, "data" and "error", with the same request id. SPDY.
  void StartStreams();
  // Channel 2n is the data of the nth port and 2n + 1 its errors; one connection each. WebSocket.
  void StartChannels(const std::vector<uint16_t>& ports);

  bool OnOpen(ChannelId channel, const spdy::Headers& headers) override;
  void OnData(ChannelId channel, std::string_view data) override;
  void OnEnd(ChannelId channel) override;
  void OnReset(ChannelId channel) override;
  void OnRoom() override;
  void OnGone() override;

 private:
  // What is there of a connection before both its streams are.
  struct Pair {
    explicit Pair(const asio::any_io_executor& io) : timer(io) {}
    uint16_t port = 0;
    std::optional<ChannelId> data;
    std::optional<ChannelId> error;
    asio::steady_timer timer;
  };
  using Pairs = std::map<std::string, std::unique_ptr<Pair>>;

  Pair& PairOf(const std::string& request_id, uint16_t port);
  void DropPair(const std::string& request_id);
  void Begin(ChannelId data, ChannelId error, uint16_t port);

  const asio::any_io_executor io_;
  const std::unique_ptr<Mux> mux_;
  const std::string pod_id_;
  const Connect connect_;
  const std::chrono::milliseconds creation_timeout_;
  Workers& workers_;
  // Calls of connect_ that have not returned; for the io thread.
  const std::shared_ptr<size_t> connecting_ = std::make_shared<size_t>(0);
  bool finish_with_last_ = false;
  Pairs pairs_;
  std::map<ChannelId, std::shared_ptr<ForwardedConnection>> connections_;  // By their data.
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_PORT_FORWARD_H_
