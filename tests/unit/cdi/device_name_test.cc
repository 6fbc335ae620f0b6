#include "shim/cdi/device_name.h"

#include "gtest/gtest.h"

namespace bulkhead::cdi {
namespace {

TEST(ParseDeviceName, HasKindAndDevice) {
  const auto name = ParseDeviceName("nvidia.com/gpu=GPU-1:0.2");
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_EQ(name->kind, "nvidia.com/gpu");
  EXPECT_EQ(name->device, "GPU-1:0.2");
}

TEST(ParseDeviceName, RefusesOtherForms) {
  for (const char* name : {"", "gpu=0", "vendor.com/gpu", "vendor.com/gpu=", "vendor.com/=0",
                           "/gpu=0", "vendor.com/gpu=../../x", "vendor.com/gpu=a=b",
                           "vendor.com/gpu=0 ", "-v/gpu=0", "v/g/h=0"}) {
    EXPECT_EQ(ParseDeviceName(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace bulkhead::cdi
