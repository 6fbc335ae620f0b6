#include "shim/cri/listener.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/cri/fakes.h"

namespace bulkhead::cri {
namespace {

using absl::StatusCode;

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(lstat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

bool Exists(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0;
}

// A bound socket of another program, which knows nothing of the lock.
UniqueFd BindForeign(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX};
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

StatusCode CodeOf(const std::string& path) {
  return Listener::Open(path, getgid()).status().code();
}

// What another process gets.
StatusCode CodeInChild(const std::string& path) {
  const pid_t child = fork();
  if (child == 0) _exit(static_cast<int>(CodeOf(path)));
  int status = -1;
  waitpid(child, &status, 0);
  return static_cast<StatusCode>(WEXITSTATUS(status));
}

TEST(Listener, MakesAFolderAndASocketThatOthersCannotUse) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/run/b.sock";
  const mode_t mask = umask(0077);
  const absl::StatusOr<Listener> listener = Listener::Open(path, getgid());
  umask(mask);
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_EQ(ModeOf(folder.path() + "/run") & 0066, 0u);
  EXPECT_EQ(ModeOf(path), 0660u);
}

TEST(Listener, ReplacesASocketThatNobodyListensOn) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/b.sock";
  BindForeign(path);
  const absl::StatusOr<Listener> listener = Listener::Open(path, getgid());
  EXPECT_TRUE(listener.ok()) << listener.status();
}

TEST(Listener, RefusesASocketThatAnotherProgramListensOn) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/b.sock";
  const UniqueFd foreign = BindForeign(path);
  ASSERT_EQ(listen(foreign.get(), 1), 0);
  EXPECT_EQ(CodeOf(path), StatusCode::kAlreadyExists);
  EXPECT_TRUE(Exists(path));
}

TEST(Listener, RefusesAPathThatAnotherProcessHolds) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/b.sock";
  absl::StatusOr<Listener> first = Listener::Open(path, getgid());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(CodeInChild(path), StatusCode::kAlreadyExists);
  first->Close();
  EXPECT_EQ(CodeInChild(path), StatusCode::kAlreadyExists) << "the lock ends with the object only";
}

TEST(Listener, WaitsForTheExecOfAChildThatAKilledDaemonLeft) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/b.sock";
  UniqueFd inherited = BindForeign(path);
  ASSERT_EQ(listen(inherited.get(), 8), 0);
  // Accepts nothing, as a child that is about to exec, which closes the socket.
  std::thread child([&] {
    pollfd asked = {inherited.get(), POLLIN, 0};
    poll(&asked, 1, -1);
    inherited.reset();
  });
  const absl::StatusOr<Listener> listener = Listener::Open(path, getgid());
  child.join();
  EXPECT_TRUE(listener.ok()) << listener.status();
}

TEST(Listener, LeavesThePathFree) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/b.sock";
  { ASSERT_TRUE(Listener::Open(path, getgid()).ok()); }
  EXPECT_FALSE(Exists(path));
  EXPECT_TRUE(Listener::Open(path, getgid()).ok());
}

TEST(Listener, RefusesAFileThatIsNoSocketAndKeepsIt) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/b.sock";
  std::ofstream(path) << "precious";
  EXPECT_EQ(CodeOf(path), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Exists(path));
}

TEST(Listener, RefusesAFolderThatOthersCanWriteTo) {
  const TemporaryFolder folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0777), 0);
  EXPECT_EQ(CodeOf(folder.path() + "/b.sock"), StatusCode::kFailedPrecondition);
}

TEST(Listener, RefusesAPathThatDoesNotFitASocket) {
  const TemporaryFolder folder;
  EXPECT_EQ(CodeOf(folder.path() + "/" + std::string(108, 'a')), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf("b.sock"), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bulkhead::cri
