#include "shim/image/sqlite.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

namespace bulkhead::image {
namespace {

class Checkpoints : public ::testing::Test {
 protected:
  Checkpoints() {
    std::string name = ::testing::TempDir() + "/bulkhead-sqlite-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~Checkpoints() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(Checkpoints, OfSeveralConnectionsWaitForEachOther) {
  const std::string path = folder_ / "test.db";
  auto first = Database::Open(path);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(first->Execute("CREATE TABLE t (x INTEGER)").ok());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&path] {
      auto own = Database::Open(path);
      ASSERT_TRUE(own.ok()) << own.status();
      for (int i = 0; i < 50; ++i) {
        const absl::Status written = own->Execute("INSERT INTO t VALUES (1)");
        EXPECT_TRUE(written.ok()) << written;
        const absl::Status flushed = own->Checkpoint();
        EXPECT_TRUE(flushed.ok()) << flushed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace bulkhead::image
