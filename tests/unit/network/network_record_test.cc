#include "shim/network/network_record.h"

#include <sys/stat.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/network/temporary_directory.h"

namespace bulkhead::network {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

NetworkRecord Sample(const std::string& pod_id) {
  return {.attachment = {pod_id, "/run/netns/a", "eth0", "K=V"},
          .network = {.name = "n",
                      .cni_version = "1.0.0",
                      .disable_check = true,
                      .plugins = {{{"type", "bridge"}}}},
          .capabilities = {{"ips", {"10.0.0.1/8"}}},
          .result = {{"ips", {}}}};
}

TEST(NetworkRecord, SurvivesTheRoundTrip) {
  const nlohmann::json written = ToJson(Sample("p1"));
  const absl::StatusOr<NetworkRecord> record = ParseNetworkRecord(written.dump());
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(ToJson(*record), written);
  EXPECT_EQ(record->attachment.args, "K=V");
  EXPECT_TRUE(record->network.disable_check);
}

TEST(NetworkRecord, IsLostWhenTheFileIsDamaged) {
  for (const char* text : {"", "{}", "[", "{\"format\": 2}", "{\"format\": 1, \"netns\": 4}"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseNetworkRecord(text).status())) << text;
  }
}

class NetworkRecordStoreTest : public ::testing::Test {
 protected:
  NetworkRecordStore Open() { return *NetworkRecordStore::Open(directory_.path("network")); }

  TemporaryDirectory directory_;
};

TEST_F(NetworkRecordStoreTest, KeepsARecordUntilItIsRemoved) {
  const NetworkRecordStore store = Open();
  ASSERT_TRUE(store.Write(Sample("p2")).ok());
  ASSERT_TRUE(store.Write(Sample("p1")).ok());
  EXPECT_THAT(*store.List(), ElementsAre("p1", "p2"));
  const absl::StatusOr<NetworkRecord> record = Open().Read("p1");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->attachment.container_id, "p1");
  EXPECT_TRUE(store.Remove("p1").ok());
  EXPECT_TRUE(store.Remove("p1").ok());
  EXPECT_TRUE(absl::IsNotFound(store.Read("p1").status()));
  EXPECT_THAT(*store.List(), ElementsAre("p2"));
}

TEST_F(NetworkRecordStoreTest, CanBeReadByRootAlone) {
  ASSERT_TRUE(Open().Write(Sample("p1")).ok());
  struct stat file;
  ASSERT_EQ(stat(directory_.path("network/p1.json").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(directory_.path("network").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0700u);
}

TEST_F(NetworkRecordStoreTest, ClearsWhatACrashLeftOfAReplacement) {
  directory_.Write("network/p1.json.new", "{");
  EXPECT_THAT(*Open().List(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(directory_.path("network/p1.json.new")));
}

TEST_F(NetworkRecordStoreTest, StillNamesThePodOfAnEmptyRecord) {
  directory_.Write("network/p1.json", "");
  EXPECT_THAT(*Open().List(), ElementsAre("p1"));
  EXPECT_TRUE(absl::IsDataLoss(Open().Read("p1").status()));
}

TEST_F(NetworkRecordStoreTest, LeavesNothingWhenAWriteFails) {
  const NetworkRecordStore store = Open();
  directory_.Write("network/p1.json/in-the-way", "");
  EXPECT_FALSE(store.Write(Sample("p1")).ok());
  EXPECT_FALSE(std::filesystem::exists(directory_.path("network/p1.json.new")));
}

}  // namespace
}  // namespace bulkhead::network
