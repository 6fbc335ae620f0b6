#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

#include "tests/kernel/pods/real_pods.h"
#include "tests/kernel/pods/stream_client.h"

namespace bulkhead::pods {
namespace {

using ::testing::HasSubstr;

class Connect : public RealPods {
 protected:
  // A network namespace of its own: of CNI it needs nothing but the loopback.
  std::string PodOfItsOwn() {
    spec::PodSpec pod = PodOf("web");
    pod.security.namespaces.network = spec::NamespaceMode::kPod;
    return Run(pod);
  }
  // Listens in the network namespace of a pod; on the host for one without its own.
  void Listen(const std::string& pod, const char* address) {
    const std::string netns = pods_->PodSandboxStatus(pod)->network_namespace;
    std::thread([&] {
      if (!netns.empty()) {
        const UniqueFd name_space(open(netns.c_str(), O_RDONLY | O_CLOEXEC));
        ASSERT_EQ(setns(name_space.get(), CLONE_NEWNET), 0) << netns;
      }
      const bool v6 = strchr(address, ':') != nullptr;
      listener_.reset(socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    }).join();
    sockaddr_storage at{};
    socklen_t size = 0;
    auto& v4 = reinterpret_cast<sockaddr_in&>(at);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(at);
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      size = sizeof(v4);
    } else {
      ASSERT_EQ(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
      v6.sin6_family = AF_INET6;
      size = sizeof(v6);
    }
    ASSERT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), size), 0);
    ASSERT_EQ(listen(listener_.get(), 5), 0);
    ASSERT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(v4.sin_port);
  }
  // A connection and an answer.
  std::string Ask(const std::string& pod) {
    const auto socket = pods_->Connect(pod, port_);
    if (!socket.ok()) return socket.status().ToString();
    const UniqueFd server(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!WriteAll(socket->get(), "question")) return "cannot write";
    const std::string question = ReadUntil(server.get(), "question");
    if (!WriteAll(server.get(), question + "-answer")) return "cannot answer";
    return ReadUntil(socket->get(), "answer");
  }

  UniqueFd listener_;
  uint16_t port_ = 0;
};

TEST_F(Connect, ReachesALocalhostOfThePodThatIsNotTheHosts) {
  const std::string pod = PodOfItsOwn();
  Listen(pod, "127.0.0.1");
  EXPECT_EQ(Ask(pod), "question-answer");
  // Nobody listens there on the host.
  EXPECT_FALSE(pods_->Connect(Run(PodOf("host")), port_).ok());
}

TEST_F(Connect, ReachesOneThatListensOnIPv6Only) {
  const std::string pod = PodOfItsOwn();
  Listen(pod, "::1");
  EXPECT_EQ(Ask(pod), "question-answer");
}

TEST_F(Connect, ReachesTheHostsForAPodOnItsNetwork) {
  const std::string pod = Run(PodOf("web"));
  Listen(pod, "127.0.0.1");
  EXPECT_EQ(Ask(pod), "question-answer");
}

TEST_F(Connect, TellsWhatBothAddressesSaid) {
  const auto socket = pods_->Connect(PodOfItsOwn(), 8080);
  EXPECT_EQ(socket.status().code(), absl::StatusCode::kUnavailable);
  const std::string message(socket.status().message());
  EXPECT_THAT(message, HasSubstr("8080"));
  EXPECT_THAT(message, HasSubstr("127.0.0.1: connect: Connection refused"));
  EXPECT_THAT(message, HasSubstr("[::1]: connect: Connection refused"));
}

TEST_F(Connect, RefusesWhatIsNotThereOrNotReady) {
  EXPECT_EQ(pods_->Connect("none", 80).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(pods_->CheckPortForward("none").code(), absl::StatusCode::kNotFound);
  const std::string pod = PodOfItsOwn();
  EXPECT_TRUE(pods_->CheckPortForward(pod).ok());
  EXPECT_EQ(pods_->Connect(pod, 0).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(pods_->StopPodSandbox(pod).ok());
  EXPECT_EQ(pods_->CheckPortForward(pod).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(pods_->Connect(pod, 80).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace bulkhead::pods
