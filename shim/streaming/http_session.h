#ifndef BULKHEAD_SHIM_STREAMING_HTTP_SESSION_H_
#define BULKHEAD_SHIM_STREAMING_HTTP_SESSION_H_

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shim/streaming/mux.h"
#include "shim/streaming/protocols.h"
#include "shim/streaming/request.h"
#include "shim/streaming/socket.h"
#include "shim/streaming/target.h"
#include "shim/streaming/tokens.h"
#include "shim/streaming/web_socket.h"
#include "shim/streaming/workers.h"

namespace bulkhead::streaming {

class HttpSession;

// What all connections share.
struct Service {
  Target* target;
  Tokens tokens;
  Workers* workers;       // For commands.
  Workers* port_workers;  // For connections to ports.
  std::chrono::milliseconds idle_timeout;
  std::chrono::milliseconds creation_timeout;
  // For the TLS handshake and the request; a slow client is cut off then.
  std::chrono::milliseconds request_timeout{10'000};
  std::list<HttpSession*> waiting;  // Those that have not sent their request, the oldest first.
};

// One connection until it is upgraded: reads the request, takes its token, agrees on a protocol and
// hands the connection on. Anything else is answered with an error and closed.
class HttpSession final : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(Socket socket, Service& service);
  ~HttpSession();

  void Start();
  // Ends one of those that wait.
  void Drop();

 private:
  void StopWaiting();
  void ReadRequest();
  void Dispatch();
  void UpgradeToWebSocket(Request request);
  void UpgradeToSpdy(Request request);
  void AcceptWebSocket(const std::string& protocol,
                       std::function<void(std::unique_ptr<WebSocket>)> then);
  void AcceptSpdy(const std::string& protocol, std::function<void(std::unique_ptr<Mux>)> then);
  void ServeCommand(std::unique_ptr<Mux> mux, Request request, const CommandProtocol& protocol,
                    bool streams);
  void ServePortForward(std::unique_ptr<Mux> mux, PortForwardRequest request, bool streams);
  void ForwardOverWebSocket(PortForwardRequest request);
  void Refuse(unsigned status, const std::string& why,
              const std::vector<std::string>& accepted_protocols = {});
  std::vector<std::string> Offered(const char* header) const;

  Socket socket_;
  Service& service_;
  const asio::any_io_executor io_;
  asio::steady_timer timer_;
  // In the service's list; its end once the request has come, and the socket may be another's.
  std::list<HttpSession*>::iterator waits_;
  beast::flat_buffer buffer_;
  beast::http::request_parser<beast::http::string_body> parser_;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_HTTP_SESSION_H_
