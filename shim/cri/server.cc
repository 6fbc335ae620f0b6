#include "shim/cri/server.h"

#include <grpc/grpc.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_posix.h>

#include <mutex>
#include <utility>

#include "shim/cri/acceptor.h"
#include "shim/cri/calls.h"
#include "shim/cri/image_service.h"
#include "shim/cri/listener.h"
#include "shim/cri/peers.h"
#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {
namespace {

// The kubelet's own limit.
constexpr int kLargestMessage = 16 << 20;

// gRPC gets connections that were accepted here, because only so the peer's credentials, the
// socket's mode and the lock on its path are ours to decide.
class GrpcServer final : public Server {
 public:
  GrpcServer(Listener listener, Backend backend, CallSink sink)
      : listener_(std::move(listener)),
        backend_(std::move(backend)),
        calls_(peers_, std::move(sink)),
        runtime_(backend_, calls_),
        images_(backend_, calls_) {}
  ~GrpcServer() override { Drain(absl::ZeroDuration()); }

  absl::Status Serve(const ServerOptions& options);
  void Drain(absl::Duration grace) override;

 private:
  Listener listener_;
  const Backend backend_;
  Peers peers_;
  const Calls calls_;
  RuntimeService runtime_;
  ImageService images_;
  std::unique_ptr<grpc::Server> grpc_;
  std::mutex drain_mutex_;
  std::unique_ptr<Acceptor> acceptor_;
};

absl::Status GrpcServer::Serve(const ServerOptions& options) {
  // Never given back: with the last reference gRPC ends its threads, and 1.51 then sometimes waits
  // ten seconds in a poll that nothing wakes, by which a restart of the daemon would be longer.
  grpc_init();
  grpc::ServerBuilder builder;
  builder.RegisterService(&runtime_);
  builder.RegisterService(&images_);
  builder.SetMaxReceiveMessageSize(kLargestMessage);
  builder.SetMaxSendMessageSize(kLargestMessage);
  builder.SetResourceQuota(grpc::ResourceQuota("cri").SetMaxThreads(options.max_threads));
  grpc_ = builder.BuildAndStart();
  if (grpc_ == nullptr) return absl::ResourceExhaustedError("gRPC could not start its server");
  absl::StatusOr<std::unique_ptr<Acceptor>> acceptor =
      Acceptor::Start(listener_.fd(), [this](UniqueFd connection, const Peer& peer) {
        peers_.Add(connection.get(), peer);
        grpc::AddInsecureChannelFromFd(grpc_.get(), connection.release());
      });
  if (!acceptor.ok()) return acceptor.status();
  acceptor_ = *std::move(acceptor);
  return absl::OkStatus();
}

void GrpcServer::Drain(absl::Duration grace) {
  const std::lock_guard lock(drain_mutex_);
  acceptor_.reset();
  listener_.Close();
  runtime_.EndStreams();
  if (grpc_ != nullptr) grpc_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, Backend backend,
                                                      CallSink sink) {
  absl::StatusOr<Listener> listener = Listener::Open(options.socket, options.socket_gid);
  if (!listener.ok()) return listener.status();
  auto server =
      std::make_unique<GrpcServer>(*std::move(listener), std::move(backend), std::move(sink));
  if (absl::Status served = server->Serve(options); !served.ok()) return served;
  return server;
}

}  // namespace bulkhead::cri
