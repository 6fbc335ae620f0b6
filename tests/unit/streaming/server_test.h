#ifndef BULKHEAD_TESTS_UNIT_STREAMING_SERVER_TEST_H_
#define BULKHEAD_TESTS_UNIT_STREAMING_SERVER_TEST_H_

#include <chrono>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "shim/streaming/server.h"
#include "tests/unit/streaming/process_target.h"

namespace bulkhead::streaming {

// A server on a free port, with processes of this machine behind it.
class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override { Restart({}); }

  void Restart(const ServerOptions& options) {
    server_.reset();
    auto server = Server::Start(options, target_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::string Url(Request request) {
    const absl::StatusOr<std::string> url = server_->UrlFor(std::move(request));
    EXPECT_TRUE(url.ok()) << url.status();
    return url.value_or("");
  }

  // For what the server does on its own thread and tells nobody.
  static bool Eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  static size_t OpenDescriptors() {
    namespace fs = std::filesystem;
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  }

  ProcessTarget target_;
  std::unique_ptr<Server> server_;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_TESTS_UNIT_STREAMING_SERVER_TEST_H_
