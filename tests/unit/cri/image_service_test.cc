#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <future>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/cri/api.grpc.pb.h"
#include "runtime/kernel/fd.h"
#include "shim/cri/server.h"
#include "tests/unit/cri/fakes.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;
using testing::HasSubstr;
using testing::Not;

// The image RPCs in front of a real, empty store.
class CriImages : public testing::Test {
 protected:
  void SetUp() override {
    auto images = image::ImageService::Open({.data_dir = folder_.path() + "/data"});
    ASSERT_TRUE(images.ok()) << images.status();
    images_ = *std::move(images);
    const std::string socket = folder_.path() + "/cri.sock";
    auto server = Server::Start({.socket = socket, .socket_gid = getgid()},
                                {.pods = &pods_, .images = images_.get(), .network = &network_},
                                [this](const CallRecord& record) { record_.set_value(record); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::ImageService::NewStub(
        grpc::CreateChannel("unix:" + socket, grpc::InsecureChannelCredentials()));
  }

  const TemporaryFolder folder_;
  FakePods pods_;
  FakeNetwork network_;
  std::promise<CallRecord> record_;
  std::unique_ptr<image::ImageService> images_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::ImageService::Stub> stub_;
  grpc::ClientContext context_;
};

TEST_F(CriImages, AnswersWithoutAnImageWhenItIsNotHere) {
  v1::ImageStatusRequest request;
  request.mutable_image()->set_image("busybox:latest");
  v1::ImageStatusResponse response;
  const grpc::Status status = stub_->ImageStatus(&context_, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(response.has_image());
}

TEST_F(CriImages, ListsNothingInAnEmptyStore) {
  v1::ListImagesResponse response;
  const grpc::Status status = stub_->ListImages(&context_, v1::ListImagesRequest(), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.images_size(), 0);
}

TEST_F(CriImages, RemovesAnImageThatIsNotHere) {
  v1::RemoveImageRequest request;
  request.mutable_image()->set_image("busybox:latest");
  v1::RemoveImageResponse response;
  const grpc::Status status = stub_->RemoveImage(&context_, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(CriImages, NeedsTheNameOfAnImage) {
  v1::PullImageResponse response;
  const grpc::Status status = stub_->PullImage(&context_, v1::PullImageRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "image.image: is empty");
}

TEST_F(CriImages, TellsWhereImagesAndContainersLie) {
  v1::ImageFsInfoResponse response;
  const grpc::Status status = stub_->ImageFsInfo(&context_, v1::ImageFsInfoRequest(), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.image_filesystems_size(), 1);
  ASSERT_EQ(response.container_filesystems_size(), 1);
  EXPECT_THAT(response.image_filesystems(0).fs_id().mountpoint(), HasSubstr(folder_.path()));
  EXPECT_GT(response.image_filesystems(0).timestamp(), 0);
}

// A registry on loopback that takes connections and never says a word.
class SilentRegistry {
 public:
  SilentRegistry() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_.get(), generic, size), 0);
    EXPECT_EQ(listen(socket_.get(), 8), 0);
    EXPECT_EQ(getsockname(socket_.get(), generic, &size), 0);
    host_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  // Returns when a client has connected.
  void Await() { connection_.reset(accept(socket_.get(), nullptr, nullptr)); }
  const std::string& host() const { return host_; }

 private:
  UniqueFd socket_;
  UniqueFd connection_;
  std::string host_;
};

TEST_F(CriImages, EndsAPullWhenItsClientLeaves) {
  SilentRegistry registry;
  v1::PullImageRequest request;
  request.mutable_image()->set_image(registry.host() + "/busybox:latest");
  request.mutable_auth()->set_username("joe");
  request.mutable_auth()->set_password("hunter2");
  auto call = std::async(std::launch::async, [&] {
    v1::PullImageResponse response;
    return stub_->PullImage(&context_, request, &response);
  });
  registry.Await();
  context_.TryCancel();
  EXPECT_EQ(call.get().error_code(), grpc::StatusCode::CANCELLED);
  const CallRecord record = record_.get_future().get();
  EXPECT_FALSE(record.status.ok());
  EXPECT_EQ(record.image, request.image().image());
  EXPECT_THAT(ToEvent(record).line(), Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace bulkhead::cri
