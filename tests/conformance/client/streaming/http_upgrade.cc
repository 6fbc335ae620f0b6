#include "tests/conformance/client/streaming/http_upgrade.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead::client {
namespace {

constexpr char kScheme[] = "http://";

// "127.0.0.1:1234" and "/exec/abc".
std::pair<std::string, std::string> Split(const std::string& url) {
  const std::string rest = url.substr(sizeof(kScheme) - 1);
  const size_t slash = rest.find('/');
  return {rest.substr(0, slash), slash == std::string::npos ? "/" : rest.substr(slash)};
}

}  // namespace

absl::StatusOr<UniqueFd> ConnectTo(const std::string& url) {
  if (!absl::StartsWith(url, kScheme)) return absl::InvalidArgumentError(url);
  const std::string host = Split(url).first;
  const size_t colon = host.rfind(':');
  uint32_t port = 0;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (colon == std::string::npos || !absl::SimpleAtoi(host.substr(colon + 1), &port) ||
      inet_pton(AF_INET, host.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    return absl::InvalidArgumentError(url);
  }
  address.sin_port = htons(static_cast<uint16_t>(port));
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoStatus(errno, "socket");
  if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoStatus(errno, absl::StrCat("connect to ", url));
  }
  return socket;
}

absl::StatusOr<UpgradedConnection> Upgrade(const std::string& url, const std::string& method,
                                           const std::vector<std::string>& headers) {
  absl::StatusOr<UniqueFd> socket = ConnectTo(url);
  if (!socket.ok()) return socket.status();
  const auto [host, path] = Split(url);
  std::string request = absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: ", host, "\r\n");
  for (const std::string& line : headers) absl::StrAppend(&request, line, "\r\n");
  absl::StrAppend(&request, "\r\n");
  if (send(socket->get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return ErrnoStatus(errno, "send the request");
  }
  UpgradedConnection connection;
  std::string read;
  size_t end;
  while ((end = read.find("\r\n\r\n")) == std::string::npos) {
    char piece[4096];
    const ssize_t size = ::read(socket->get(), piece, sizeof(piece));
    if (size < 0) return ErrnoStatus(errno, "read the answer");
    if (size == 0) return absl::UnavailableError("closed before the answer");
    read.append(piece, static_cast<size_t>(size));
  }
  connection.head = read.substr(0, end + 2);
  connection.rest = read.substr(end + 4);
  if (!absl::SimpleAtoi(connection.head.substr(9, 3), &connection.status)) {
    return absl::InternalError(connection.head);
  }
  connection.socket = *std::move(socket);
  return connection;
}

}  // namespace bulkhead::client
