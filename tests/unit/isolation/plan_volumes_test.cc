#include "runtime/isolation/plan_volumes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

namespace bulkhead::isolation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = DescriptorRequest::Kind;

const std::vector<spec::IdRange> kUids = {{0, 100000, 65536}};
const std::vector<spec::IdRange> kGids = {{0, 200000, 65536}};

class PlanImageVolume : public testing::Test {
 protected:
  absl::StatusOr<plan::Mount> Plan() {
    descriptors_ = DescriptorList();
    return PlanVolume(mount_, facts_, 3, pod_, descriptors_);
  }
  std::string Refusal() {
    const absl::Status status = Plan().status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  }

  spec::Mount mount_{.container_path = "/models",
                     .readonly = true,
                     .image = "sha256:2",
                     .image_sub_path = "small"};
  VolumeFacts facts_{.layers = {"/layers/b", "/layers/a"}};
  spec::NamespaceOptions pod_;
  DescriptorList descriptors_;
};

TEST_F(PlanImageVolume, HasItsLayersAndNothingThatTheImageCouldBring) {
  const absl::StatusOr<plan::Mount> planned = Plan();
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_EQ(planned->destination(), "/models");
  EXPECT_EQ(planned->attributes(),
            uint64_t{MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV});
  EXPECT_EQ(planned->propagation(), plan::Mount::PRIVATE);
  EXPECT_EQ(planned->image().sub_path(), "small");
  ASSERT_EQ(planned->image().layers_size(), 2);
  EXPECT_EQ(planned->image().layers(0).index(), 0u);
  EXPECT_EQ(planned->image().layers(1).index(), 1u);
  EXPECT_THAT(descriptors_.requests(), ElementsAre(DescriptorRequest{Kind::kTree, "/layers/b"},
                                                   DescriptorRequest{Kind::kTree, "/layers/a"}));
}

TEST_F(PlanImageVolume, IsReadOnlyAndPrivate) {
  mount_.readonly = false;
  EXPECT_THAT(Refusal(), HasSubstr("mounts[3].image: needs readonly"));
  mount_.readonly = true;
  mount_.propagation = spec::MountPropagation::kHostToContainer;
  EXPECT_THAT(Refusal(), HasSubstr("private propagation"));
}

TEST_F(PlanImageVolume, IsNotAmongTheLateMounts) {
  for (const char* late : {"/proc/models", "/sys/fs/cgroup", "/sys/fs/cgroup/x"}) {
    mount_.container_path = late;
    EXPECT_THAT(Refusal(), HasSubstr("is no place for an image volume"));
  }
}

TEST_F(PlanImageVolume, HasTheMapsOfThePodOrNone) {
  mount_.uid_map = kUids;
  mount_.gid_map = kGids;
  EXPECT_THAT(Refusal(), HasSubstr("the sandbox has no user namespace"));
  pod_.user = {.mode = spec::NamespaceMode::kPod, .uids = kUids, .gids = kGids};
  EXPECT_TRUE(Plan().ok()) << Plan().status();
  mount_.gid_map = kUids;
  EXPECT_THAT(Refusal(), HasSubstr("differ from the sandbox's"));
  mount_.uid_map.clear();
  mount_.gid_map.clear();
  EXPECT_TRUE(Plan().ok()) << Plan().status();
}

}  // namespace
}  // namespace bulkhead::isolation
