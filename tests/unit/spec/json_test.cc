#include "runtime/spec/json.h"

#include "gtest/gtest.h"

namespace bulkhead::spec {
namespace {

PodSpec APod() {
  return PodSpec{.metadata = {.name = "web", .uid = "u1", .name_space = "default", .attempt = 2},
                 .port_mappings = {{.protocol = Protocol::kUdp, .container_port = 53}},
                 .sysctls = {{"net.ipv4.ip_forward", "1"}},
                 .security = {.run_as_user = 0, .masked_paths = {"/proc/kcore"}}};
}

TEST(SpecJson, RoundTripsAPod) {
  const absl::StatusOr<PodSpec> back = PodSpecFromJson(ToJson(APod()));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, APod());
}

TEST(SpecJson, KeepsUserZeroApartFromNoUser) {
  PodSpec none = APod();
  none.security.run_as_user.reset();
  EXPECT_EQ(FirstDifference(APod(), none), "security.run_as_user");
}

TEST(SpecJson, RefusesARecordThatLacksAMember) {
  nlohmann::json json = ToJson(APod());
  json["security"].erase("no_new_privs");
  EXPECT_EQ(PodSpecFromJson(json).status().code(), absl::StatusCode::kDataLoss);
}

TEST(SpecJson, RoundTripsADeviceWithAndWithoutWhatTheHostTells) {
  const ContainerSpec spec{
      .devices = {{.container_path = "/dev/a", .uid = 0}, {.container_path = "/dev/b", .major = 8}},
      .cdi_devices = {"v.com/d=a"},
      .hooks = {{.path = "/a", .args = {"a", "b"}, .env = {"A=b"}}, {.path = "/b", .timeout = 7}}};
  const absl::StatusOr<ContainerSpec> back = ContainerSpecFromJson(ToJson(spec));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, spec);
}

TEST(SpecJson, ReadsAContainerOfAVersionWithoutCdiDevices) {
  nlohmann::json json = ToJson(ContainerSpec{.devices = {{.container_path = "/dev/a"}}});
  json.erase("cdi_devices");
  json.erase("hooks");
  for (const char* member : {"type", "major", "minor", "file_mode", "uid", "gid"}) {
    json["devices"][0].erase(member);
  }
  const absl::StatusOr<ContainerSpec> back = ContainerSpecFromJson(json);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->devices, (std::vector<Device>{{.container_path = "/dev/a"}}));
}

TEST(FirstDifference, NamesAnElementOfAList) {
  ContainerSpec a{.mounts = {{.container_path = "/a"}, {.container_path = "/b"}}};
  ContainerSpec b = a;
  b.mounts[1].host_path = "/srv";
  EXPECT_EQ(FirstDifference(a, b), "mounts[1].host_path");
}

TEST(FirstDifference, IsNoneForEqualSpecs) {
  EXPECT_EQ(FirstDifference(APod(), APod()), std::nullopt);
}

}  // namespace
}  // namespace bulkhead::spec
