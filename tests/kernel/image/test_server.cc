#include "tests/kernel/image/test_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::image {
namespace {

void SendAll(int fd, const std::string& bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<size_t>(n);
  }
}

bool ReadSome(int fd, std::string& text) {
  std::array<char, 4096> buffer;
  const ssize_t n = recv(fd, buffer.data(), buffer.size(), 0);
  if (n > 0) text.append(buffer.data(), static_cast<size_t>(n));
  return n > 0;
}

// False when the client went away first, or speaks TLS.
bool ReadRequest(int fd, TestServer::Request& request) {
  std::string text;
  size_t end;
  while ((end = text.find("\r\n\r\n")) == std::string::npos) {
    constexpr char kTlsHandshake = 0x16;
    if (!ReadSome(fd, text) || text[0] == kTlsHandshake) return false;  // loopback tries TLS first
  }
  std::istringstream lines(text.substr(0, end));
  lines >> request.method >> request.target;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const size_t colon = line.find(':');
    std::string value = line.substr(colon + 1);
    absl::StripAsciiWhitespace(&value);
    request.headers[absl::AsciiStrToLower(line.substr(0, colon))] = value;
  }
  size_t length = 0;
  if (!absl::SimpleAtoi(request.headers["content-length"], &length)) length = 0;
  request.body = text.substr(end + 4);
  while (request.body.size() < length) {
    if (!ReadSome(fd, request.body)) return false;
  }
  return true;
}

}  // namespace

TestServer::TestServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof(address);
  bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
  listen(listener_, 64);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::jthread([this] { Accept(); });
}

TestServer::~TestServer() {
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : connections_) shutdown(fd, SHUT_RDWR);
  }
  threads_.clear();
  for (const int fd : connections_) close(fd);
  close(listener_);
}

void TestServer::Accept() {
  while (true) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    connections_.push_back(fd);
    threads_.emplace_back([this, fd] { Serve(fd); });
  }
}

void TestServer::Serve(int fd) {
  Request request;
  if (!ReadRequest(fd, request)) {
    shutdown(fd, SHUT_RDWR);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  const Response response = handler_(request);
  std::string head = absl::StrCat("HTTP/1.1 ", response.status, " Test\r\nConnection: close\r\n",
                                  "Content-Length: ", response.body.size(), "\r\n");
  for (const std::string& header : response.headers) absl::StrAppend(&head, header, "\r\n");
  SendAll(fd, head + "\r\n");
  if (request.method != "HEAD") SendAll(fd, response.body.substr(0, response.cut_after));
  std::string ignored;
  while (response.stall && ReadSome(fd, ignored)) {
  }
  shutdown(fd, SHUT_RDWR);
}

std::vector<TestServer::Request> TestServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

size_t TestServer::CountOf(const std::string& part) const {
  const auto all = requests();
  return static_cast<size_t>(std::count_if(all.begin(), all.end(), [&](const Request& request) {
    return request.target.find(part) != std::string::npos;
  }));
}

}  // namespace bulkhead::image
