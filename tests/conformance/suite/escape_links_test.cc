// Ways out by links: images and volumes whose links lead to the host.
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "tests/conformance/fixture/escape_test.h"

namespace bulkhead::fixture {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Type = Entry::Type;

class EscapeByLinks : public EscapeTest {
 protected:
  // The same place by a path from the container's root that has too many "..".
  std::string Relative(const fs::path& path) const {
    return "../../../../../../.." + path.string();
  }
};

// CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: what is mounted at /proc would be mounted in a
// volume, where another container exchanges it.
TEST_F(EscapeByLinks, AnImageWhoseProcSysOrDevIsALinkIsRefused) {
  fs::create_directories(folder() / "volume/target");
  const Pod pod = RunPod();
  for (const char* name : {"proc", "sys", "dev"}) {
    for (const char* target :
         {"/volume/target", "volume/target", "/proc/self/root/volume/target"}) {
      auto config = OfImage(
          Shell("true"), PullWithLayer({{.path = name, .type = Type::kSymlink, .target = target}}));
      Mount(config, folder() / "volume", "/volume");
      const absl::Status refused = Try(pod, config);
      EXPECT_FALSE(refused.ok()) << name << " -> " << target;
      EXPECT_THAT(std::string(refused.message()), HasSubstr(name));
    }
  }
  EXPECT_TRUE(fs::is_empty(folder() / "volume/target"));
}

// CVE-2019-18837, CVE-2024-9341, and CVE-2021-30465 without the race.
TEST_F(EscapeByLinks, WhatIsMadeThroughLinksOfTheImageStaysInIt) {
  const Pod pod = RunPod();
  WriteFile(folder() / "file", "volume\n");
  for (const std::string& target : {outside().string(), Relative(outside())}) {
    auto config = OfImage(
        Shell("cat /link/file; test -c /link/null && echo device; pwd; cat /link/secret || true"),
        PullWithLayer({{.path = "link", .type = Type::kSymlink, .target = target}}));
    Mount(config, folder() / "file", "/link/file");
    fs::create_directories(folder() / "directory");
    Mount(config, folder() / "directory", "/link/made/for/it");
    v1::Device& device = *config.add_devices();
    device.set_host_path("/dev/null");
    device.set_container_path("/link/null");
    device.set_permissions("rw");
    config.set_working_dir("/link/work");
    EXPECT_EQ(OutputOf(pod, config),
              absl::StrCat("volume\ndevice\n", outside().string(), "/work\n"));
    ExpectOutsideUntouched();
  }
}

// CVE-2024-5154: the runtime's own files would be made wherever the image's /etc leads.
TEST_F(EscapeByLinks, TheRuntimesOwnFilesStayInAnImageWhoseEtcIsALink) {
  const Pod pod = RunPod();
  for (const std::string& target : {outside().string(), Relative(outside())}) {
    auto config =
        OfImage(Shell("cat /etc/hosts > /dev/null && echo mounted; cat /etc/secret || true"),
                PullWithLayer({{.path = "etc", .type = Type::kSymlink, .target = target}}));
    EXPECT_EQ(OutputOf(pod, config), "mounted\n");
    ExpectOutsideUntouched();
  }
}

// CVE-2024-9676: the image's user files lead to files of the host, or to what never ends.
TEST_F(EscapeByLinks, UsersAreNotLookedUpInFilesOfTheHost) {
  WriteFile(folder() / "passwd", "spy:x:4242:4242:::\n");
  const Pod pod = RunPod();
  for (const std::string& target :
       {(folder() / "passwd").string(), Relative(folder() / "passwd"), std::string("/dev/zero"),
        std::string("/proc/self/environ"), std::string("/dev/stdin")}) {
    const std::string image =
        PullWithLayer({{.path = "etc/passwd", .type = Type::kSymlink, .target = target}});
    auto config = OfImage(Shell("id -u"), image);
    Security(config).set_run_as_username("spy");
    EXPECT_FALSE(Try(pod, config).ok()) << target;
  }
}

// CVE-2024-9676 again, and CVE-2025-4437.
TEST_F(EscapeByLinks, AUserFileThatBlocksOrNeverEndsCostsTheContainerAlone) {
  fs::create_directories(folder() / "etc");
  ASSERT_EQ(mkfifo((folder() / "etc/passwd").c_str(), 0644), 0);
  const Pod pod = RunPod();
  auto blocking = Shell("true");
  Mount(blocking, folder() / "etc", "/etc");
  EXPECT_THAT(std::string(Try(pod, blocking).message()), HasSubstr("/etc/passwd"));
  auto large =
      OfImage(Shell("true"),
              PullWithLayer({{.path = "etc/passwd", .content = std::string(17 << 20, '\n')}}));
  EXPECT_THAT(std::string(Try(pod, large).message()), HasSubstr("/etc/passwd"));
  EXPECT_EQ(OutputOf(pod, Shell("id -u")), "0\n");
}

// CVE-2022-23648: what lies at a declared volume's path was copied into the new volume.
TEST_F(EscapeByLinks, VolumesThatAnImageDeclaresBringNoFilesOfTheHost) {
  const std::string image =
      PullWithLayer({{.path = "link", .type = Type::kSymlink, .target = outside()},
                     {.path = "up", .type = Type::kSymlink, .target = Relative(outside())}},
                    {.volumes = {"/link", "/up", Relative(outside()), "/../.." + outside().string(),
                                 "/link/../../secret"}});
  const Pod pod = RunPod();
  EXPECT_EQ(
      OutputOf(pod, OfImage(Shell("find / -xdev -name secret; echo searched; cat /link/secret "
                                  "/up/secret || true"),
                            image)),
      "searched\n");
  ExpectOutsideUntouched();
}

// CVE-2021-32760: modes and owners of an archive's entries would be set through links.
TEST_F(EscapeByLinks, ALayerChangesNoModeOutsideItself) {
  const std::string secret = outside() / "secret";
  const std::vector<std::vector<Entry>> layers = {
      {{.path = "link", .type = Type::kSymlink, .target = secret},
       {.path = "link", .type = Type::kHardLink, .target = "link", .mode = 0777}},
      {{.path = "link", .type = Type::kSymlink, .target = secret},
       {.path = "hard", .type = Type::kHardLink, .target = "link", .mode = 04777, .uid = 1000}},
      {{.path = "link", .type = Type::kSymlink, .target = outside()},
       {.path = "link", .type = Type::kDirectory, .mode = 0777, .uid = 1000}},
      {{.path = "link", .type = Type::kSymlink, .target = outside()},
       {.path = "link/secret", .content = "changed\n", .mode = 0777}}};
  const Pod pod = RunPod();
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string reference =
        suite().registry().Push(absl::StrCat("conformance/escape-modes-", i), "1",
                                Image::Of({suite().base_layer(), Layer::Of(layers[i])}, {}));
    if (cri().PullImage(reference).ok()) {
      OutputOf(pod, OfImage(Shell("chmod 777 /link /hard || true"), reference));
    }
    cri().RemoveImage(reference).IgnoreError();
    ExpectOutsideUntouched();
    struct stat st = {};
    ASSERT_EQ(stat(outside().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0755u);
    EXPECT_EQ(st.st_uid, 0u);
  }
}

}  // namespace
}  // namespace bulkhead::fixture
