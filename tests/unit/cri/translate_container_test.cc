#include "shim/cri/translate_container.h"

#include <string>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/cri/status_matcher.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

v1::CreateContainerRequest ARequest() {
  v1::CreateContainerRequest request;
  request.mutable_config()->mutable_metadata()->set_name("nginx");
  request.mutable_config()->mutable_image()->set_image("sha256:abc");
  return request;
}

v1::Mount& AddMount(v1::CreateContainerRequest& request) {
  v1::Mount& mount = *request.mutable_config()->add_mounts();
  mount.set_container_path("/data");
  mount.set_host_path("/srv/data");
  return mount;
}

TEST(ToContainerSpec, TakesOverEveryField) {
  v1::CreateContainerRequest request = ARequest();
  v1::ContainerConfig& config = *request.mutable_config();
  config.mutable_metadata()->set_attempt(2);
  config.mutable_image()->set_user_specified_image("nginx:1.26");
  config.add_command("/bin/sh");
  config.add_args("-c");
  config.add_args("");
  config.set_working_dir("/srv");
  v1::KeyValue& variable = *config.add_envs();
  variable.set_key("TOKEN");
  variable.set_value("\xff\xfe secret");
  v1::Mount& mount = AddMount(request);
  mount.set_readonly(true);
  mount.set_recursive_read_only(true);
  mount.set_selinux_relabel(true);
  v1::Device& device = *config.add_devices();
  device.set_container_path("/dev/fuse");
  device.set_host_path("/dev/fuse");
  device.set_permissions("rwm");
  (*config.mutable_labels())["a"] = "b";
  (*config.mutable_annotations())["c"] = "d";
  config.set_log_path("nginx/0.log");
  config.set_stdin(true);
  config.set_stdin_once(true);
  config.set_tty(true);
  config.set_stop_signal(v1::SIGNAL_SIGQUIT);
  config.mutable_linux()->mutable_resources()->set_cpu_shares(512);
  config.mutable_linux()->mutable_security_context()->set_no_new_privs(true);

  const absl::StatusOr<spec::ContainerSpec> container = ToContainerSpec(request);
  ASSERT_TRUE(container.ok()) << container.status();
  const spec::ContainerSpec expected{
      .metadata = {.name = "nginx", .attempt = 2},
      .user_image = "nginx:1.26",
      .image = "sha256:abc",
      .command = {"/bin/sh"},
      .args = {"-c", ""},
      .working_dir = "/srv",
      .env = {{"TOKEN", "\xff\xfe secret"}},
      .mounts = {{.container_path = "/data",
                  .host_path = "/srv/data",
                  .readonly = true,
                  .recursive_read_only = true,
                  .selinux_relabel = true}},
      .devices = {{.container_path = "/dev/fuse", .host_path = "/dev/fuse", .permissions = "rwm"}},
      .labels = {{"a", "b"}},
      .annotations = {{"c", "d"}},
      .log_path = "nginx/0.log",
      .stdin = true,
      .stdin_once = true,
      .tty = true,
      .stop_signal = "SIGQUIT",
      .resources = {.cpu_shares = 512},
      .security = {.no_new_privs = true}};
  EXPECT_EQ(*container, expected);
}

TEST(ToContainerSpec, NeedsANameAndAnImage) {
  v1::CreateContainerRequest request = ARequest();
  request.mutable_config()->clear_metadata();
  EXPECT_THAT(ToContainerSpec(request).status(), IsInvalid("config.metadata: is missing"));
  request = ARequest();
  request.mutable_config()->clear_image();
  EXPECT_THAT(ToContainerSpec(request).status(), IsInvalid("config.image.image: is empty"));
}

TEST(ToContainerSpec, NeverTellsWhatIsInAnEnvironmentVariable) {
  v1::CreateContainerRequest request = ARequest();
  v1::KeyValue& variable = *request.mutable_config()->add_envs();
  variable.set_key("PASSWORD=hunter2");
  EXPECT_THAT(ToContainerSpec(request).status(), IsInvalid("config.envs[0].key: contains \"=\""));
  variable.set_key("PASSWORD");
  variable.set_value(std::string("hunter2\0x", 9));
  EXPECT_THAT(ToContainerSpec(request).status(),
              IsInvalid("config.envs[0].value: contains a NUL byte"));
}

TEST(ToContainerSpec, RefusesANulByteThatWouldCutAnArgument) {
  v1::CreateContainerRequest request = ARequest();
  request.mutable_config()->add_command("sh");
  request.mutable_config()->add_args(std::string("a\0b", 3));
  EXPECT_THAT(ToContainerSpec(request).status(), IsInvalid("config.args[0]: contains a NUL byte"));
}

TEST(ToContainerSpec, RefusesARelativeWorkingDirectory) {
  v1::CreateContainerRequest request = ARequest();
  request.mutable_config()->set_working_dir("srv");
  EXPECT_THAT(ToContainerSpec(request).status(),
              IsInvalid("config.working_dir: value \"srv\" is not an absolute path"));
}

TEST(ToContainerSpec, RefusesALogPathOutsideTheLogDirectory) {
  v1::CreateContainerRequest request = ARequest();
  for (const char* path : {"/etc/passwd", "../other/0.log", "a/../../x"}) {
    request.mutable_config()->set_log_path(path);
    EXPECT_THAT(ToContainerSpec(request).status(), IsInvalidAt("config.log_path")) << path;
  }
}

TEST(ToContainerSpec, TakesEveryMountPropagation) {
  v1::CreateContainerRequest request = ARequest();
  for (int value = v1::MountPropagation_MIN; value <= v1::MountPropagation_MAX; ++value) {
    request.mutable_config()->clear_mounts();
    AddMount(request).set_propagation(static_cast<v1::MountPropagation>(value));
    const auto container = ToContainerSpec(request);
    ASSERT_TRUE(container.ok()) << container.status();
    EXPECT_EQ(FromMount(container->mounts[0]).propagation(), value);
  }
  request.mutable_config()->mutable_mounts(0)->set_propagation(
      static_cast<v1::MountPropagation>(v1::MountPropagation_MAX + 1));
  EXPECT_THAT(ToContainerSpec(request).status(), IsInvalidAt("config.mounts[0].propagation"));
}

TEST(ToContainerSpec, NeedsASourceForAMount) {
  v1::CreateContainerRequest request = ARequest();
  v1::Mount& mount = AddMount(request);
  mount.clear_host_path();
  EXPECT_THAT(ToContainerSpec(request).status(), IsInvalid("config.mounts[0].host_path: is empty"));
  mount.set_host_path("/srv");
  mount.set_image_sub_path("models");
  EXPECT_THAT(ToContainerSpec(request).status(), IsInvalidAt("config.mounts[0].image_sub_path"));
}

TEST(ToContainerSpec, RefusesRecursiveReadOnlyWhereItCannotHold) {
  v1::CreateContainerRequest request = ARequest();
  v1::Mount& mount = AddMount(request);
  mount.set_recursive_read_only(true);
  EXPECT_THAT(ToContainerSpec(request).status(),
              IsInvalidAt("config.mounts[0].recursive_read_only"));
  mount.set_readonly(true);
  EXPECT_TRUE(ToContainerSpec(request).ok());
  mount.set_propagation(v1::PROPAGATION_HOST_TO_CONTAINER);
  EXPECT_THAT(ToContainerSpec(request).status(),
              IsInvalidAt("config.mounts[0].recursive_read_only"));
}

TEST(ToContainerSpec, ReadsTheMapsOfAMountAndSaysThemAgain) {
  v1::CreateContainerRequest request = ARequest();
  v1::Mount& mount = AddMount(request);
  mount.add_uidmappings()->set_host_id(65536);
  mount.mutable_uidmappings(0)->set_length(10);
  // Both or none.
  EXPECT_THAT(ToContainerSpec(request).status(), IsInvalidAt("config.mounts[0].gidMappings"));
  *mount.add_gidmappings() = mount.uidmappings(0);
  const absl::StatusOr<spec::ContainerSpec> container = ToContainerSpec(request);
  ASSERT_TRUE(container.ok()) << container.status();
  EXPECT_EQ(container->mounts[0].uid_map, (std::vector<spec::IdRange>{{0, 65536, 10}}));
  EXPECT_EQ(container->mounts[0].gid_map, container->mounts[0].uid_map);
  EXPECT_EQ(FromMount(container->mounts[0]).SerializeAsString(), mount.SerializeAsString());
}

v1::Mount& AddImageVolume(v1::CreateContainerRequest& request) {
  v1::Mount& mount = *request.mutable_config()->add_mounts();
  mount.set_container_path("/data");
  mount.set_readonly(true);
  mount.mutable_image()->set_image("sha256:def");
  return mount;
}

TEST(ToContainerSpec, TakesAnImageVolumeAndSaysItAgain) {
  v1::CreateContainerRequest request = ARequest();
  v1::Mount& mount = AddImageVolume(request);
  mount.set_image_sub_path("models/small");
  mount.set_recursive_read_only(true);
  const absl::StatusOr<spec::ContainerSpec> container = ToContainerSpec(request);
  ASSERT_TRUE(container.ok()) << container.status();
  EXPECT_EQ(container->mounts[0], (spec::Mount{.container_path = "/data",
                                               .readonly = true,
                                               .recursive_read_only = true,
                                               .image = "sha256:def",
                                               .image_sub_path = "models/small"}));
  EXPECT_EQ(FromMount(container->mounts[0]).SerializeAsString(), mount.SerializeAsString());
}

TEST(ToContainerSpec, RefusesWhatMakesNoSenseForAnImageVolume) {
  const auto refused = [](void (*change)(v1::Mount&)) {
    v1::CreateContainerRequest request = ARequest();
    change(AddImageVolume(request));
    return ToContainerSpec(request).status();
  };
  EXPECT_THAT(refused([](v1::Mount& m) { m.mutable_image()->clear_image(); }),
              IsInvalid("config.mounts[0].image.image: is empty"));
  EXPECT_THAT(refused([](v1::Mount& m) { m.set_host_path("/srv"); }),
              IsInvalid("config.mounts[0].host_path: value \"/srv\" excludes image"));
  EXPECT_THAT(refused([](v1::Mount& m) { m.set_readonly(false); }),
              IsInvalid("config.mounts[0].readonly: value false excludes image"));
  EXPECT_THAT(refused([](v1::Mount& m) { m.set_propagation(v1::PROPAGATION_HOST_TO_CONTAINER); }),
              IsInvalidAt("config.mounts[0].propagation"));
  EXPECT_THAT(refused([](v1::Mount& m) { m.set_propagation(v1::PROPAGATION_BIDIRECTIONAL); }),
              IsInvalidAt("config.mounts[0].propagation"));
}

TEST(ToContainerSpec, RefusesASubPathThatLeavesTheImage) {
  v1::CreateContainerRequest request = ARequest();
  v1::Mount& mount = AddImageVolume(request);
  for (const std::string& path : {std::string("/etc"), std::string("../x"), std::string("a/../b"),
                                  std::string("a/.."), std::string("a\0b", 3)}) {
    mount.set_image_sub_path(path);
    EXPECT_THAT(ToContainerSpec(request).status(), IsInvalidAt("config.mounts[0].image_sub_path"))
        << path;
  }
}

TEST(ToContainerSpec, FailsRatherThanDropWhatIsNotBuilt) {
  v1::CreateContainerRequest request = ARequest();
  AddMount(request).add_mount_options("noexec");
  EXPECT_EQ(ToContainerSpec(request).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(ToContainerSpec, KeepsTheNamesOfCdiDevicesAndRefusesOtherForms) {
  v1::CreateContainerRequest request = ARequest();
  request.mutable_config()->add_cdi_devices()->set_name("vendor.com/gpu=0");
  const auto container = ToContainerSpec(request);
  ASSERT_TRUE(container.ok()) << container.status();
  EXPECT_EQ(container->cdi_devices, std::vector<std::string>{"vendor.com/gpu=0"});
  request.mutable_config()->add_cdi_devices()->set_name("gpu");
  EXPECT_THAT(ToContainerSpec(request).status(),
              IsInvalid("config.CDI_devices[1].name: value \"gpu\" is not of the form "
                        "vendor/class=device"));
}

TEST(ToContainerSpec, RefusesUnknownDevicePermissions) {
  v1::CreateContainerRequest request = ARequest();
  v1::Device& device = *request.mutable_config()->add_devices();
  device.set_container_path("/dev/x");
  device.set_host_path("/dev/x");
  device.set_permissions("rx");
  EXPECT_THAT(ToContainerSpec(request).status(), IsInvalidAt("config.devices[0].permissions"));
}

TEST(ToResources, OfAnUpdateNamesTheFieldOfTheUpdate) {
  v1::UpdateContainerResourcesRequest request;
  request.mutable_linux()->set_oom_score_adj(1001);
  EXPECT_THAT(ToResources(request).status(),
              IsInvalid("linux.oom_score_adj: value 1001 is not in -1000 to 1000"));
}

}  // namespace
}  // namespace bulkhead::cri
