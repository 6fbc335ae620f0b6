// Image volumes: overlays of lower layers alone, in a container's root.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/mount.h"
#include "tests/kernel/isolation/test_pod.h"

namespace bulkhead::isolation {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class ImageVolumeTest : public testing::Test {
 protected:
  ImageVolumeTest() {
    base_ = dir_.Make("base");
    MakeBusyboxLayer(base_);
    layer_ = dir_.Make("layer");
    Write(layer_ + "/models/a", "a of the image\n");
  }
  ~ImageVolumeTest() override { EXPECT_EQ(HostMounts(), mounts_before_); }

  static void Write(const std::string& path, const std::string& content) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << content;
  }

  TestContainer Container(const std::string& script) {
    return MakeContainer("c", base_, dir_.Make("c"), {"sh", "-c", script});
  }
  // Layers are topmost first.
  static void AddImage(TestContainer& container, const std::vector<std::string>& layers,
                       const std::string& destination, const std::string& sub_path = "") {
    plan::Mount* mount = container.root.add_mounts();
    mount->set_destination(destination);
    mount->set_attributes(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    mount->mutable_image()->set_sub_path(sub_path);
    for (const std::string& layer : layers) {
      absl::StatusOr<UniqueFd> tree = CloneTree(AT_FDCWD, layer, TreeDepth::kOneMount);
      ASSERT_TRUE(tree.ok()) << tree.status();
      *mount->mutable_image()->add_layers() = container.AddRootFd(*std::move(tree));
    }
  }

  static void InPod(const std::function<void(const PodNamespaces&)>& body) {
    RunForked([&] {
      absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
      ASSERT_TRUE(pod.ok()) << pod.status();
      body(*pod);
    });
  }
  static void ExpectText(const TestContainer& container, const PodNamespaces& pod,
                         const testing::Matcher<std::string>& text) {
    absl::StatusOr<Output> output = RunContainer(container, pod);
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_THAT(output->text, text);
  }
  static void ExpectOutput(const TestContainer& container,
                           const testing::Matcher<std::string>& text) {
    InPod([&](const PodNamespaces& pod) { ExpectText(container, pod, text); });
  }
  // That it is refused with a message of these parts.
  static void ExpectRefused(const TestContainer& container,
                            const testing::Matcher<std::string>& message) {
    InPod([&](const PodNamespaces& pod) {
      const absl::Status status = RunContainer(container, pod).status();
      EXPECT_FALSE(status.ok());
      EXPECT_THAT(std::string(status.message()), message);
    });
  }

  std::string mounts_before_ = HostMounts();
  TestDir dir_;
  std::string base_, layer_;
};

TEST_F(ImageVolumeTest, OfOneLayerIsSeenAndReadOnly) {
  TestContainer container =
      Container("cat /vol/models/a; touch /vol/new 2>&1; grep -c ' /vol ' /proc/self/mountinfo");
  AddImage(container, {layer_}, "/vol");
  ExpectOutput(container, AllOf(HasSubstr("a of the image\n"), HasSubstr("Read-only file system"),
                                testing::EndsWith("\n1\n")));
}

TEST_F(ImageVolumeTest, OfManyLayersIsStackedInOrderWithWhiteouts) {
  std::vector<std::string> layers;
  for (int i = 0; i < 120; ++i) {
    layers.push_back(dir_.Make(absl::StrCat("l", i)));
    Write(layers.back() + "/which", absl::StrCat(i, "\n"));
    Write(absl::StrCat(layers.back(), "/all/", i), "");
  }
  layers.push_back(layer_);
  fs::create_directories(layers[0] + "/models");
  ASSERT_EQ(mknod((layers[0] + "/models/a").c_str(), S_IFCHR, makedev(0, 0)), 0);
  TestContainer container = Container("cat /vol/which; ls /vol/all | wc -l; ls /vol/models");
  AddImage(container, layers, "/vol");
  ExpectOutput(container, "0\n120\n");
}

TEST_F(ImageVolumeTest, IsNotMadeWritableByACapableContainer) {
  TestContainer container = Container(
      "mount -o remount,rw /vol; mount -o remount,bind,rw /vol; touch /vol/new || echo refused");
  AddImage(container, {layer_}, "/vol");
  ExpectOutput(container, HasSubstr("refused"));
  EXPECT_FALSE(fs::exists(layer_ + "/new"));
}

TEST_F(ImageVolumeTest, RunsProgramsWithoutTheirSetUserId) {
  fs::copy_file("/bin/busybox", layer_ + "/id");
  fs::permissions(layer_ + "/id", fs::perms(04755));
  TestContainer container = Container("/vol/id -u; grep ' /vol ' /proc/self/mountinfo");
  container.launch.mutable_credentials()->set_uid(1000);
  AddImage(container, {layer_}, "/vol");
  ExpectOutput(container, AllOf(testing::StartsWith("1000\n"), HasSubstr("ro,nosuid,nodev"),
                                testing::Not(HasSubstr("noexec"))));
}

TEST_F(ImageVolumeTest, DeviceNodesOfTheImageHaveNoEffect) {
  ASSERT_EQ(mknod((layer_ + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  TestContainer container = Container("cat /vol/null 2>&1");
  AddImage(container, {layer_}, "/vol");
  ExpectOutput(container, HasSubstr("Permission denied"));
}

TEST_F(ImageVolumeTest, ShowsADirectoryOrAFileOfTheImage) {
  TestContainer container = Container("cat /dir/a /new/place/file; touch /dir/new || echo refused");
  AddImage(container, {layer_}, "/dir", "./models/");
  AddImage(container, {layer_}, "/new/place/file", "models/a");
  ExpectOutput(container,
               AllOf(HasSubstr("a of the image\na of the image\n"), HasSubstr("refused\n")));
}

TEST_F(ImageVolumeTest, ALinkInTheImageLeadsToAPlaceInTheImage) {
  Write(dir_.path() + "/secret/file", "of the host\n");
  Write(layer_ + "/secret/file", "of the image\n");
  fs::create_directory_symlink("/secret", layer_ + "/absolute");
  fs::create_directory_symlink("../../../../../secret", layer_ + "/models/relative");
  TestContainer container = Container("cat /a/file /b/file");
  AddImage(container, {layer_}, "/a", "absolute");
  AddImage(container, {layer_}, "/b", "models/relative");
  ExpectOutput(container, "of the image\nof the image\n");
}

TEST_F(ImageVolumeTest, ALinkToAPlaceOfTheHostIsRefused) {
  Write(dir_.path() + "/secret/file", "of the host\n");
  fs::create_directory_symlink(dir_.path() + "/secret", layer_ + "/escape");
  TestContainer container = Container("true");
  AddImage(container, {layer_}, "/vol", "escape");
  ExpectRefused(container, AllOf(HasSubstr("mount /vol"), HasSubstr("image_sub_path \"escape\""),
                                 HasSubstr("No such file or directory")));
}

TEST_F(ImageVolumeTest, AMissingPathOneBelowAFileAndADeviceAreRefusedByName) {
  ASSERT_EQ(mknod((layer_ + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  for (const auto& [path, why] :
       {std::pair("none", "No such file or directory"), std::pair("models/a/b", "Not a directory"),
        std::pair("null", "neither a directory nor a file")}) {
    TestContainer container = Container("true");
    AddImage(container, {layer_}, "/vol", path);
    ExpectRefused(container,
                  AllOf(HasSubstr("mount /vol"),
                        HasSubstr(absl::StrCat("image_sub_path \"", path, "\"")), HasSubstr(why)));
  }
}

TEST_F(ImageVolumeTest, TheRootsOwnImageAndOtherVolumesLieBesideIt) {
  const std::string host = dir_.Make("host");
  Write(host + "/file", "of the host\n");
  fs::create_directories(layer_ + "/inner");
  TestContainer container =
      Container("ls /vol/bin/busybox /again/bin/busybox; cat /data/inner/file");
  AddImage(container, {base_}, "/vol");
  AddImage(container, {base_}, "/again");
  AddImage(container, {layer_}, "/data");
  container.AddBind(host, "/data/inner");
  ExpectOutput(container, "/again/bin/busybox\n/vol/bin/busybox\nof the host\n");
}

TEST_F(ImageVolumeTest, AMountPointThatTheImageHasNotIsRefused) {
  TestContainer container = Container("true");
  AddImage(container, {layer_}, "/vol");
  container.AddBind(dir_.Make("host"), "/vol/none");
  ExpectRefused(container, AllOf(HasSubstr("mount /vol/none"), HasSubstr("Read-only")));
  EXPECT_FALSE(fs::exists(layer_ + "/none"));
}

TEST_F(ImageVolumeTest, NeitherNoLayersNorTooManyAreTaken) {
  TestContainer none = Container("true");
  AddImage(none, {}, "/vol");
  ExpectRefused(none, HasSubstr("layers: 0"));
  TestContainer many = Container("true");
  AddImage(many, std::vector<std::string>(501, layer_), "/vol");
  ExpectRefused(many, HasSubstr("layers: 501"));
}

TEST_F(ImageVolumeTest, AmongLateMountsItIsRefused) {
  TestContainer container = Container("true");
  AddImage(container, {layer_}, "/proc/vol");
  *container.launch.mutable_late_mounts()->add_mounts() =
      container.root.mounts().at(container.root.mounts_size() - 1);
  container.root.mutable_mounts()->RemoveLast();
  ExpectRefused(container, HasSubstr("an image volume among late mounts"));
}

TEST_F(ImageVolumeTest, IsMappedByThePodsUserNamespace) {
  ASSERT_EQ(chown((layer_ + "/models/a").c_str(), 7, 8), 0);
  fs::permissions(dir_.path(), fs::perms::owner_all);
  for (const std::vector<std::string>& layers : {std::vector{layer_}, std::vector{layer_, base_}}) {
    TestContainer container = Container(
        "stat -c %u:%g /vol /vol/models/a; mount -o remount,rw /vol; touch /vol/new || echo no");
    AddImage(container, layers, "/vol");
    RunForked([&] {
      std::vector<UniqueFd> fds;
      plan::PodPlan plan = MakeMappedPodPlan(fds);
      absl::StatusOr<PodNamespaces> pod = SetUpPod(plan, fds);
      ASSERT_TRUE(pod.ok()) << pod.status();
      fds.clear();
      ExpectText(container, *pod, AllOf(testing::StartsWith("0:0\n7:8\n"), HasSubstr("no\n")));
    });
  }
}

}  // namespace
}  // namespace bulkhead::isolation
