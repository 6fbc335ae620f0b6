// Pulls that go wrong.
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>

#include <random>
#include <thread>

#include "tests/conformance/fixture/image_builder.h"
#include "tests/conformance/fixture/registry.h"
#include "tests/fault/fault_test.h"

namespace bulkhead::fault {
namespace {

using fixture::Daemon;
using fixture::Entry;
using fixture::Image;
using fixture::Layer;
using fixture::Must;

// Bytes that do not compress.
std::string Noise(size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (size_t i = 0; i + 8 <= size; i += 8) {
    const uint64_t word = random();
    bytes.replace(i, 8, reinterpret_cast<const char*>(&word), 8);
  }
  return bytes;
}

Image ImageOf(const std::vector<Entry>& entries) { return Image::Of({Layer::Of(entries)}, {}); }

using Pull = FaultTest;

TEST_F(Pull, OfAMissingImageLeavesNothing) {
  EXPECT_FALSE(cri().PullImage(suite().registry().host() + "/fault/missing:1").ok());
}

TEST_F(Pull, OfASpoiledLayerLeavesNothing) {
  const Image image = ImageOf({{.path = "file", .content = Noise(100000)}});
  const std::string reference = suite().registry().Push("fault/spoiled", "1", image);
  std::string blob = image.layers[0].blob;
  blob[blob.size() / 2] ^= 1;
  fixture::WriteFile(suite().registry().BlobFile(fixture::Digest(image.layers[0].blob)), blob);
  EXPECT_FALSE(cri().PullImage(reference).ok());
}

TEST_F(Pull, OfATruncatedLayerLeavesNothing) {
  const Image image = ImageOf({{.path = "file", .content = Noise(200000)}});
  const std::string reference = suite().registry().Push("fault/truncated", "1", image);
  const std::string& blob = image.layers[0].blob;
  fixture::WriteFile(suite().registry().BlobFile(fixture::Digest(blob)),
                     blob.substr(0, blob.size() / 3));
  EXPECT_FALSE(cri().PullImage(reference).ok());
}

TEST_F(Pull, OfAHostileLayerLeavesNothing) {
  const std::string reference = suite().registry().Push(
      "fault/hostile", "1",
      ImageOf({{.path = "fine", .content = "x"}, {.path = "../../../escape", .content = "x"}}));
  EXPECT_FALSE(cri().PullImage(reference).ok());
}

TEST_F(Pull, WhoseRegistryDiesLeavesNothing) {
  fixture::Registry registry(folder() / "registry");
  const std::string reference =
      registry.Push("fault/dies", "1", ImageOf({{.path = "file", .content = Noise(64 << 20)}}));
  absl::Status pulled;
  std::thread puller([&] { pulled = cri().PullImage(reference).status(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  registry.process().Signal(SIGKILL);
  puller.join();
  // It may have been quicker.
  if (pulled.ok()) Must(cri().RemoveImage(reference));
}

TEST_F(Pull, WhoseClientLeavesIsFinishedOrUndone) {
  const std::string reference = suite().registry().Push(
      "fault/leaves", "1", ImageOf({{.path = "file", .content = Noise(32 << 20)}}));
  cri().PullImage(reference, {}, {.deadline = std::chrono::milliseconds(20)}).IgnoreError();
  Must(cri().PullImage(reference));
  Must(cri().RemoveImage(reference));
}

TEST_F(Pull, WhoseDaemonIsKilledLeavesNothing) {
  const std::string reference = suite().registry().Push(
      "fault/killed", "1", ImageOf({{.path = "file", .content = Noise(32 << 20)}}));
  std::thread puller([&] { cri().PullImage(reference).IgnoreError(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  daemon().Kill();
  puller.join();
  daemon().Start();
  if (Must(cri().ImageStatus(reference)).has_image()) Must(cri().RemoveImage(reference));
}

TEST_F(Pull, OntoAFullDiskFailsAndTheNextSmallOneWorks) {
  const auto data = folder() / "small";
  std::filesystem::create_directories(data);
  ASSERT_EQ(mount("tmpfs", data.c_str(), "tmpfs", 0, "size=12m"), 0);
  {
    Daemon small({.folder = folder(), .data = data});
    auto client = Must(client::Client::Connect(small.socket(), std::chrono::minutes(1)));
    const std::string large = suite().registry().Push(
        "fault/large", "1", ImageOf({{.path = "file", .content = Noise(32 << 20)}}));
    auto refused = client->PullImage(large).status();
    EXPECT_FALSE(refused.ok());
    EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("space"));
    EXPECT_TRUE(client->PullImage(suite().busybox()).ok());
    auto config = HostNetworkPodConfig();
    auto container = Shell("exit 7");
    *container.mutable_linux()->mutable_security_context()->mutable_namespace_options() =
        config.linux().security_context().namespace_options();
    const std::string pod = Must(client->RunPodSandbox(config));
    const std::string id = Must(client->CreateContainer(pod, container, config));
    // A disk that fills up now must not cost the exit code.
    std::string filling = Noise(1 << 20);
    for (int i = 0; i < 12; ++i) {
      FILE* file = fopen((data / "filling").c_str(), "ab");
      fwrite(filling.data(), 1, filling.size(), file);
      fclose(file);
    }
    Must(client->StartContainer(id));
    Await(
        [&] {
          return Must(client->ContainerStatus(id)).status().state() ==
                 runtime::v1::CONTAINER_EXITED;
        },
        "the container's end");
    EXPECT_EQ(Must(client->ContainerStatus(id)).status().exit_code(), 7);
    EXPECT_TRUE(client->StopPodSandbox(pod).ok());
    EXPECT_TRUE(client->RemovePodSandbox(pod).ok());
  }
  umount2(data.c_str(), MNT_DETACH);
}

using ImageVolume = FaultTest;

// Its layers go with its container: the last one to need them may be of another daemon.
TEST_F(ImageVolume, OfARemovedImageOutlivesTheDaemonAndLeavesNothing) {
  const std::string reference =
      suite().registry().Push("fault/volume", "1",
                              Image::Of({Layer::Of({{.path = "one", .content = "1"}}),
                                         Layer::Of({{.path = "two", .content = "2"}})},
                                        {}));
  Must(cri().PullImage(reference));
  auto config = Idle();
  runtime::v1::Mount& mount = *config.add_mounts();
  mount.set_container_path("/volume");
  mount.set_readonly(true);
  mount.mutable_image()->set_image(reference);
  const std::string id = Start(RunPod(), config);
  Must(cri().RemoveImage(reference));
  Crash();
  EXPECT_EQ(Exec(id, "cat /volume/one /volume/two"), "12");
}

}  // namespace
}  // namespace bulkhead::fault
