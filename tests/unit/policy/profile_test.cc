#include "shim/policy/profile.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::policy {
namespace {

TEST(Profiles, AreTheDefaultOneAndThoseOfTheConfiguration) {
  config::Config config;
  config.isolation.seccomp_default = true;
  config.handlers["own"] = {.kind = "default", .pids_limit = 7};
  config.handlers["dev"] = {.kind = "debug", .weaker_than_default = true};
  const Profiles profiles(config);
  EXPECT_THAT(
      profiles.all(),
      testing::ElementsAre(Profile{.seccomp_default = true},
                           Profile{.handler = "dev", .kind = Kind::kDebug, .seccomp_default = true},
                           Profile{.handler = "hardened",
                                   .kind = Kind::kHardened,
                                   .seccomp_default = true,
                                   .pids_limit = 4096},
                           Profile{.handler = "own", .seccomp_default = true, .pids_limit = 7}));
  EXPECT_EQ(profiles.Find("hardened")->kind, Kind::kHardened);
  EXPECT_EQ(profiles.Find("")->kind, Kind::kDefault);
}

TEST(Profiles, AHandlerThatIsNotConfiguredIsNotFoundAndTheKnownOnesAreNamed) {
  const absl::Status status = Profiles(config::Config()).Find("gvisor\n").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            "runtime_handler: \"gvisor\\n\" is none of this node's: \"\", \"hardened\"");
}

}  // namespace
}  // namespace bulkhead::policy
