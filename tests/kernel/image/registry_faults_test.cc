#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <latch>
#include <stop_token>
#include <thread>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/kernel/image/service_fixture.h"

namespace bulkhead::image {
namespace {

using ::testing::HasSubstr;

using Request = TestServer::Request;
using Response = TestServer::Response;

// Bytes that compress badly, so that a blob is large.
std::string Noise(size_t size) {
  std::string bytes(size, '\0');
  uint64_t state = 88172645463325252;
  for (char& c : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    c = static_cast<char>(state);
  }
  return bytes;
}

BuiltImage LargeImage() { return Build({.layers = {OneFile("noise", Noise(4 << 20))}}); }

class RegistryFaults : public ServiceTest {};

TEST_F(RegistryFaults, APullGoesOnWhereTheConnectionBroke) {
  const BuiltImage image = LargeImage();
  const std::string& layer = image.layers[0].digest;
  std::atomic<int> cuts = 0;
  TestServer server([&](const Request& request) {
    Response response = Serve(image, request);
    if (request.target.find(layer) != std::string::npos && cuts++ < 2) response.cut_after = 1 << 20;
    return response;
  });
  const auto pulled = service_->Pull(server.host() + "/app", {});
  ASSERT_TRUE(pulled.ok()) << pulled.status();
  std::vector<std::string> ranges;
  for (const Request& request : server.requests()) {
    const auto range = request.headers.find("range");
    if (range != request.headers.end()) ranges.push_back(range->second);
  }
  EXPECT_THAT(ranges, testing::ElementsAre("bytes=1048576-", "bytes=2097152-"));
}

TEST_F(RegistryFaults, AServerWithoutRangesSendsAllAgainAndItFits) {
  const BuiltImage image = LargeImage();
  std::atomic<int> cuts = 0;
  TestServer server([&](Request request) {
    request.headers.erase("range");
    Response response = Serve(image, request);
    if (response.body.size() > (1 << 20) && cuts++ == 0) response.cut_after = 1 << 20;
    return response;
  });
  const auto pulled = service_->Pull(server.host() + "/app", {});
  EXPECT_TRUE(pulled.ok()) << pulled.status();
}

TEST_F(RegistryFaults, OverloadIsWaitedOut) {
  const BuiltImage image = Build({.layers = {OneFile("a", "1")}});
  std::atomic<int> seen = 0;
  TestServer server([&](const Request& request) -> Response {
    if (seen++ < 2) return {.status = seen == 1 ? 429 : 503, .headers = {"Retry-After: 0"}};
    return Serve(image, request);
  });
  EXPECT_TRUE(service_->Pull(server.host() + "/app", {}).ok());
}

TEST_F(RegistryFaults, ACancelledPullEndsSoonAndLeavesNothing) {
  const BuiltImage image = LargeImage();
  std::latch stalled(1);
  TestServer server([&](const Request& request) {
    Response response = Serve(image, request);
    if (response.body.size() > (1 << 20)) {
      response.cut_after = 1 << 20;
      response.stall = true;
      stalled.count_down();
    }
    return response;
  });
  std::stop_source stop;
  std::jthread canceller([&] {
    stalled.wait();
    stop.request_stop();
  });
  const absl::Time start = absl::Now();
  const auto pulled = service_->Pull(server.host() + "/app", {}, {.stop = stop.get_token()});
  EXPECT_TRUE(absl::IsCancelled(pulled.status())) << pulled.status();
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  ExpectNothingLeft();
}

TEST_F(RegistryFaults, ADeadlineEndsAPullThatHangs) {
  TestServer server(
      [](const Request&) { return Response{.body = "{", .cut_after = 0, .stall = true}; });
  const auto pulled = service_->Pull(server.host() + "/app", {},
                                     {.deadline = absl::Now() + absl::Milliseconds(300)});
  EXPECT_TRUE(absl::IsDeadlineExceeded(pulled.status())) << pulled.status();
  ExpectNothingLeft();
}

TEST_F(RegistryFaults, AProcessKilledInAPullLeavesNothingThatCounts) {
  const BuiltImage image = LargeImage();
  std::latch stalled(1);
  TestServer server([&](const Request& request) {
    Response response = Serve(image, request);
    if (response.body.size() > (1 << 20)) {
      response.cut_after = 3 << 20;
      response.stall = true;
      stalled.count_down();
    }
    return response;
  });
  const std::string reference = server.host() + "/app";
  // The child takes the part of the daemon. It runs only the service, on a directory of its own.
  service_.reset();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto service = ImageService::Open(Options());
    if (service.ok()) (*service)->Pull(reference, {}).status().IgnoreError();
    _exit(0);
  }
  stalled.wait();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(LayersOnDisk(), 0u);
  Open();
  ExpectNothingLeft();
}

TEST_F(RegistryFaults, OpeningLeavesThePullsOfOtherProcessesAlone) {
  const BuiltImage image = LargeImage();
  std::latch stalled(1), opened(1);
  TestServer server([&](const Request& request) {
    Response response = Serve(image, request);
    if (response.body.size() > (1 << 20)) {
      stalled.count_down();
      opened.wait();
    }
    return response;
  });
  std::jthread pulling([&] {
    const auto pulled = service_->Pull(server.host() + "/app", {});
    EXPECT_TRUE(pulled.ok()) << pulled.status();
  });
  stalled.wait();
  EXPECT_EQ(UnfinishedOnDisk(), 1u);
  auto second = ImageService::Open(Options());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(UnfinishedOnDisk(), 1u);
  opened.count_down();
  pulling.join();
  EXPECT_EQ((*second)->List()->size(), 1u);
}

TEST_F(RegistryFaults, PullsAtTheSameTimeFetchALayerOnceButEachUserAsksForTheManifest) {
  const BuiltImage image = Build({.layers = {OneFile("a", "1")}});
  std::latch release(1);
  std::latch asked(2);  // one joined pull, one of another user
  TestServer server([&](const Request& request) {
    if (request.target.find("/manifests/") != std::string::npos) {
      asked.count_down();
      release.wait();
    }
    return Serve(image, request);
  });
  const std::string reference = server.host() + "/app";
  std::vector<std::jthread> pulls;
  for (const char* user : {"jane", "jane", "jane", "joe"}) {
    pulls.emplace_back([&, user] {
      const auto pulled = service_->Pull(reference, {.username = user});
      EXPECT_TRUE(pulled.ok()) << pulled.status();
    });
  }
  asked.wait();
  release.count_down();
  pulls.clear();
  EXPECT_GE(server.CountOf("/manifests/"), 2u);
  EXPECT_EQ(server.CountOf(image.layers[0].digest), 1u);
}

TEST_F(RegistryFaults, RedirectsTakeNoCredentialsToAnotherHost) {
  const BuiltImage image = Build({.layers = {OneFile("a", "1")}});
  TestServer storage([&](const Request& request) { return Serve(image, request); });
  TestServer registry([&](const Request& request) -> Response {
    if (!request.headers.contains("authorization")) {
      return {.status = 401, .headers = {"WWW-Authenticate: Basic realm=\"x\""}};
    }
    if (request.target.find("/blobs/") == std::string::npos) return Serve(image, request);
    return {.status = 307,
            .headers = {"Location: http://" + storage.host() + request.target + "?signature=1"}};
  });
  const auto pulled =
      service_->Pull(registry.host() + "/app", {.username = "jane", .password = "s3cret"});
  ASSERT_TRUE(pulled.ok()) << pulled.status();
  ASSERT_EQ(storage.requests().size(), 2u);
  for (const Request& request : storage.requests()) {
    EXPECT_FALSE(request.headers.contains("authorization"));
  }
}

TEST_F(RegistryFaults, AskForNoCredentialsOnBehalfOfAnotherHost) {
  const BuiltImage image = Build({.layers = {OneFile("a", "1")}});
  std::string storage_host;
  TestServer storage([&](const Request& request) -> Response {
    if (request.target.starts_with("/token")) return {.body = "{\"token\": \"t\"}"};
    return {.status = 401,
            .headers = {"WWW-Authenticate: Bearer realm=\"http://" + storage_host + "/token\""}};
  });
  storage_host = storage.host();
  TestServer registry([&](const Request& request) -> Response {
    if (request.target.find("/blobs/") == std::string::npos) return Serve(image, request);
    return {.status = 307, .headers = {"Location: http://" + storage_host + request.target}};
  });
  const auto pulled =
      service_->Pull(registry.host() + "/app", {.username = "jane", .password = "s3cret"});
  EXPECT_TRUE(absl::IsUnauthenticated(pulled.status())) << pulled.status();
  EXPECT_EQ(storage.CountOf("/token"), 0u);
}

TEST_F(RegistryFaults, ATokenServerIsAskedOnceAndItsTokenSent) {
  const BuiltImage image = Build({.layers = {OneFile("a", "1")}});
  TestServer tokens([&](const Request& request) -> Response {
    const auto login = request.headers.find("authorization");
    // base64 of "jane:s3cret"
    if (login == request.headers.end() || login->second != "Basic amFuZTpzM2NyZXQ=") {
      return {.status = 401};
    }
    return {.body = R"({"token":"t0ken"})"};
  });
  TestServer registry([&](const Request& request) -> Response {
    const auto sent = request.headers.find("authorization");
    if (sent != request.headers.end() && sent->second == "Bearer t0ken") {
      return Serve(image, request);
    }
    return {.status = 401,
            .headers = {"WWW-Authenticate: Bearer realm=\"http://" + tokens.host() +
                        "/token\",service=\"reg\",scope=\"repository:app:pull\""}};
  });
  const std::string reference = registry.host() + "/app";
  ASSERT_TRUE(service_->Pull(reference, {.username = "jane", .password = "s3cret"}).ok());
  EXPECT_EQ(tokens.CountOf("service=reg&scope=repository%3Aapp%3Apull"), 1u);
  EXPECT_EQ(tokens.requests().size(), 1u);
  EXPECT_TRUE(absl::IsUnauthenticated(service_->Pull(reference, {}).status()));
}

TEST_F(RegistryFaults, AnIdentityTokenIsExchangedByPost) {
  const BuiltImage image = Build({.layers = {OneFile("a", "1")}});
  TestServer tokens([&](const Request& request) -> Response {
    const bool right = request.method == "POST" &&
                       request.body.find("grant_type=refresh_token") != std::string::npos &&
                       request.body.find("refresh_token=1d%2Ft0ken") != std::string::npos;
    return right ? Response{.body = R"({"access_token":"t0ken"})"} : Response{.status = 400};
  });
  TestServer registry([&](const Request& request) -> Response {
    const auto sent = request.headers.find("authorization");
    if (sent != request.headers.end() && sent->second == "Bearer t0ken") {
      return Serve(image, request);
    }
    return {.status = 401,
            .headers = {"WWW-Authenticate: Bearer realm=\"http://" + tokens.host() + "/token\""}};
  });
  EXPECT_TRUE(service_->Pull(registry.host() + "/app", {.identity_token = "1d/t0ken"}).ok());
}

TEST_F(RegistryFaults, RefusesDocumentsThatAreTooLarge) {
  TestServer endless([](const Request&) { return Response{.body = std::string(5 << 20, ' ')}; });
  const auto pulled = service_->Pull(endless.host() + "/app", {});
  EXPECT_TRUE(absl::IsResourceExhausted(pulled.status())) << pulled.status();
  EXPECT_THAT(std::string(pulled.status().message()), HasSubstr("over 4 MiB"));
}

TEST_F(RegistryFaults, RefusesABlobThatIsLongerThanItsDescriptor) {
  const BuiltImage image = Build({.layers = {OneFile("a", "1")}});
  TestServer server([&](const Request& request) {
    Response response = Serve(image, request);
    if (request.target.find(image.layers[0].digest) != std::string::npos) {
      response.body += std::string(1 << 20, 'x');
    }
    return response;
  });
  const auto pulled = service_->Pull(server.host() + "/app", {});
  EXPECT_TRUE(absl::IsDataLoss(pulled.status())) << pulled.status();
  ExpectNothingLeft();
}

TEST_F(RegistryFaults, RefusesAManifestThatTheDigestDoesNotName) {
  const BuiltImage image = Build({.layers = {OneFile("a", "1")}});
  TestServer server([&](const Request& request) { return Serve(image, request); });
  const auto pulled = service_->Pull(server.host() + "/app@" + Digest::Of("another").str(), {});
  EXPECT_TRUE(absl::IsDataLoss(pulled.status())) << pulled.status();
}

}  // namespace
}  // namespace bulkhead::image
