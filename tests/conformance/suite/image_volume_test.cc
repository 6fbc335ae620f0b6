// Image volumes: images of a registry as volumes of a container.
#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/user_namespace.h"

namespace bulkhead::fixture {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using Type = Entry::Type;

class ImageVolume : public PodTest {
 protected:
  ~ImageVolume() override {
    for (const std::string& image : pulled_) cri().RemoveImage(image).IgnoreError();
  }
  void SetUp() override {
    if (!suite().is_bulkhead()) GTEST_SKIP() << "another runtime may not have image volumes";
  }

  // Pushes and pulls an image that no other test has.
  std::string Pull(const std::string& name, const std::vector<std::vector<Entry>>& layers) {
    std::vector<Layer> made;
    for (const std::vector<Entry>& entries : layers) made.push_back(Layer::Of(entries));
    const std::string reference =
        suite().registry().Push("conformance/volume-" + name, "1", Image::Of(made, {}));
    Must(cri().PullImage(reference));
    pulled_.push_back(reference);
    return reference;
  }
  // One of two layers, with models/small, models/large, and a whiteout over models/old.
  std::string PullModels(const std::string& name) {
    return Pull(name, {{{.path = "models", .type = Type::kDirectory, .mode = 0755},
                        {.path = "models/small", .content = name + " small\n"},
                        {.path = "models/old", .content = "old\n"}},
                       {{.path = "models/large", .content = name + " large\n", .uid = 7, .gid = 8},
                        {.path = "models/.wh.old", .content = ""}}});
  }

  static v1::Mount* Add(v1::ContainerConfig& config, const std::string& image,
                        const std::string& sub_path = "") {
    v1::Mount* mount = config.add_mounts();
    mount->set_container_path("/volume");
    mount->set_readonly(true);
    mount->mutable_image()->set_image(image);
    mount->set_image_sub_path(sub_path);
    return mount;
  }
  // That a container with this volume is refused, and the pod as it was.
  absl::Status Refused(const std::string& image, const std::string& sub_path) {
    Pod pod = RunPod();
    auto config = Idle();
    Add(config, image, sub_path);
    const absl::Status refused = cri().CreateContainer(pod.id, config, pod.config).status();
    EXPECT_FALSE(refused.ok()) << sub_path;
    EXPECT_THAT(Must(cri().ListContainers()), testing::IsEmpty());
    return refused;
  }
  // Whether a layer's directory is in the daemon's store.
  static bool IsStored(const Layer& layer) {
    const std::string hex = layer.diff_id.substr(layer.diff_id.find(':') + 1);
    return fs::exists(Suite::Get().daemon()->options().data / "images/layers/sha256" / hex);
  }

 private:
  std::vector<std::string> pulled_;
};

TEST_F(ImageVolume, OfManyLayersIsSeenAndReadOnly) {
  auto config = Shell("cd /volume/models; ls; cat large; touch new 2>&1; rm small 2>&1; true");
  Add(config, PullModels("many"));
  EXPECT_THAT(OutputOf(RunPod(), config), AllOf(testing::StartsWith("large\nsmall\nmany large\n"),
                                                HasSubstr("new: Read-only file system"),
                                                HasSubstr("'small': Read-only file system")));
}

TEST_F(ImageVolume, OfOneLayerIsSeenAndReadOnly) {
  auto config = Shell("cat /volume/file; echo x > /volume/file || echo refused");
  Add(config, Pull("one", {{{.path = "file", .content = "one\n"}}}));
  EXPECT_EQ(OutputOf(RunPod(), config), "one\nrefused\n");
}

TEST_F(ImageVolume, IsFoundByItsIdAndToldInTheStatus) {
  const std::string reference = PullModels("status");
  const std::string image_id = Must(cri().ImageStatus(reference)).image().id();
  auto config = Shell("cat /volume/small");
  Add(config, image_id, "models");
  const v1::ContainerStatus status = RunToEnd(RunPod(), config);
  EXPECT_EQ(status.exit_code(), 0);
  ASSERT_EQ(status.mounts_size(), 1);
  EXPECT_EQ(status.mounts(0).image().image(), image_id);
  EXPECT_EQ(status.mounts(0).image().image_ref(), image_id);
  EXPECT_EQ(status.mounts(0).image_sub_path(), "models");
  EXPECT_TRUE(status.mounts(0).readonly());
}

TEST_F(ImageVolume, RunsProgramsWithoutTheirSetUserId) {
  // The image of the container itself, with its layer once more.
  auto config = Shell("/volume/bin/busybox echo executed; grep ' /volume ' /proc/self/mounts");
  Add(config, suite().busybox());
  EXPECT_THAT(OutputOf(RunPod(), config),
              AllOf(testing::StartsWith("executed\n"), HasSubstr(" ro,nosuid,nodev,")));
}

TEST_F(ImageVolume, MayBeADirectoryOrAFileOfTheImage) {
  const std::string reference = PullModels("part");
  auto config = Shell("ls /volume; cat /etc/model");
  Add(config, reference, "models");
  Add(config, reference, "models/small")->set_container_path("/etc/model");
  EXPECT_EQ(OutputOf(RunPod(), config), "large\nsmall\npart small\n");
}

TEST_F(ImageVolume, IsNotMadeWritableByAPrivilegedContainer) {
  const std::string reference = PullModels("privileged");
  auto pod_config = PodConfig();
  pod_config.mutable_linux()->mutable_security_context()->set_privileged(true);
  auto config = Shell(
      "mount -o remount,rw /volume; mount -o remount,bind,rw /volume; "
      "echo x > /volume/models/small || cat /volume/models/small");
  config.mutable_linux()->mutable_security_context()->set_privileged(true);
  Add(config, reference);
  EXPECT_EQ(OutputOf(RunPod(pod_config), config), "privileged small\n");
}

TEST_F(ImageVolume, AMissingSubPathIsRefusedByName) {
  const std::string reference = PullModels("missing");
  EXPECT_THAT(std::string(Refused(reference, "models/none").message()),
              HasSubstr("image_sub_path \"models/none\": No such file or directory"));
  EXPECT_THAT(std::string(Refused(reference, "models/small/x").message()),
              HasSubstr("Not a directory"));
}

TEST_F(ImageVolume, AnAbsoluteSubPathAndOneWithDotsAreRefusedByName) {
  const std::string reference = PullModels("dots");
  for (const char* path : {"/models", "../models", "models/../../etc"}) {
    const absl::Status refused = Refused(reference, path);
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.message()),
                AllOf(HasSubstr("config.mounts[0].image_sub_path"), HasSubstr(path)));
  }
}

TEST_F(ImageVolume, ALinkOfTheImageLeadsNowhereOnTheHost) {
  WriteFile(folder() / "secret/file", "of the host\n");
  const std::string reference =
      Pull("link", {{{.path = "absolute", .type = Type::kSymlink, .target = folder() / "secret"},
                     {.path = "relative",
                      .type = Type::kSymlink,
                      .target = "../../../../../../.." + (folder() / "secret").string()},
                     {.path = "root", .type = Type::kSymlink, .target = "../../../.."},
                     {.path = "magic", .type = Type::kSymlink, .target = "/proc/self/root"}}});
  for (const char* path : {"absolute", "relative", "magic", "root/absolute"}) {
    EXPECT_THAT(std::string(Refused(reference, path).message()), HasSubstr("No such file"));
  }
  auto config = Shell("test -L /volume/absolute && echo link; ls /volume/etc || true");
  Add(config, reference, "root");
  EXPECT_EQ(OutputOf(RunPod(), config), "link\n");
}

TEST_F(ImageVolume, OfAnImageThatIsNotHereIsRefusedByName) {
  const absl::Status refused = Refused("127.0.0.1:1/never/pulled:1", "");
  EXPECT_EQ(refused.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("mounts[0].image.image"), HasSubstr("127.0.0.1:1/never/pulled:1")));
}

TEST_F(ImageVolume, WhatMakesNoSenseIsRefusedByField) {
  const std::string reference = PullModels("sense");
  Pod pod = RunPod();
  const auto refuses = [&](const char* field, const std::function<void(v1::Mount&)>& change) {
    auto config = Idle();
    change(*Add(config, reference));
    const absl::Status refused = cri().CreateContainer(pod.id, config, pod.config).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(refused.message()), HasSubstr(field));
  };
  refuses("host_path", [this](v1::Mount& mount) { mount.set_host_path(folder()); });
  refuses("readonly", [](v1::Mount& mount) { mount.set_readonly(false); });
  refuses("propagation",
          [](v1::Mount& mount) { mount.set_propagation(v1::PROPAGATION_HOST_TO_CONTAINER); });
  refuses("container_path", [](v1::Mount& mount) { mount.set_container_path("/proc/volume"); });
  refuses("uidMappings", [](v1::Mount& mount) {
    AddMap(*mount.mutable_uidmappings());
    AddMap(*mount.mutable_gidmappings());
  });
}

TEST_F(ImageVolume, OfARemovedImageStaysUntilTheContainerIsGone) {
  const Layer layer = Layer::Of({{.path = "file", .content = "kept\n"}});
  const std::string reference =
      suite().registry().Push("conformance/volume-kept", "1", Image::Of({layer}, {}));
  Must(cri().PullImage(reference));
  auto config = Idle();
  Add(config, reference);
  const std::string id = Start(RunPod(), config);
  Must(cri().RemoveImage(reference));
  EXPECT_FALSE(Must(cri().ImageStatus(reference)).has_image());
  EXPECT_EQ(Exec(id, "cat /volume/file"), "kept\n");
  EXPECT_TRUE(IsStored(layer));
  Must(cri().RemoveContainer(id));
  Await([&] { return !IsStored(layer); }, "the layer's end");
}

TEST_F(ImageVolume, StaysOverARestartOfTheDaemon) {
  if (suite().daemon() == nullptr) GTEST_SKIP() << "the runtime is somebody else's to restart";
  const Layer layer = Layer::Of({{.path = "file", .content = "restarted\n"}});
  const std::string reference =
      suite().registry().Push("conformance/volume-restart", "1", Image::Of({layer}, {}));
  Must(cri().PullImage(reference));
  auto config = Idle();
  Add(config, reference);
  const Pod pod = RunPod();
  const std::string id = Start(pod, config);
  Must(cri().RemoveImage(reference));
  suite().daemon()->Kill();
  suite().daemon()->Start();
  // What nobody needs is deleted from here on.
  Must(cri().RemoveImage(PullModels("other")));
  EXPECT_EQ(Exec(id, "cat /volume/file"), "restarted\n");
  EXPECT_TRUE(IsStored(layer));
  EXPECT_EQ(Status(id).mounts(0).image().image_ref().rfind("sha256:", 0), 0u);
  // A repeat is the same container.
  EXPECT_EQ(Must(cri().CreateContainer(pod.id, config, pod.config)), id);
  Must(cri().RemoveContainer(id));
  Await([&] { return !IsStored(layer); }, "the layer's end");
}

TEST_F(ImageVolume, IsMappedInAPodWithAUserNamespace) {
  if (!HasUserNamespaces(cri())) GTEST_SKIP() << "the runtime has no user namespaces here";
  const std::string reference = PullModels("mapped");
  auto pod_config = PodConfig();
  *pod_config.mutable_linux()
       ->mutable_security_context()
       ->mutable_namespace_options()
       ->mutable_userns_options() = MappedUserNamespace();
  auto config = Shell(
      "stat -c %u:%g /volume /volume/large /file; cat /file; touch /volume/x || echo refused");
  // As the kubelet sends it, and without the maps.
  v1::Mount* mount = Add(config, reference, "models");
  AddMap(*mount->mutable_uidmappings());
  AddMap(*mount->mutable_gidmappings());
  Add(config, reference, "models/small")->set_container_path("/file");
  EXPECT_EQ(OutputOf(RunPod(pod_config), config), "0:0\n7:8\n0:0\nmapped small\nrefused\n");
}

}  // namespace
}  // namespace bulkhead::fixture
