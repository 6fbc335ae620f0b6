// Exec, attach and port-forward, over SPDY and WebSocket.
#include "nlohmann/json.hpp"
#include "tests/conformance/client/streaming/spdy_client.h"
#include "tests/conformance/client/streaming/websocket_client.h"
#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/user_namespace.h"

namespace bulkhead::fixture {
namespace {

using client::SpdyClient;
using client::WebSocketClient;
using spdy::StreamId;
using testing::HasSubstr;

constexpr char kSuccess[] = R"({"metadata":{},"status":"Success"})";

constexpr uint16_t kEchoPort = 18080;  // 0x46A0

class Streaming : public PodTest {
 protected:
  struct Session {
    std::unique_ptr<SpdyClient> client;
    StreamId error = 0, in = 0, out = 0, err = 0, resize = 0;

    std::string Status() {
      EXPECT_TRUE(client->AwaitEnd(error));
      return client->stream(error).data;
    }
    const std::string& Output() { return client->stream(out).data; }
    bool AwaitOutput(const std::string& text) {
      return client->RunUntil([&] { return Output().find(text) != std::string::npos; });
    }
  };

  v1::ExecRequest ExecRequest(const std::string& id, const std::string& script, bool tty = false) {
    v1::ExecRequest request;
    request.set_container_id(id);
    for (const char* word : {"sh", "-c"}) request.add_cmd(word);
    request.add_cmd(script);
    request.set_tty(tty);
    request.set_stdin(true);
    request.set_stdout(true);
    request.set_stderr(!tty);
    return request;
  }

  Session Open(const std::string& url, bool tty = false) {
    Session session{.client = Must(SpdyClient::Dial(url, {"v4.channel.k8s.io"}))};
    session.error = session.client->Open({{"streamtype", "error"}});
    session.in = session.client->Open({{"streamtype", "stdin"}});
    session.out = session.client->Open({{"streamtype", "stdout"}});
    if (!tty) session.err = session.client->Open({{"streamtype", "stderr"}});
    if (tty) session.resize = session.client->Open({{"streamtype", "resize"}});
    return session;
  }

  Session Run(const std::string& id, const std::string& script, bool tty = false) {
    return Open(Must(cri().Exec(ExecRequest(id, script, tty))), tty);
  }

  Session AttachTo(const std::string& id) {
    v1::AttachRequest request;
    request.set_container_id(id);
    request.set_stdin(true);
    request.set_stdout(true);
    request.set_stderr(true);
    return Open(Must(cri().Attach(request)));
  }

  // A server that sends back what comes.
  void StartEcho(const Pod& pod) {
    const std::string id = Start(pod, Shell("exec nc -ll -p 18080 -e cat"));
    const std::vector<std::string> listens = {"grep", "-q", ":46A0 ", "/proc/net/tcp",
                                              "/proc/net/tcp6"};
    Await([&] { return Must(cri().ExecSync(id, listens)).exit_code == 0; }, "the echo server");
  }

  // Three connections, one after the other.
  void ExpectForwarded(const Pod& pod, uint16_t port) {
    v1::PortForwardRequest request;
    request.set_pod_sandbox_id(pod.id);
    auto client = Must(SpdyClient::Dial(Must(cri().PortForward(request)), {"portforward.k8s.io"}));
    for (int i = 0; i < 3; ++i) {
      const std::string id = std::to_string(i);
      const std::string number = std::to_string(port);
      const StreamId error =
          client->Open({{"streamtype", "error"}, {"port", number}, {"requestid", id}});
      const StreamId data =
          client->Open({{"streamtype", "data"}, {"port", number}, {"requestid", id}});
      client->Send(data, "ping " + id);
      client->End(data);
      ASSERT_TRUE(client->AwaitEnd(data));
      EXPECT_EQ(client->stream(data).data, "ping " + id) << client->stream(error).data;
    }
  }
};

TEST_F(Streaming, ExecCarriesInputAndBothOutputsApart) {
  Session session = Run(Start(RunPod(), Idle()), "cat; echo problem >&2");
  session.client->Send(session.in, "hello");
  session.client->End(session.in);
  EXPECT_EQ(session.Status(), kSuccess);
  EXPECT_EQ(session.Output(), "hello");
  EXPECT_EQ(session.client->stream(session.err).data, "problem\n");
}

TEST_F(Streaming, ExecTellsExitCodesAndSignals) {
  const std::string id = Start(RunPod(), Idle());
  const auto code = [&](const std::string& script) {
    return nlohmann::json::parse(Run(id, script).Status())["details"]["causes"][0]["message"];
  };
  EXPECT_EQ(code("exit 7"), "7");
  EXPECT_EQ(code("kill -KILL $$"), "137");
}

TEST_F(Streaming, ExecHasATerminalOfTheClientsSize) {
  Session session = Run(Start(RunPod(), Idle()), "echo ready; read line; stty size", true);
  ASSERT_TRUE(session.AwaitOutput("ready"));
  session.client->Send(session.resize, R"({"Width":132,"Height":43})");
  // The size goes another way than the input: asked for until it has come.
  session.client->Send(session.in, "\n");
  ASSERT_EQ(session.Status(), kSuccess);
  Session sized = Run(Start(RunPod(), Idle()),
                      "until [ \"$(stty size)\" = '43 132' ]; do :; done; echo sized", true);
  sized.client->Send(sized.resize, R"({"Width":132,"Height":43})");
  EXPECT_EQ(sized.Status(), kSuccess);
}

TEST_F(Streaming, ExecOverWebSocketEndsItsInputFromVersionFiveOn) {
  const std::string url = Must(cri().Exec(ExecRequest(Start(RunPod(), Idle()), "cat; exit 3")));
  auto client = Must(WebSocketClient::Dial(url, {"v5.channel.k8s.io"}));
  Must(client->Send(std::string_view("\0hello", 6)));
  Must(client->Send(std::string_view("\xff\0", 2)));
  auto channels = Must(client->ReceiveAll());
  EXPECT_EQ(channels['\1'], "hello");
  EXPECT_THAT(channels['\3'], HasSubstr(R"("message":"3")"));
}

TEST_F(Streaming, ExecCarriesManyMegabytesUnchanged) {
  Session session = Run(Start(RunPod(), Idle()), "cat");
  std::string sent;
  for (uint32_t i = 0, x = 1; i < (64 << 20); ++i) {
    sent.push_back(static_cast<char>((x = x * 69069 + 1) >> 24));
  }
  session.client->Send(session.in, sent);
  session.client->End(session.in);
  EXPECT_EQ(session.Status(), kSuccess);
  EXPECT_TRUE(session.Output() == sent) << session.Output().size() << " bytes came back";
}

TEST_F(Streaming, ACommandSeesTheEndOfItsInputWhenItsClientLeaves) {
  const std::string id = Start(RunPod(), Idle());
  {
    Session session = Run(id, "echo up; cat; touch /tmp/ended");
    ASSERT_TRUE(session.AwaitOutput("up"));
  }
  Await(
      [&] {
        return Must(cri().ExecSync(id, {"test", "-e", "/tmp/ended"})).exit_code == 0;
      },
      "the end of the command");
}

TEST_F(Streaming, WhatACommandLeavesRunningKeepsNoClient) {
  const std::string id = Start(RunPod(), Idle());
  Session session = Run(id, "sleep 1000 & echo $!");
  EXPECT_EQ(session.Status(), kSuccess);
  EXPECT_EQ(Exec(id, "set -e; kill -0 " + session.Output() + "echo alive"), "alive\n");
}

TEST_F(Streaming, AttachReachesTheContainersOwnProcess) {
  v1::ContainerConfig config = Shell("while read line; do echo got $line; done; exit 3");
  config.set_stdin(true);
  const std::string id = Start(RunPod(), config);
  {
    Session first = AttachTo(id);
    first.client->Send(first.in, "one\n");
    ASSERT_TRUE(first.AwaitOutput("got one"));
  }
  Session second = AttachTo(id);  // The container goes on without the first.
  second.client->Send(second.in, "two\n");
  ASSERT_TRUE(second.AwaitOutput("got two"));
  EXPECT_EQ(Status(id).state(), v1::CONTAINER_RUNNING);
}

TEST_F(Streaming, AttachToAContainerWithStdinOnceEndsItsInput) {
  v1::ContainerConfig config = Shell("cat; exit 3");
  config.set_stdin(true);
  config.set_stdin_once(true);
  const std::string id = Start(RunPod(), config);
  Session session = AttachTo(id);
  session.client->Send(session.in, "all");
  session.client->End(session.in);
  EXPECT_EQ(session.Status(), kSuccess);
  EXPECT_EQ(session.Output(), "all");
  EXPECT_EQ(AwaitExit(id).exit_code(), 3);
}

TEST_F(Streaming, PortForwardReachesThePodsLocalhost) {
  Pod pod = RunPod();
  StartEcho(pod);
  ExpectForwarded(pod, kEchoPort);
}

TEST_F(Streaming, PortForwardReachesAPodOfTheHostsNetwork) {
  Pod pod = RunPod(HostNetworkPodConfig());
  StartEcho(pod);
  ExpectForwarded(pod, kEchoPort);
}

TEST_F(Streaming, AllThreeReachAPodWithAUserNamespace) {
  if (!HasUserNamespaces(cri())) GTEST_SKIP() << "the runtime has no user namespaces here";
  v1::PodSandboxConfig pod_config = PodConfig();
  *pod_config.mutable_linux()
       ->mutable_security_context()
       ->mutable_namespace_options()
       ->mutable_userns_options() = MappedUserNamespace();
  const Pod pod = RunPod(pod_config);
  constexpr char kWhere[] = "set -- $(cat /proc/self/uid_map); echo $1 $2 $3";
  v1::ContainerConfig config = Shell(std::string("while read line; do ") + kWhere + "; done");
  config.set_stdin(true);
  const std::string id = Start(pod, config);
  for (const bool terminal : {false, true}) {
    Session command = Run(id, kWhere, terminal);
    EXPECT_EQ(command.Status(), kSuccess);
    EXPECT_EQ(command.Output(), terminal ? "0 131072 65536\r\n" : "0 131072 65536\n");
  }
  Session attached = AttachTo(id);
  attached.client->Send(attached.in, "\n");
  EXPECT_TRUE(attached.AwaitOutput("0 131072 65536"));
  StartEcho(pod);
  ExpectForwarded(pod, kEchoPort);
}

TEST_F(Streaming, GivesNoUrlForWhatIsNotThereOrDoesNotRun) {
  EXPECT_TRUE(absl::IsNotFound(cri().Exec(ExecRequest("none", "true")).status()));
  const Pod pod = RunPod();
  const std::string created = Create(pod, Idle());
  EXPECT_FALSE(cri().Exec(ExecRequest(created, "true")).ok());
}

}  // namespace
}  // namespace bulkhead::fixture
