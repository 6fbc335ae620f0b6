#include "shim/streaming/http_session.h"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "shim/streaming/byte_stream.h"
#include "shim/streaming/port_forward.h"
#include "shim/streaming/remote_command.h"
#include "shim/streaming/spdy_mux.h"
#include "shim/streaming/websocket_mux.h"

namespace bulkhead::streaming {
namespace {

namespace http = beast::http;

constexpr char kSpdy[] = "SPDY/3.1";
constexpr char kProtocolVersion[] = "X-Stream-Protocol-Version";
constexpr char kAcceptedVersions[] = "X-Accepted-Stream-Protocol-Versions";
constexpr size_t kMostPorts = 100;  // Two channels each, numbered by a byte.

bool HasValue(const HttpRequest& request, http::field name, const char* value) {
  for (auto [field, end] = request.equal_range(name); field != end; ++field) {
    for (const std::string& one : SplitList({field->value().data(), field->value().size()})) {
      if (absl::EqualsIgnoreCase(one, value)) return true;
    }
  }
  return false;
}

// Of the client's making, while it is still there.
bool IsMalformed(const error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

HttpSession::HttpSession(Socket socket, Service& service)
    : socket_(std::move(socket)),
      service_(service),
      io_(socket_.get_executor()),
      timer_(io_),
      waits_(service_.waiting.insert(service_.waiting.end(), this)) {
  parser_.header_limit(16 * 1024);
  parser_.body_limit(1024);
}

HttpSession::~HttpSession() { StopWaiting(); }

void HttpSession::StopWaiting() {
  if (waits_ == service_.waiting.end()) return;
  service_.waiting.erase(std::exchange(waits_, service_.waiting.end()));
}

void HttpSession::Drop() {
  StopWaiting();
  timer_.cancel();
  socket_.Close();
}

void HttpSession::Start() {
  timer_.expires_after(service_.request_timeout);
  timer_.async_wait([this, keep = shared_from_this()](error_code error) {
    if (!error && waits_ != service_.waiting.end()) Drop();
  });
  socket_.Handshake([this, keep = shared_from_this()](error_code error) {
    if (error) {
      timer_.cancel();
    } else {
      ReadRequest();
    }
  });
}

void HttpSession::ReadRequest() {
  http::async_read(socket_, buffer_, parser_,
                   [this, keep = shared_from_this()](error_code error, size_t) {
                     StopWaiting();
                     timer_.cancel();
                     if (!error) {
                       Dispatch();
                     } else if (IsMalformed(error)) {
                       Refuse(400, absl::StrCat("bad request: ", error.message()));
                     }
                   });
}

void HttpSession::Dispatch() {
  const HttpRequest& request = parser_.get();
  const std::string target(request.target().data(), request.target().size());
  const std::string path = target.substr(0, target.find('?'));
  // "/exec/TOKEN"
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  const bool method = request.method() == http::verb::get || request.method() == http::verb::post;
  std::optional<Request> wanted;
  if (method && parts.size() == 3) wanted = service_.tokens.Take(parts[1], parts[2]);
  if (!wanted) {
    Refuse(404, "no such URL: it has expired, was used, or never was");
  } else if (!HasValue(request, http::field::connection, "upgrade")) {
    Refuse(400, "the request has to be an upgrade to SPDY/3.1 or to WebSocket");
  } else if (HasValue(request, http::field::upgrade, "websocket") && buffer_.size() > 0) {
    // Which RFC 6455, section 4.1, forbids.
    Refuse(400, "data came before the answer to the request");
  } else if (HasValue(request, http::field::upgrade, "websocket")) {
    UpgradeToWebSocket(*std::move(wanted));
  } else if (HasValue(request, http::field::upgrade, kSpdy)) {
    UpgradeToSpdy(*std::move(wanted));
  } else {
    Refuse(400, "the request has to be an upgrade to SPDY/3.1 or to WebSocket");
  }
}

std::vector<std::string> HttpSession::Offered(const char* header) const {
  const HttpRequest& request = parser_.get();
  std::vector<std::string> values;
  for (auto [field, end] = request.equal_range(header); field != end; ++field) {
    for (std::string& one : SplitList({field->value().data(), field->value().size()})) {
      values.push_back(std::move(one));
    }
  }
  return values;
}

void HttpSession::UpgradeToSpdy(Request request) {
  const std::vector<std::string> offered = Offered(kProtocolVersion);
  if (offered.empty()) {
    Refuse(400, absl::StrCat("the header ", kProtocolVersion, " is missing"));
    return;
  }
  if (auto* forward = std::get_if<PortForwardRequest>(&request)) {
    const std::string name(kPortForward);
    if (std::find(offered.begin(), offered.end(), name) == offered.end()) {
      Refuse(403, "none of the client's protocols is known", {name});
      return;
    }
    AcceptSpdy(name, [this, forward = std::move(*forward)](std::unique_ptr<Mux> mux) {
      ServePortForward(std::move(mux), forward, true);
    });
    return;
  }
  const std::optional<CommandProtocol> protocol = ChooseSpdyCommand(offered);
  if (!protocol) {
    Refuse(403, "none of the client's protocols is known", SpdyCommandProtocols());
    return;
  }
  AcceptSpdy(protocol->name,
             [this, request = std::move(request), protocol = *protocol](std::unique_ptr<Mux> mux) {
               ServeCommand(std::move(mux), request, protocol, true);
             });
}

void HttpSession::AcceptSpdy(const std::string& protocol,
                             std::function<void(std::unique_ptr<Mux>)> then) {
  const auto response = std::make_shared<std::string>(
      absl::StrCat("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ", kSpdy,
                   "\r\n", kProtocolVersion, ": ", protocol, "\r\n\r\n"));
  asio::async_write(socket_, asio::buffer(*response),
                    [this, response, then = std::move(then), keep = shared_from_this()](
                        error_code error, size_t) {
                      if (error) return;
                      std::string early = beast::buffers_to_string(buffer_.data());
                      then(std::make_unique<SpdyMux>(MakeByteStream(std::move(socket_)),
                                                     std::move(early), service_.idle_timeout));
                    });
}

void HttpSession::UpgradeToWebSocket(Request request) {
  if (auto* forward = std::get_if<PortForwardRequest>(&request)) {
    ForwardOverWebSocket(std::move(*forward));
    return;
  }
  const std::optional<CommandProtocol> protocol =
      ChooseWebSocketCommand(Offered("Sec-WebSocket-Protocol"));
  if (!protocol) {
    Refuse(403, "none of the client's protocols is known");
    return;
  }
  AcceptWebSocket(protocol->name, [this, request = std::move(request),
                                   protocol = *protocol](std::unique_ptr<WebSocket> socket) {
    const ChannelProtocol channels = {.base64 = protocol.base64,
                                      .has_close = protocol.version >= 5};
    ServeCommand(std::make_unique<WebSocketMux>(std::move(socket), channels, service_.idle_timeout),
                 request, protocol, false);
  });
}

void HttpSession::ForwardOverWebSocket(PortForwardRequest request) {
  const std::optional<PortForwardProtocol> protocol =
      ChooseWebSocketPortForward(Offered("Sec-WebSocket-Protocol"));
  if (!protocol) {
    Refuse(403, "none of the client's protocols is known");
    return;
  }
  if (!protocol->tunnel && (request.ports.empty() || request.ports.size() > kMostPorts)) {
    Refuse(400, absl::StrCat("channels for ports need 1 to ", kMostPorts,
                             " ports in the request for the URL"));
    return;
  }
  AcceptWebSocket(protocol->name, [this, request = std::move(request),
                                   protocol = *protocol](std::unique_ptr<WebSocket> socket) {
    std::unique_ptr<Mux> mux;
    if (protocol.tunnel) {
      mux = std::make_unique<SpdyMux>(MakeByteStream(std::move(socket)), "", service_.idle_timeout);
    } else {
      mux = std::make_unique<WebSocketMux>(
          std::move(socket), ChannelProtocol{.base64 = protocol.base64}, service_.idle_timeout);
    }
    ServePortForward(std::move(mux), request, protocol.tunnel);
  });
}

void HttpSession::AcceptWebSocket(const std::string& protocol,
                                  std::function<void(std::unique_ptr<WebSocket>)> then) {
  const auto socket =
      std::make_shared<std::unique_ptr<WebSocket>>(MakeWebSocket(std::move(socket_)));
  // Beast refuses what is malformed, and answers so.
  (*socket)->Accept(parser_.get(), protocol,
                    [socket, then = std::move(then), keep = shared_from_this()](error_code error) {
                      if (!error) then(std::move(*socket));
                    });
}

void HttpSession::ServeCommand(std::unique_ptr<Mux> mux, Request request,
                               const CommandProtocol& protocol, bool streams) {
  RemoteCommand::Options options = {.protocol = protocol,
                                    .creation_timeout = service_.creation_timeout};
  RemoteCommand::Begin begin;
  Target* const target = service_.target;
  if (auto* exec = std::get_if<ExecRequest>(&request)) {
    options.target_id = exec->container_id;
    options.streams = exec->streams;
    begin = [target, exec = std::move(*exec)] {
      return target->Exec(exec.container_id, exec.command, exec.streams);
    };
  } else if (auto* attach = std::get_if<AttachRequest>(&request)) {
    options.target_id = attach->container_id;
    options.streams = attach->streams;
    options.tells_exit_code = false;
    begin = [target, attach = std::move(*attach)] {
      return target->Attach(attach.container_id, attach.streams);
    };
  }
  const auto session = std::make_shared<RemoteCommand>(io_, std::move(mux), std::move(options),
                                                       std::move(begin), *service_.workers);
  if (streams) {
    session->StartStreams();
  } else {
    session->StartChannels();
  }
}

void HttpSession::ServePortForward(std::unique_ptr<Mux> mux, PortForwardRequest request,
                                   bool streams) {
  Target* const target = service_.target;
  const auto session = std::make_shared<PortForward>(
      io_, std::move(mux), request.pod_id,
      [target, pod = request.pod_id](uint16_t port) { return target->Connect(pod, port); },
      service_.creation_timeout, *service_.port_workers);
  if (streams) {
    session->StartStreams();
  } else {
    session->StartChannels(request.ports);
  }
}

void HttpSession::Refuse(unsigned status, const std::string& why,
                         const std::vector<std::string>& accepted_protocols) {
  const beast::string_view reason = http::obsolete_reason(static_cast<http::status>(status));
  const std::string body = absl::StrCat(why, "\n");
  auto response = std::make_shared<std::string>(
      absl::StrCat("HTTP/1.1 ", status, " ", absl::string_view(reason.data(), reason.size()),
                   "\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n",
                   "X-Content-Type-Options: nosniff\r\nContent-Length: ", body.size(), "\r\n"));
  for (const std::string& protocol : accepted_protocols) {
    absl::StrAppend(response.get(), kAcceptedVersions, ": ", protocol, "\r\n");
  }
  absl::StrAppend(response.get(), "\r\n", body);
  asio::async_write(socket_, asio::buffer(*response),
                    [this, response, keep = shared_from_this()](error_code, size_t) {
                      socket_.EndSending();
                      socket_.Close();
                    });
}

}  // namespace bulkhead::streaming
