#include "shim/cri/server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <set>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/cri/api.grpc.pb.h"
#include "tests/unit/cri/fakes.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// A server on a socket of its own, in front of fakes, and a client.
class CriServer : public testing::Test {
 protected:
  void SetUp() override { StartServer({}); }
  // Whatever a test leaves waiting would keep the server from going down.
  void TearDown() override { pods_.may_start.Open(); }

  void StartServer(ServerOptions options) {
    server_.reset();
    options.socket = folder_.path() + "/cri.sock";
    options.socket_gid = getgid();
    absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(
        options,
        {.pods = &pods_, .network = &network_, .streams = &urls_, .node = {.version = "1.2.3"}},
        [this](const CallRecord& record) { Keep(record); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel("unix:" + options.socket,
                                         grpc::InsecureChannelCredentials(), arguments);
    stub_ = v1::RuntimeService::NewStub(channel_);
  }

  void Keep(const CallRecord& record) {
    const std::lock_guard lock(mutex_);
    records_.push_back(record);
    recorded_.notify_all();
  }

  CallRecord Record(size_t index) {
    std::unique_lock lock(mutex_);
    recorded_.wait(lock, [&] { return records_.size() > index; });
    return records_[index];
  }

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (v1::RuntimeService::Stub::*method)(grpc::ClientContext*,
                                                                     const Request&, Response*),
                    const Request& request, Response& response) {
    grpc::ClientContext context;
    return (stub_.get()->*method)(&context, request, &response);
  }

  // An empty request to any method, streams included.
  grpc::Status CallEmpty(const google::protobuf::MethodDescriptor& method) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(
        &context, "/" + method.service()->full_name() + "/" + method.name(), &queue);
    grpc::ByteBuffer request(nullptr, 0);
    grpc::ByteBuffer response;
    grpc::Status status;
    call->StartCall(nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    call->WriteLast(request, {}, nullptr);
    queue.Next(&tag, &ok);
    call->Read(&response, nullptr);
    queue.Next(&tag, &ok);
    call->Finish(&status, nullptr);
    queue.Next(&tag, &ok);
    return status;
  }

  std::set<std::string> NotBuilt(const std::string& service) {
    const auto& descriptor = *v1::VersionRequest::descriptor()->file()->FindServiceByName(service);
    std::set<std::string> names;
    for (int i = 0; i < descriptor.method_count(); ++i) {
      const auto& method = *descriptor.method(i);
      if (method.name() == "GetContainerEvents" || built_images_.contains(method.name())) continue;
      const grpc::Status status = CallEmpty(method);
      if (status.error_code() != grpc::StatusCode::UNIMPLEMENTED) continue;
      names.insert(method.name());
      EXPECT_THAT(status.error_message(), HasSubstr(method.name() + " is not built yet: "));
    }
    return names;
  }

  // Need a store, so they are called by other tests.
  const std::set<std::string> built_images_ = {"ListImages", "ImageStatus", "PullImage",
                                               "RemoveImage", "ImageFsInfo"};
  const TemporaryFolder folder_;
  FakePods pods_;
  FakeNetwork network_;
  FakeUrls urls_;
  std::mutex mutex_;
  std::condition_variable recorded_;
  std::vector<CallRecord> records_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::RuntimeService::Stub> stub_;
};

TEST_F(CriServer, AnswersEveryRpcThatIsNotBuiltWithASentence) {
  pods_.may_start.Open();
  EXPECT_THAT(NotBuilt("RuntimeService"),
              testing::UnorderedElementsAre(
                  "StreamPodSandboxes", "StreamContainers", "ContainerStats", "ListContainerStats",
                  "StreamContainerStats", "PodSandboxStats", "ListPodSandboxStats",
                  "StreamPodSandboxStats", "CheckpointContainer", "CheckpointPod", "RestorePod",
                  "ListMetricDescriptors", "ListPodSandboxMetrics", "StreamPodSandboxMetrics"));
  EXPECT_THAT(NotBuilt("ImageService"), testing::UnorderedElementsAre("StreamImages"));
}

TEST_F(CriServer, TellsItsVersion) {
  v1::VersionResponse response;
  ASSERT_TRUE(Call(&v1::RuntimeService::Stub::Version, v1::VersionRequest(), response).ok());
  EXPECT_EQ(response.version(), "0.1.0");
  EXPECT_EQ(response.runtime_name(), "bulkhead");
  EXPECT_EQ(response.runtime_version(), "1.2.3");
  EXPECT_EQ(response.runtime_api_version(), "v1");
}

TEST_F(CriServer, TellsWhyTheNetworkIsNotReady) {
  network_.readiness = {.reason = "NoConfiguration", .message = "there is no file in /etc/cni"};
  v1::StatusResponse response;
  ASSERT_TRUE(Call(&v1::RuntimeService::Stub::Status, v1::StatusRequest(), response).ok());
  ASSERT_EQ(response.status().conditions_size(), 2);
  EXPECT_EQ(response.status().conditions(0).type(), "RuntimeReady");
  EXPECT_TRUE(response.status().conditions(0).status());
  EXPECT_EQ(response.status().conditions(1).type(), "NetworkReady");
  EXPECT_FALSE(response.status().conditions(1).status());
  EXPECT_EQ(response.status().conditions(1).reason(), "NoConfiguration");
}

TEST_F(CriServer, ListsTheDefaultHandler) {
  v1::StatusResponse response;
  ASSERT_TRUE(Call(&v1::RuntimeService::Stub::Status, v1::StatusRequest(), response).ok());
  ASSERT_EQ(response.runtime_handlers_size(), 1);
  EXPECT_EQ(response.runtime_handlers(0).name(), "");
  EXPECT_FALSE(response.runtime_handlers(0).features().user_namespaces());
}

TEST_F(CriServer, TellsItsCgroupDriver) {
  v1::RuntimeConfigResponse response;
  ASSERT_TRUE(
      Call(&v1::RuntimeService::Stub::RuntimeConfig, v1::RuntimeConfigRequest(), response).ok());
  EXPECT_EQ(response.linux().cgroup_driver(), v1::CGROUPFS);
}

TEST_F(CriServer, LogsWhoAskedForWhichPod) {
  v1::RunPodSandboxRequest request;
  request.mutable_config()->mutable_metadata()->set_name("web");
  request.mutable_config()->mutable_metadata()->set_namespace_("default");
  v1::RunPodSandboxResponse response;
  ASSERT_TRUE(Call(&v1::RuntimeService::Stub::RunPodSandbox, request, response).ok());
  EXPECT_EQ(response.pod_sandbox_id(), "p1");
  const CallRecord record = Record(0);
  EXPECT_EQ(record.method, "RunPodSandbox");
  EXPECT_EQ(record.pod, "default/web");
  EXPECT_EQ(record.pod_id, "p1");
  EXPECT_EQ(record.peer, (Peer{.pid = getpid(), .uid = getuid(), .gid = getgid()}));
  EXPECT_TRUE(record.status.ok());
}

TEST_F(CriServer, LogsNothingOfAnEnvironment) {
  v1::CreateContainerRequest request;
  request.set_pod_sandbox_id("p1");
  request.mutable_config()->mutable_metadata()->set_name("nginx");
  request.mutable_config()->mutable_image()->set_image("busybox");
  v1::KeyValue& variable = *request.mutable_config()->add_envs();
  variable.set_key("TOKEN");
  variable.set_value("hunter2");
  v1::CreateContainerResponse response;
  ASSERT_TRUE(Call(&v1::RuntimeService::Stub::CreateContainer, request, response).ok());
  EXPECT_EQ(pods_.container_spec.env.at(0).second, "hunter2");
  const std::string line = ToEvent(Record(0)).line();
  EXPECT_THAT(line, HasSubstr("container=nginx"));
  EXPECT_THAT(line, HasSubstr("container_id=c1"));
  EXPECT_THAT(line, Not(HasSubstr("hunter2")));
}

TEST_F(CriServer, RefusesAnEmptyIdThatWouldFitEveryContainer) {
  v1::RemoveContainerResponse response;
  const grpc::Status status =
      Call(&v1::RuntimeService::Stub::RemoveContainer, v1::RemoveContainerRequest(), response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "container_id: is empty");
}

TEST_F(CriServer, TellsAPodWithItsContainers) {
  v1::PodSandboxStatusRequest request;
  request.set_pod_sandbox_id("p1");
  request.set_verbose(true);
  v1::PodSandboxStatusResponse response;
  ASSERT_TRUE(Call(&v1::RuntimeService::Stub::PodSandboxStatus, request, response).ok());
  EXPECT_EQ(response.status().metadata().name(), "web");
  ASSERT_EQ(response.containers_statuses_size(), 1);
  EXPECT_EQ(response.containers_statuses(0).id(), "c1");
  EXPECT_EQ(response.timestamp(), 99);
  EXPECT_TRUE(response.info().contains("info"));
}

TEST_F(CriServer, PassesTheCodeOfAnErrorOn) {
  v1::ContainerStatusRequest request;
  request.set_container_id("c2");
  v1::ContainerStatusResponse response;
  const grpc::Status status = Call(&v1::RuntimeService::Stub::ContainerStatus, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no container c2");
}

TEST_F(CriServer, CutsAnErrorThatWouldNotFitIntoAnAnswer) {
  pods_.exec_result = absl::InternalError(std::string(100'000, 'x'));
  v1::ExecSyncRequest request;
  request.set_container_id("c1");
  request.add_cmd("true");
  v1::ExecSyncResponse response;
  const grpc::Status status = Call(&v1::RuntimeService::Stub::ExecSync, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("xxx…"));
}

TEST_F(CriServer, RunsACommandAndReturnsItsOutput) {
  pods_.exec_result = pods::ExecResult{
      .standard_output = std::string("a\0\xff", 3), .standard_error = "e", .exit_code = 3};
  v1::ExecSyncRequest request;
  request.set_container_id("c1");
  request.add_cmd("sh");
  request.set_timeout(5);
  v1::ExecSyncResponse response;
  ASSERT_TRUE(Call(&v1::RuntimeService::Stub::ExecSync, request, response).ok());
  EXPECT_EQ(response.stdout(), std::string("a\0\xff", 3));
  EXPECT_EQ(response.stderr(), "e");
  EXPECT_EQ(response.exit_code(), 3);
  EXPECT_THAT(pods_.command, ElementsAre("sh"));
  EXPECT_EQ(pods_.timeout, std::chrono::seconds(5));
}

TEST_F(CriServer, PassesAnAnswerOf15MiB) {
  pods_.exec_result = pods::ExecResult{.standard_output = std::string(15 << 20, 'x')};
  v1::ExecSyncRequest request;
  request.set_container_id("c1");
  request.add_cmd("cat");
  v1::ExecSyncResponse response;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(16 << 20);
  auto stub = v1::RuntimeService::NewStub(grpc::CreateCustomChannel(
      "unix:" + folder_.path() + "/cri.sock", grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  const grpc::Status status = stub->ExecSync(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.stdout().size(), size_t{15} << 20);
}

TEST_F(CriServer, GivesUrlsForStreams) {
  v1::ExecRequest exec;
  exec.set_container_id("c1");
  exec.add_cmd("sh");
  exec.set_tty(true);
  exec.set_stdin(true);
  exec.set_stdout(true);
  v1::ExecResponse exec_response;
  ASSERT_TRUE(Call(&v1::RuntimeService::Stub::Exec, exec, exec_response).ok());
  EXPECT_EQ(exec_response.url(), "http://127.0.0.1:1/x");
  v1::AttachRequest attach;
  attach.set_container_id("c1");
  attach.set_stderr(true);
  v1::AttachResponse attach_response;
  ASSERT_TRUE(Call(&v1::RuntimeService::Stub::Attach, attach, attach_response).ok());
  v1::PortForwardRequest forward;
  forward.set_pod_sandbox_id("p1");
  forward.add_port(80);
  v1::PortForwardResponse forward_response;
  ASSERT_TRUE(Call(&v1::RuntimeService::Stub::PortForward, forward, forward_response).ok());

  ASSERT_EQ(urls_.requests.size(), 3u);
  const auto& first = std::get<streaming::ExecRequest>(urls_.requests[0]);
  EXPECT_THAT(first.command, ElementsAre("sh"));
  EXPECT_EQ(first.streams, (pods::StreamSelection{
                               .standard_input = true, .standard_output = true, .terminal = true}));
  EXPECT_TRUE(std::get<streaming::AttachRequest>(urls_.requests[1]).streams.standard_error);
  EXPECT_THAT(std::get<streaming::PortForwardRequest>(urls_.requests[2]).ports, ElementsAre(80));
}

TEST_F(CriServer, RefusesRequestsForStreamsThatCannotBeServed) {
  v1::ExecRequest exec;
  v1::ExecResponse exec_response;
  const auto refusal = [&](const v1::ExecRequest& request) {
    const grpc::Status status = Call(&v1::RuntimeService::Stub::Exec, request, exec_response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  EXPECT_THAT(refusal(exec), HasSubstr("container_id"));
  exec.set_container_id("c1");
  EXPECT_THAT(refusal(exec), HasSubstr("cmd"));
  exec.add_cmd("sh");
  EXPECT_THAT(refusal(exec), HasSubstr("stdin"));
  exec.set_stderr(true);
  exec.set_tty(true);
  EXPECT_THAT(refusal(exec), HasSubstr("stderr"));
  v1::AttachRequest attach;
  attach.set_container_id("c1");
  v1::AttachResponse attach_response;
  EXPECT_EQ(Call(&v1::RuntimeService::Stub::Attach, attach, attach_response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  v1::PortForwardRequest forward;
  forward.set_pod_sandbox_id("p1");
  forward.add_port(0);
  v1::PortForwardResponse forward_response;
  EXPECT_THAT(
      Call(&v1::RuntimeService::Stub::PortForward, forward, forward_response).error_message(),
      HasSubstr("port[0]"));
  EXPECT_THAT(urls_.requests, testing::IsEmpty());
}

TEST_F(CriServer, CutsAGracePeriodThatNoClockCanHold) {
  v1::StopContainerRequest request;
  request.set_container_id("c1");
  request.set_timeout(INT64_MAX);
  v1::StopContainerResponse response;
  ASSERT_TRUE(Call(&v1::RuntimeService::Stub::StopContainer, request, response).ok());
  EXPECT_EQ(pods_.grace, std::chrono::hours(24 * 365 * 100));
  request.set_timeout(-1);
  EXPECT_EQ(Call(&v1::RuntimeService::Stub::StopContainer, request, response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(CriServer, TakesAPodAddressRangeAndRefusesWhatIsNone) {
  v1::UpdateRuntimeConfigRequest request;
  v1::UpdateRuntimeConfigResponse response;
  std::string& cidr =
      *request.mutable_runtime_config()->mutable_network_config()->mutable_pod_cidr();
  for (const char* good : {"", "10.1.0.0/24", "10.1.0.0/24,fd00::/64"}) {
    cidr = good;
    EXPECT_TRUE(Call(&v1::RuntimeService::Stub::UpdateRuntimeConfig, request, response).ok());
  }
  for (const char* bad : {"10.1.0.0", "10.1.0.0/33", "10.1.0.0/24,", "x/8"}) {
    cidr = bad;
    EXPECT_EQ(Call(&v1::RuntimeService::Stub::UpdateRuntimeConfig, request, response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT)
        << bad;
  }
}

class CriEvents : public CriServer {
 protected:
  void SetUp() override {
    CriServer::SetUp();
    reader_ = stub_->GetContainerEvents(&context_, v1::GetEventsRequest());
    reader_->WaitForInitialMetadata();  // From here on there is a subscription.
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::ContainerEventResponse>> reader_;
};

TEST_F(CriEvents, ReachTheirSubscriber) {
  pods_.subscription->Push({.container_id = "c1",
                            .type = pods::ContainerEvent::Type::kStopped,
                            .created_at = 5,
                            .pod = FakePods::Pod()});
  v1::ContainerEventResponse event;
  ASSERT_TRUE(reader_->Read(&event));
  EXPECT_EQ(event.container_id(), "c1");
  EXPECT_EQ(event.container_event_type(), v1::CONTAINER_STOPPED_EVENT);
  EXPECT_EQ(event.created_at(), 5);
  EXPECT_EQ(event.pod_sandbox_status().id(), "p1");
  ASSERT_EQ(event.containers_statuses_size(), 1);
  EXPECT_EQ(event.containers_statuses(0).id(), "c1");
}

TEST_F(CriEvents, EndWithAnErrorWhenTheSubscriberFallsBehind) {
  const pods::ContainerEvent large{.container_id = std::string(1 << 20, 'x')};
  // Nobody reads: what flow control does not take piles up behind two.
  for (int i = 0; i < 100; ++i) pods_.subscription->Push(large);
  v1::ContainerEventResponse event;
  while (reader_->Read(&event)) {
  }
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(CriEvents, EndAtOnceWhenTheClientLeaves) {
  context_.TryCancel();
  const CallRecord record = Record(0);
  EXPECT_EQ(record.method, "GetContainerEvents");
  EXPECT_EQ(record.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(record.peer.pid, getpid());
}

TEST_F(CriEvents, EndWithoutGraceWhenTheServerIsDrained) {
  const absl::Time start = absl::Now();
  server_->Drain(absl::Minutes(5));
  EXPECT_LT(absl::Now() - start, absl::Minutes(1));
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

class CriDrain : public CriServer {
 protected:
  void SetUp() override {
    CriServer::SetUp();
    request_.set_container_id("c1");
    call_ = std::async(std::launch::async, [this] {
      v1::StartContainerResponse response;
      return Call(&v1::RuntimeService::Stub::StartContainer, request_, response);
    });
    pods_.starting.Wait();
  }

  v1::StartContainerRequest request_;
  std::future<grpc::Status> call_;
};

TEST_F(CriDrain, LetsACallFinish) {
  auto drained = std::async(std::launch::async, [this] { server_->Drain(absl::Minutes(5)); });
  EXPECT_EQ(drained.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/cri.sock"));
  pods_.may_start.Open();
  EXPECT_TRUE(call_.get().ok());
  drained.get();
}

TEST_F(CriDrain, CancelsACallWhenItsGraceIsOver) {
  auto drained = std::async(std::launch::async, [this] { server_->Drain(absl::Milliseconds(50)); });
  EXPECT_FALSE(call_.get().ok());
  pods_.may_start.Open();
  drained.get();
}

TEST_F(CriServer, RefusesACallBeyondItsThreads) {
  StartServer({.max_threads = 8});
  std::vector<std::future<grpc::Status>> calls;
  for (int i = 0; i < 20; ++i) {
    calls.push_back(std::async(std::launch::async, [this] {
      v1::StartContainerRequest request;
      request.set_container_id("c1");
      v1::StartContainerResponse response;
      return Call(&v1::RuntimeService::Stub::StartContainer, request, response);
    }));
  }
  // Records of refused calls are not made: gRPC answers them before any of our code runs. As soon
  // as one is refused, the others may go on.
  size_t refused = 0;
  while (refused == 0) {
    for (auto& call : calls) {
      refused += call.wait_for(std::chrono::milliseconds(10)) == std::future_status::ready;
    }
  }
  pods_.may_start.Open();
  std::set<grpc::StatusCode> codes;
  for (auto& call : calls) codes.insert(call.get().error_code());
  EXPECT_THAT(codes, testing::UnorderedElementsAre(grpc::StatusCode::OK,
                                                   grpc::StatusCode::RESOURCE_EXHAUSTED));
}

}  // namespace
}  // namespace bulkhead::cri
