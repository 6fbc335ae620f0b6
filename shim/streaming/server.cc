#include "shim/streaming/server.h"

#include <errno.h>
#include <glog/logging.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/status.h"
#include "shim/log/event.h"
#include "shim/streaming/http_session.h"
#include "shim/streaming/tls.h"

namespace bulkhead::streaming {
namespace {

// Apart, so that ports that hang keep no command waiting.
constexpr size_t kCommandWorkers = 24;
constexpr size_t kPortWorkers = 24;
// Clients that were accepted and have not sent a request. They need no token, so they are few.
constexpr size_t kMostWaiting = 256;
constexpr std::chrono::milliseconds kPauseAfterError{100};

absl::Status Invalid(const char* key, const std::string& value, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("streaming.", key, ": \"", value, "\" ", why));
}

absl::StatusOr<tcp::endpoint> EndpointOf(const ServerOptions& options) {
  error_code error;
  const asio::ip::address address = asio::ip::make_address(options.address, error);
  if (error) return Invalid("address", options.address, "is not an IP address");
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    return Invalid("tls_key", options.tls_key, "and streaming.tls_certificate belong together");
  }
  if (options.tls_certificate.empty() && !address.is_loopback()) {
    return Invalid("address", options.address,
                   "is not a loopback address, which needs streaming.tls_certificate and tls_key");
  }
  return tcp::endpoint(address, options.port);
}

// Where the kubelet, on this machine, reaches it.
std::string BaseUrl(const tcp::endpoint& endpoint, bool tls) {
  asio::ip::address host = endpoint.address();
  if (host.is_unspecified()) {
    host = host.is_v4() ? asio::ip::address(asio::ip::address_v4::loopback())
                        : asio::ip::address(asio::ip::address_v6::loopback());
  }
  const std::string text =
      host.is_v4() ? host.to_string() : absl::StrCat("[", host.to_string(), "]");
  return absl::StrCat(tls ? "https://" : "http://", text, ":", endpoint.port());
}

void SetOption(int tcp_socket, int option, int value) {
  setsockopt(tcp_socket, IPPROTO_TCP, option, &value, sizeof(value));
}

using asio::posix::stream_descriptor;

class AsioServer final : public Server {
 public:
  AsioServer(const ServerOptions& options, Target& target)
      : io_(std::make_unique<asio::io_context>(1)),
        workers_(io_->get_executor(), kCommandWorkers),
        port_workers_(io_->get_executor(), kPortWorkers),
        listener_(std::make_unique<stream_descriptor>(*io_)),
        timer_(std::make_unique<asio::steady_timer>(*io_)),
        target_(target) {
    service_.target = &target;
    service_.workers = &workers_;
    service_.port_workers = &port_workers_;
    service_.idle_timeout = options.idle_timeout;
    service_.creation_timeout = options.creation_timeout;
  }

  ~AsioServer() override {
    io_->stop();
    if (thread_.joinable()) thread_.join();
    workers_.Join();
    port_workers_.Join();
    // What is left of sessions goes with the handlers that Asio holds.
    listener_.reset();
    timer_.reset();
    io_.reset();
    LOG_IF(INFO, refused_tokens() > 0)
        << Event("URLs for streams were refused").With("count", refused_tokens());
  }

  absl::Status Listen(const ServerOptions& options) {
    const absl::StatusOr<tcp::endpoint> endpoint = EndpointOf(options);
    if (!endpoint.ok()) return endpoint.status();
    if (!options.tls_certificate.empty()) {
      absl::StatusOr<std::unique_ptr<Tls>> tls =
          Tls::Load(options.tls_certificate, options.tls_key);
      if (!tls.ok()) return tls.status();
      tls_ = *std::move(tls);
    }
    const absl::Status listening = ListenOn(*endpoint);
    return Annotate(listening, absl::StrCat("listen on ", options.address, " port ", options.port));
  }

  void Run() {
    AwaitClients();
    thread_ = std::thread([this] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);  // SIGPIPE too: write(2) returns EPIPE.
      pthread_setname_np(pthread_self(), "streaming");
      io_->run();
    });
  }

  absl::StatusOr<std::string> UrlFor(Request request) override {
    absl::Status check;
    if (const auto* forward = std::get_if<PortForwardRequest>(&request)) {
      check = target_.CheckPod(forward->pod_id);
    } else if (const auto* exec = std::get_if<ExecRequest>(&request)) {
      check = target_.CheckContainer(exec->container_id);
    } else {
      check = target_.CheckContainer(std::get<AttachRequest>(request).container_id);
    }
    if (!check.ok()) return check;
    const std::string kind = KindOf(request);
    const absl::StatusOr<std::string> token = service_.tokens.Add(std::move(request));
    if (!token.ok()) return token.status();
    return absl::StrCat(base_url_, "/", kind, "/", *token);
  }

  const std::string& base_url() const override { return base_url_; }
  uint64_t refused_tokens() const override { return service_.tokens.refused(); }

 private:
  // Not by Asio, whose sockets the children of other threads would inherit.
  absl::Status ListenOn(tcp::endpoint endpoint) {
    protocol_ = endpoint.protocol();
    UniqueFd listener(
        socket(protocol_.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
    if (!listener.valid()) return ErrnoStatus(errno, "socket");
    const int on = 1;
    setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    socklen_t size = static_cast<socklen_t>(endpoint.size());
    if (bind(listener.get(), endpoint.data(), size) != 0) return ErrnoStatus(errno, "bind");
    if (listen(listener.get(), SOMAXCONN) != 0) return ErrnoStatus(errno, "listen");
    if (getsockname(listener.get(), endpoint.data(), &size) != 0) {
      return ErrnoStatus(errno, "getsockname");
    }
    base_url_ = BaseUrl(endpoint, tls_ != nullptr);
    listener_->assign(listener.release());
    return absl::OkStatus();
  }

  void AwaitClients() {
    listener_->async_wait(stream_descriptor::wait_read, [this](error_code error) {
      if (error) return;
      if (AcceptAll()) {
        AwaitClients();
        return;
      }
      // Out of descriptors, most likely: there may be some later.
      timer_->expires_after(kPauseAfterError);
      timer_->async_wait([this](error_code) { AwaitClients(); });
    });
  }

  // False: there are clients that cannot be accepted.
  bool AcceptAll() {
    for (;;) {
      UniqueFd client(
          accept4(listener_->native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!client.valid() && errno == EAGAIN) return true;
      if (!client.valid() && (errno == ECONNABORTED || errno == EINTR)) continue;
      if (!client.valid()) return false;
      // Who has not sent its request by now may be one that never will.
      if (service_.waiting.size() >= kMostWaiting) service_.waiting.front()->Drop();
      tcp::socket connection(*io_);
      error_code error;
      connection.assign(protocol_, client.get(), error);
      if (error) return false;
      static_cast<void>(client.release());
      Serve(std::move(connection));
    }
  }

  void Serve(tcp::socket socket) {
    const int client = socket.native_handle();
    SetOption(client, TCP_NODELAY, 1);
    // A client may be gone without a word: its machine is, or its end of sending is stuck behind
    // data that is not read here.
    const int on = 1;
    setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    SetOption(client, TCP_KEEPIDLE, 30);
    SetOption(client, TCP_KEEPINTVL, 10);
    SetOption(client, TCP_KEEPCNT, 6);
    std::shared_ptr<asio::ssl::context> tls;
    if (tls_ != nullptr) {
      const absl::Status refreshed = tls_->Refresh();
      LOG_IF(ERROR, !refreshed.ok())
          << Event("the streaming server keeps its old certificate").With("error", refreshed);
      tls = tls_->current();
    }
    std::make_shared<HttpSession>(Socket(std::move(socket), std::move(tls)), service_)->Start();
  }

  std::unique_ptr<asio::io_context> io_;  // Ends before the workers, which its handlers use.
  Workers workers_;
  Workers port_workers_;
  Service service_;
  std::unique_ptr<stream_descriptor> listener_;
  tcp protocol_ = tcp::v4();
  std::unique_ptr<asio::steady_timer> timer_;
  std::unique_ptr<Tls> tls_;
  Target& target_;
  std::string base_url_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      Target& target) {
  auto server = std::make_unique<AsioServer>(options, target);
  if (absl::Status listening = server->Listen(options); !listening.ok()) return listening;
  server->Run();
  return server;
}

}  // namespace bulkhead::streaming
