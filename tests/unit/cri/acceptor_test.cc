#include "shim/cri/acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <future>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shim/cri/listener.h"
#include "tests/unit/cri/fakes.h"

namespace bulkhead::cri {
namespace {

UniqueFd NewSocket() { return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

int Connect(const UniqueFd& socket, const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX};
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  return connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
}

// Lets the process have no more descriptors than it has.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const UniqueFd lowest_free(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const rlimit now = {.rlim_cur = static_cast<rlim_t>(lowest_free.get()),
                        .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &now);
  }
  ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

class AcceptorTest : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/a.sock";
  absl::StatusOr<Listener> listener_ = Listener::Open(path_, getgid());
  std::promise<Peer> accepted_;
  absl::StatusOr<std::unique_ptr<Acceptor>> acceptor_ =
      Acceptor::Start(listener_->fd(), [this](UniqueFd connection, const Peer& peer) {
        const int flags = fcntl(connection.get(), F_GETFD);
        EXPECT_NE(flags & FD_CLOEXEC, 0);
        accepted_.set_value(peer);
      });
};

TEST_F(AcceptorTest, TellsWhoConnected) {
  ASSERT_TRUE(acceptor_.ok()) << acceptor_.status();
  const UniqueFd client = NewSocket();
  ASSERT_EQ(Connect(client, path_), 0);
  EXPECT_EQ(accepted_.get_future().get(),
            (Peer{.pid = getpid(), .uid = getuid(), .gid = getgid()}));
}

TEST_F(AcceptorTest, TurnsAClientAwayWhenThereIsNoDescriptorForIt) {
  ASSERT_TRUE(acceptor_.ok()) << acceptor_.status();
  const UniqueFd first = NewSocket();
  const UniqueFd second = NewSocket();
  {
    const NoMoreDescriptors limit;
    ASSERT_EQ(Connect(first, path_), 0);
    char byte;
    EXPECT_EQ(read(first.get(), &byte, 1), 0) << "the connection is closed, not left to hang";
  }
  ASSERT_EQ(Connect(second, path_), 0);
  EXPECT_EQ(accepted_.get_future().get().pid, getpid()) << "and the next client is served";
}

}  // namespace
}  // namespace bulkhead::cri
