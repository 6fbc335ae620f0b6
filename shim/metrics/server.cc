#include "shim/metrics/server.h"

#include <exception>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::metrics {

Server::Server(std::vector<std::shared_ptr<prometheus::Collectable>> collected)
    : collected_(std::move(collected)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const Options& options, std::vector<std::shared_ptr<prometheus::Collectable>> collected) {
  const bool v6 = absl::StrContains(options.address, ":");
  const std::string where =
      absl::StrCat(v6 ? "[" : "", options.address, v6 ? "]:" : ":", options.port);
  std::unique_ptr<Server> server(new Server(std::move(collected)));
  try {
    // Each connection has a thread of its own for as long as it lasts.
    server->exposer_ = std::make_unique<prometheus::Exposer>(std::vector<std::string>{
        "listening_ports", where, "num_threads", "4", "request_timeout_ms", "5000"});
    for (const auto& one : server->collected_) server->exposer_->RegisterCollectable(one);
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat("listen on ", where, ": ", error.what()));
  }
  return server;
}

}  // namespace bulkhead::metrics
