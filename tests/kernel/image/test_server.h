#ifndef BULKHEAD_TESTS_KERNEL_IMAGE_TEST_SERVER_H_
#define BULKHEAD_TESTS_KERNEL_IMAGE_TEST_SERVER_H_

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace bulkhead::image {

// An HTTP/1.1 server on a loopback port that answers as a test wants it, sensibly or not. A
// connection carries one request.
class TestServer {
 public:
  struct Request {
    std::string method;
    std::string target;                          // "/v2/app/manifests/latest"
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
  };
  struct Response {
    int status = 200;
    std::vector<std::string> headers;  // "Name: value"
    std::string body;
    size_t cut_after = std::string::npos;  // bytes of the body, then the connection breaks
    bool stall = false;                    // after the body or the cut: silence until the end
  };
  // Called by several threads at once.
  using Handler = std::function<Response(const Request&)>;

  explicit TestServer(Handler handler);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  // All requests so far.
  std::vector<Request> requests() const;
  // How many went to targets with `part`.
  size_t CountOf(const std::string& part) const;

 private:
  void Accept();
  void Serve(int connection);

  const Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::vector<int> connections_;  // shut down to wake their threads
  std::vector<std::jthread> threads_;
  std::jthread acceptor_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_TESTS_KERNEL_IMAGE_TEST_SERVER_H_
