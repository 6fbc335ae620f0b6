// Volumes: paths of the host in a container.
#include <sys/mount.h>

#include "tests/conformance/fixture/pod_test.h"

namespace bulkhead::fixture {
namespace {

namespace fs = std::filesystem;

// A folder of the host that is a shared mount, as the kubelet's is; unmounted with all below.
class SharedMount {
 public:
  explicit SharedMount(const fs::path& path) : path_(path) {
    fs::create_directories(path / "below");
    mount("tmpfs", path.c_str(), "tmpfs", 0, "size=1m");
    mount(nullptr, path.c_str(), nullptr, MS_SHARED, nullptr);
    fs::create_directories(path / "below");
  }
  ~SharedMount() {
    umount2((path_ / "below").c_str(), MNT_DETACH);
    umount2(path_.c_str(), MNT_DETACH);
  }
  void MountBelow() {
    mount("tmpfs", (path_ / "below").c_str(), "tmpfs", 0, "size=1m");
    WriteFile(path_ / "below/from-host", "x");
  }

 private:
  fs::path path_;
};

class Volume : public PodTest {
 protected:
  static v1::Mount* Add(v1::ContainerConfig& config, const fs::path& host,
                        const std::string& container) {
    auto* mount = config.add_mounts();
    mount->set_host_path(host);
    mount->set_container_path(container);
    return mount;
  }
  fs::path NewFolder(const std::string& name) {
    fs::create_directories(folder() / name);
    return folder() / name;
  }
  // Not asked of our own, which must have it.
  bool HasRecursiveReadOnly() {
    if (suite().is_bulkhead()) return true;
    const auto handlers = Must(cri().Status()).runtime_handlers();
    return !handlers.empty() && handlers[0].features().recursive_read_only_mounts();
  }
};

TEST_F(Volume, IsWrittenThroughToTheHost) {
  auto config = Shell("echo out > /volume/file; cat /volume/in");
  WriteFile(folder() / "data/in", "in\n");
  Add(config, folder() / "data", "/volume");
  EXPECT_EQ(OutputOf(RunPod(), config), "in\n");
  EXPECT_EQ(ReadFile(folder() / "data/file"), "out\n");
}

TEST_F(Volume, MayBeReadOnly) {
  auto config = Shell("echo x > /volume/file || echo refused");
  Add(config, NewFolder("data"), "/volume")->set_readonly(true);
  EXPECT_EQ(OutputOf(RunPod(), config), "refused\n");
  EXPECT_FALSE(fs::exists(folder() / "data/file"));
}

TEST_F(Volume, MayBeOneOfSixty) {
  auto config = Shell("cat /volumes/*/number | sort -n | uniq | wc -l; touch /volumes/7/written");
  for (int i = 0; i < 60; ++i) {
    const fs::path source = folder() / (std::string(200, 'v') + std::to_string(i));
    WriteFile(source / "number", std::to_string(i) + "\n");
    Add(config, source, "/volumes/" + std::to_string(i));
  }
  EXPECT_EQ(OutputOf(RunPod(), config), "60\n");
  EXPECT_TRUE(fs::exists(folder() / (std::string(200, 'v') + "7") / "written"));
}

TEST_F(Volume, IsFoundThroughASymbolicLinkOfTheHost) {
  WriteFile(folder() / "real/file", "real\n");
  fs::create_symlink("real", folder() / "link");
  auto config = Shell("cat /volume/file");
  Add(config, folder() / "link", "/volume");
  EXPECT_EQ(OutputOf(RunPod(), config), "real\n");
}

TEST_F(Volume, MayBeASingleFile) {
  WriteFile(folder() / "file", "single\n");
  auto config = Shell("cat /etc/own/file");
  Add(config, folder() / "file", "/etc/own/file");
  EXPECT_EQ(OutputOf(RunPod(), config), "single\n");
}

TEST_F(Volume, MayCoverAFileOfTheImage) {
  WriteFile(folder() / "passwd", "covered\n");
  auto config = Shell("cat /etc/passwd");
  Add(config, folder() / "passwd", "/etc/passwd");
  EXPECT_EQ(OutputOf(RunPod(), config), "covered\n");
}

TEST_F(Volume, MayLieWithinAnother) {
  WriteFile(folder() / "outer/name", "outer\n");
  WriteFile(folder() / "inner/name", "inner\n");
  auto config = Shell("cat /volume/name /volume/sub/name");
  // Sorted by the runtime: the outer one must not cover the inner.
  Add(config, folder() / "inner", "/volume/sub");
  Add(config, folder() / "outer", "/volume");
  EXPECT_EQ(OutputOf(RunPod(), config), "outer\ninner\n");
}

TEST_F(Volume, IsTheSameForTwoContainers) {
  Pod pod = RunPod();
  auto writer = Shell("echo shared > /volume/note");
  auto reader = Shell("cat /volume/note");
  Add(writer, NewFolder("data"), "/volume");
  Add(reader, folder() / "data", "/volume");
  OutputOf(pod, writer);
  EXPECT_EQ(OutputOf(pod, reader), "shared\n");
}

TEST_F(Volume, OfTheHostsEtcHostsReplacesTheRuntimes) {
  WriteFile(folder() / "hosts", "10.1.2.3 own\n");
  auto config = Shell("cat /etc/hosts");
  Add(config, folder() / "hosts", "/etc/hosts");
  EXPECT_EQ(OutputOf(RunPod(), config), "10.1.2.3 own\n");
}

TEST_F(Volume, WithAPathThatIsNotAbsoluteIsRefused) {
  if (!suite().is_bulkhead()) GTEST_SKIP() << "another runtime may take it";
  Pod pod = RunPod();
  auto config = Idle();
  Add(config, "relative/path", "/volume");
  auto refused = cri().CreateContainer(pod.id, config, pod.config);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()), testing::HasSubstr("relative/path"));
}

TEST_F(Volume, HostToContainerShowsLaterMountsOfTheHost) {
  SharedMount host(folder() / "host");
  auto config = Idle();
  Add(config, folder() / "host", "/volume")->set_propagation(v1::PROPAGATION_HOST_TO_CONTAINER);
  const std::string id = Start(RunPod(), config);
  host.MountBelow();
  EXPECT_EQ(Exec(id, "ls /volume/below"), "from-host\n");
}

TEST_F(Volume, PrivateHidesLaterMountsOfTheHost) {
  SharedMount host(folder() / "host");
  auto config = Idle();
  Add(config, folder() / "host", "/volume");
  const std::string id = Start(RunPod(), config);
  host.MountBelow();
  EXPECT_EQ(Exec(id, "ls /volume/below"), "");
}

TEST_F(Volume, BidirectionalShowsMountsOfTheContainerOnTheHost) {
  SharedMount host(folder() / "host");
  auto pod_config = PodConfig();
  pod_config.mutable_linux()->mutable_security_context()->set_privileged(true);
  auto config = Idle();
  config.mutable_linux()->mutable_security_context()->set_privileged(true);
  Add(config, folder() / "host", "/volume")->set_propagation(v1::PROPAGATION_BIDIRECTIONAL);
  const std::string id = Start(RunPod(pod_config), config);
  Exec(id, "mount -t tmpfs tmpfs /volume/below && echo x > /volume/below/from-container");
  EXPECT_TRUE(fs::exists(folder() / "host/below/from-container"));
}

// Another runtime mounts it on the host too, and leaves it there.
TEST_F(Volume, WithinABidirectionalOneIsTheContainersAlone) {
  if (!suite().is_bulkhead()) GTEST_SKIP() << "of our own";
  SharedMount host(folder() / "host");
  WriteFile(folder() / "host/hosts", "the host's\n");
  auto pod_config = PodConfig();
  pod_config.mutable_linux()->mutable_security_context()->set_privileged(true);
  auto config = Shell(
      "mkdir -p /etc/mine && mount -t tmpfs tmpfs /etc/mine && echo x > /etc/mine/file; "
      "cat /etc/below/name");
  config.mutable_linux()->mutable_security_context()->set_privileged(true);
  WriteFile(folder() / "data/name", "data\n");
  Add(config, folder() / "host", "/etc")->set_propagation(v1::PROPAGATION_BIDIRECTIONAL);
  Add(config, folder() / "data", "/etc/below");
  EXPECT_EQ(OutputOf(RunPod(pod_config), config), "data\n");
  EXPECT_EQ(ReadFile(folder() / "host/hosts"), "the host's\n");
  EXPECT_FALSE(fs::exists(folder() / "host/below/name"));
  EXPECT_TRUE(fs::exists(folder() / "host/mine/file"));
  umount2((folder() / "host/mine").c_str(), MNT_DETACH);
}

// Where it lies, mounts show on the host all the time.
TEST_F(Volume, WithinAMountBelowABidirectionalOneIsRefused) {
  if (!suite().is_bulkhead()) GTEST_SKIP() << "of our own";
  SharedMount host(folder() / "host");
  host.MountBelow();
  auto pod_config = PodConfig();
  pod_config.mutable_linux()->mutable_security_context()->set_privileged(true);
  Pod pod = RunPod(pod_config);
  auto config = Idle();
  config.mutable_linux()->mutable_security_context()->set_privileged(true);
  Add(config, folder() / "host", "/volume")->set_propagation(v1::PROPAGATION_BIDIRECTIONAL);
  Add(config, NewFolder("data"), "/volume/below/data");
  const auto refused = cri().CreateContainer(pod.id, config, pod.config);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()),
              testing::AllOf(testing::HasSubstr("/volume/below/data"),
                             testing::HasSubstr("Bidirectional")));
}

TEST_F(Volume, ReadOnlyIsNotRecursiveUnlessAsked) {
  SharedMount host(folder() / "host");
  host.MountBelow();
  auto config = Shell("touch /volume/file || echo refused; touch /volume/below/file && echo taken");
  Add(config, folder() / "host", "/volume")->set_readonly(true);
  EXPECT_EQ(OutputOf(RunPod(), config), "refused\ntaken\n");
}

TEST_F(Volume, MayBeReadOnlyWithAllMountsBelow) {
  if (!HasRecursiveReadOnly()) GTEST_SKIP() << "another runtime may not have such mounts";
  SharedMount host(folder() / "host");
  host.MountBelow();
  auto config = Shell("touch /volume/below/file || echo refused");
  auto* mount = Add(config, folder() / "host", "/volume");
  mount->set_readonly(true);
  mount->set_recursive_read_only(true);
  EXPECT_EQ(OutputOf(RunPod(), config), "refused\n");
}

TEST_F(Volume, RecursiveReadOnlyNeedsReadOnlyAndPrivatePropagation) {
  if (!HasRecursiveReadOnly()) GTEST_SKIP() << "another runtime may not have such mounts";
  Pod pod = RunPod();
  auto writable = Idle();
  Add(writable, NewFolder("data"), "/volume")->set_recursive_read_only(true);
  EXPECT_FALSE(cri().CreateContainer(pod.id, writable, pod.config).ok());
  auto slave = Idle();
  auto* mount = Add(slave, folder() / "data", "/volume");
  mount->set_readonly(true);
  mount->set_recursive_read_only(true);
  mount->set_propagation(v1::PROPAGATION_HOST_TO_CONTAINER);
  EXPECT_FALSE(cri().CreateContainer(pod.id, slave, pod.config).ok());
}

TEST_F(Volume, IsNotMountedThroughALinkOfTheImageToTheHost) {
  // The link leads out of the image's root when it is followed on the host.
  Image image = Image::Of(
      {suite().base_layer(),
       Layer::Of({{.path = "escape", .type = Entry::Type::kSymlink, .target = folder()}})},
      {});
  const std::string reference = suite().registry().Push("conformance/link", "1", image);
  Must(cri().PullImage(reference));
  auto config = Shell("touch /escape/volume/file");
  config.mutable_image()->set_image(reference);
  Add(config, NewFolder("data"), "/escape/volume");
  Start(RunPod(), config);
  EXPECT_FALSE(fs::exists(folder() / "volume"));
}

}  // namespace
}  // namespace bulkhead::fixture
