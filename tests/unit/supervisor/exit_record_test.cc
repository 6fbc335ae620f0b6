#include "runtime/supervisor/exit_record.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <limits>

#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {
namespace {

ExitRecord Killed() {
  ExitRecord record;
  record.set_code(137);
  record.set_signal(9);
  record.set_started_at(1);
  record.set_finished_at(2);
  record.set_oom_killed(true);
  return record;
}

TEST(ExitRecord, ComesBackFromItsFile) {
  const auto record = DecodeExitRecord(EncodeExitRecord(Killed()) + std::string(100, '\0'));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->SerializeAsString(), Killed().SerializeAsString());
}

TEST(ExitRecord, IsNotThereInAPreallocatedFile) {
  EXPECT_EQ(DecodeExitRecord(std::string(kExitRecordSize, '\0')).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(DecodeExitRecord("").status().code(), absl::StatusCode::kNotFound);
}

TEST(ExitRecord, CutOffIsNeverTakenForAnExitWithZero) {
  const std::string content = EncodeExitRecord(Killed());
  for (size_t size = 4; size < content.size(); ++size) {
    EXPECT_EQ(DecodeExitRecord(content.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss);
  }
}

TEST(ExitRecord, FitsWhatIsPreallocated) {
  ExitRecord largest;
  largest.set_code(std::numeric_limits<int32_t>::min());
  largest.set_signal(std::numeric_limits<int32_t>::min());
  largest.set_started_at(std::numeric_limits<int64_t>::min());
  largest.set_finished_at(std::numeric_limits<int64_t>::min());
  largest.set_oom_killed(true);
  EXPECT_LE(EncodeExitRecord(largest).size(), static_cast<size_t>(kExitRecordSize));
}

TEST(ExitRecord, GoesToTheBeginningOfItsFile) {
  const UniqueFd file(memfd_create("record", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), kExitRecordSize), 0);
  ASSERT_TRUE(WriteExitRecord(file.get(), Killed()).ok());
  const auto record = ReadExitRecord("/proc/self/fd/" + std::to_string(file.get()));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->code(), 137);
}

TEST(OomKills, AreReadFromBothVersionsOfCgroups) {
  EXPECT_EQ(ParseOomKills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3u);
  EXPECT_EQ(ParseOomKills("low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n"), 1u);
}

TEST(OomKills, AreNoneWhereTheKernelDoesNotCount) {
  EXPECT_EQ(ParseOomKills("oom_kill_disable 0\nunder_oom 0\n"), 0u);
  EXPECT_EQ(ParseOomKills(""), 0u);
  EXPECT_EQ(ReadOomKills(-1), std::nullopt);
}

}  // namespace
}  // namespace bulkhead::supervisor
