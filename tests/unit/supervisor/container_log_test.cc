#include "runtime/supervisor/container_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

namespace bulkhead::supervisor {
namespace {

// A log with two pipes and a file.
class ContainerLogTest : public testing::Test {
 protected:
  ContainerLogTest() {
    state::Log state;
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    state.set_out(ends[0]);
    out_.reset(ends[1]);
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    state.set_err(ends[0]);
    err_.reset(ends[1]);
    file_.reset(memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    state.set_file(dup(file_.get()));
    log_ = std::make_unique<ContainerLog>(state);
  }

  void Say(const UniqueFd& stream, std::string_view text) {
    ASSERT_EQ(write(stream.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    log_->Pump(&stream == &out_ ? ContainerLog::kOut : ContainerLog::kErr, scratch_);
  }

  static std::string ContentOf(const UniqueFd& file) {
    std::string content(1 << 20, '\0');
    content.resize(pread(file.get(), content.data(), content.size(), 0));
    return content;
  }

  // The log's records without their timestamps.
  static std::string Records(const UniqueFd& file) {
    std::string records;
    const std::string content = ContentOf(file);
    for (size_t at = 0; at < content.size();) {
      const size_t end = content.find('\n', at) + 1;
      records += content.substr(at + 31, end - at - 31);
      at = end;
    }
    return records;
  }

  // From here on the file refuses to grow beyond its size, as on a full disk.
  void FillDisk() {
    const off_t size = lseek(file_.get(), 0, SEEK_END);
    ASSERT_GE(fcntl(file_.get(), F_ADD_SEALS, F_SEAL_GROW), 0);
    ASSERT_GE(size, 0);
  }

  UniqueFd out_, err_, file_;
  LogScratch scratch_;
  std::unique_ptr<ContainerLog> log_;
};

TEST_F(ContainerLogTest, WritesBothStreamsInTheirOrder) {
  Say(out_, "one\n");
  Say(err_, "two\n");
  Say(out_, "three\n");
  EXPECT_EQ(Records(file_), "stdout F one\nstderr F two\nstdout F three\n");
}

TEST_F(ContainerLogTest, WritesTheUnfinishedLineAtTheStreamsEnd) {
  Say(out_, "rest");
  out_.reset();
  log_->Pump(ContainerLog::kOut, scratch_);
  EXPECT_EQ(Records(file_), "stdout P rest\n");
  EXPECT_EQ(log_->fd(ContainerLog::kOut), -1);
}

TEST_F(ContainerLogTest, DropsAndCountsWholeLinesWhenTheFileTakesNothing) {
  Say(out_, "one\n");
  FillDisk();
  Say(out_, "two\nthree\n");
  EXPECT_EQ(Records(file_), "stdout F one\n");
  EXPECT_EQ(log_->loss().lines, 2u);
  EXPECT_EQ(log_->loss().bytes, 8u);
  EXPECT_NE(log_->loss().error_number, 0);
}

TEST_F(ContainerLogTest, GoesOnInANewFileAfterLosses) {
  FillDisk();
  Say(out_, "one\n");
  UniqueFd fresh(memfd_create("log", MFD_CLOEXEC));
  log_->Reopen(UniqueFd(dup(fresh.get())));
  Say(out_, "two\n");
  EXPECT_EQ(Records(fresh), "stdout F two\n");
  EXPECT_EQ(log_->loss().lines, 1u);
}

TEST_F(ContainerLogTest, KeepsAnUnfinishedLineOverReopening) {
  Say(out_, "on");
  UniqueFd fresh(memfd_create("log", MFD_CLOEXEC));
  log_->Reopen(UniqueFd(dup(fresh.get())));
  Say(out_, "e\n");
  EXPECT_EQ(Records(file_), "");
  EXPECT_EQ(Records(fresh), "stdout F one\n");
}

TEST_F(ContainerLogTest, IsDrainedWhenAllThatWasWrittenIsInTheLog) {
  ASSERT_EQ(write(out_.get(), "one\nrest", 8), 8);
  log_->Drain(scratch_);
  EXPECT_FALSE(log_->TakeDrained());
  log_->Pump(ContainerLog::kOut, scratch_);
  // Somebody still holds the pipe open.
  EXPECT_TRUE(log_->TakeDrained());
  EXPECT_EQ(Records(file_), "stdout F one\nstdout P rest\n");
  EXPECT_FALSE(log_->TakeDrained());
}

TEST_F(ContainerLogTest, IsDrainedAtOnceWhenThePipesAreEmpty) {
  Say(out_, "rest");
  log_->Drain(scratch_);
  EXPECT_TRUE(log_->TakeDrained());
  EXPECT_EQ(Records(file_), "stdout P rest\n");
}

TEST_F(ContainerLogTest, GoesOnFromItsSavedState) {
  Say(out_, "on");
  Say(err_, "tw");
  state::Log saved = log_->Save();
  saved.set_out(dup(saved.out()));
  saved.set_err(dup(saved.err()));
  saved.set_file(dup(saved.file()));
  log_ = std::make_unique<ContainerLog>(saved);
  Say(out_, "e\n");
  Say(err_, "o\n");
  EXPECT_EQ(Records(file_), "stdout F one\nstderr F two\n");
}

// A file with room for a part of a record only, and then for more: a pipe that does not block.
TEST(ContainerLog, FinishesARecordThatWasCutOffBeforeTheNext) {
  int source[2], sink[2];
  ASSERT_EQ(pipe2(source, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(sink, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd in(source[1]), reader(sink[0]);
  const int room = fcntl(sink[1], F_SETPIPE_SZ, 4096);
  ASSERT_EQ(room, 4096);
  state::Log state;
  state.set_out(source[0]);
  state.set_file(sink[1]);
  ContainerLog log(state);
  LogScratch scratch;
  const auto say = [&](std::string_view text) {
    ASSERT_EQ(write(in.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    log.Pump(ContainerLog::kOut, scratch);
  };
  const auto drain = [&] {
    std::string content(8192, '\0');
    content.resize(std::max<ssize_t>(read(reader.get(), content.data(), content.size()), 0));
    return content;
  };
  // Over a page, so that the pipe takes a part of it.
  say(std::string(6000, 'a') + "\nlost\n");
  std::string content = drain();
  EXPECT_LT(content.size(), 6000u);
  EXPECT_EQ(log.loss().lines, 1u);
  say("next\n");
  content += drain();
  const std::string first = " stdout F " + std::string(6000, 'a') + "\n";
  EXPECT_EQ(content.substr(30, first.size()), first);
  EXPECT_EQ(content.substr(30 + first.size() + 30), " stdout F next\n");
}

TEST_F(ContainerLogTest, CopiesToAttachedClientsWhatTheLogGetsAndTheStreamsEnd) {
  Say(out_, "before\n");
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd client(ends[0]);
  log_->Attach(UniqueFd(ends[1]), UniqueFd());
  Say(out_, "after");
  Say(err_, "another stream\n");
  // Not for the log's disk either.
  FillDisk();
  Say(out_, " and more\n");
  char text[100];
  ASSERT_EQ(read(client.get(), text, sizeof(text)), 15);
  EXPECT_EQ(std::string(text, 15), "after and more\n");
  EXPECT_EQ(read(client.get(), text, sizeof(text)), -1);
  out_.reset();
  log_->Pump(ContainerLog::kOut, scratch_);
  EXPECT_EQ(read(client.get(), text, sizeof(text)), 0);
}

TEST_F(ContainerLogTest, TellsAClientAtOnceOfAStreamThatHasEnded) {
  out_.reset();
  log_->Pump(ContainerLog::kOut, scratch_);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd client(ends[0]);
  log_->Attach(UniqueFd(ends[1]), UniqueFd());
  char text[10];
  EXPECT_EQ(read(client.get(), text, sizeof(text)), 0);
}

}  // namespace
}  // namespace bulkhead::supervisor
