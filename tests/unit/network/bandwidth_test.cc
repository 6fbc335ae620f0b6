#include "shim/network/bandwidth.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::network {
namespace {

constexpr char kIngress[] = "kubernetes.io/ingress-bandwidth";
constexpr char kEgress[] = "kubernetes.io/egress-bandwidth";

TEST(ReadBandwidth, IsNoneWithoutAnnotations) {
  const auto bandwidth = ReadBandwidth({{"other", "1M"}});
  ASSERT_TRUE(bandwidth.ok());
  EXPECT_FALSE(bandwidth->has_value());
}

TEST(ReadBandwidth, ReadsKubernetesQuantities) {
  const auto bandwidth = ReadBandwidth({{kIngress, "100M"}, {kEgress, "1.5Gi"}});
  ASSERT_TRUE(bandwidth.ok()) << bandwidth.status();
  EXPECT_EQ((*bandwidth)->ingress_rate, 100000000u);
  EXPECT_EQ((*bandwidth)->ingress_burst, 10000000u);
  EXPECT_EQ((*bandwidth)->egress_rate, 1610612736u);
}

TEST(ReadBandwidth, LimitsOneDirectionAlone) {
  const auto bandwidth = ReadBandwidth({{kEgress, "2000"}});
  ASSERT_TRUE(bandwidth.ok()) << bandwidth.status();
  EXPECT_EQ((*bandwidth)->ingress_rate, 0u);
  EXPECT_EQ((*bandwidth)->ingress_burst, 0u);
  EXPECT_EQ((*bandwidth)->egress_rate, 2000u);
  EXPECT_GE((*bandwidth)->egress_burst, 64u * 1024 * 8);
}

TEST(ReadBandwidth, KeepsTheBurstWithinWhatThePluginTakes) {
  const auto bandwidth = ReadBandwidth({{kIngress, "1P"}});
  ASSERT_TRUE(bandwidth.ok()) << bandwidth.status();
  EXPECT_EQ((*bandwidth)->ingress_burst, 2147483647u);
}

TEST(ReadBandwidth, NamesTheAnnotationAndItsValueWhenItIsBad) {
  for (const char* value : {"", "fast", "10", "2P", "-1M", "1e99999", "1MM", "0x10M", "nan", "M"}) {
    const absl::Status status = ReadBandwidth({{kIngress, value}}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << value;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(kIngress)) << value;
  }
}

}  // namespace
}  // namespace bulkhead::network
