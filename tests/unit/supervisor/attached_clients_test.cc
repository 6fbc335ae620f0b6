#include "runtime/supervisor/attached_clients.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace bulkhead::supervisor {
namespace {

constexpr size_t kOut = 0, kErr = 1;

class AttachedClientsTest : public testing::Test {
 protected:
  // As in the thread that writes: a closed pipe is an errno.
  AttachedClientsTest() { signal(SIGPIPE, SIG_IGN); }

  struct Client {
    UniqueFd out, err;
  };
  Client Attach() {
    int out[2], err[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
    EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
    clients_.Add(UniqueFd(out[1]), UniqueFd(err[1]));
    EXPECT_EQ(fcntl(err[0], F_SETFL, O_NONBLOCK), 0);
    return {UniqueFd(out[0]), UniqueFd(err[0])};
  }
  // What is there, and how it goes on.
  static std::string Read(const UniqueFd& fd) {
    std::string text(1 << 20, '\0');
    size_t size = 0;
    ssize_t n;
    while ((n = read(fd.get(), text.data() + size, text.size() - size)) > 0) size += n;
    const bool ended = n == 0;
    text.resize(size);
    return text + (ended ? "|" : "...");
  }

  AttachedClients clients_;
};

TEST_F(AttachedClientsTest, GetEachStreamOnItsPipe) {
  const Client a = Attach(), b = Attach();
  clients_.Write(kOut, "out");
  clients_.Write(kErr, "err");
  for (const Client* client : {&a, &b}) {
    EXPECT_EQ(Read(client->out), "out...");
    EXPECT_EQ(Read(client->err), "err...");
  }
}

TEST_F(AttachedClientsTest, ReadTheEndOfAStreamThatEnded) {
  const Client client = Attach();
  clients_.Write(kOut, "last");
  clients_.End(kOut);
  EXPECT_EQ(Read(client.out), "last|");
  EXPECT_EQ(Read(client.err), "...");
  clients_.End(kErr);
  EXPECT_EQ(Read(client.err), "|");
  EXPECT_EQ(clients_.size(), 0u);
}

TEST_F(AttachedClientsTest, LoseOnlyTheOneThatDoesNotRead) {
  const Client stalled = Attach(), other = Attach();
  const std::string chunk(60'000, 'x');
  clients_.Write(kOut, chunk);
  EXPECT_EQ(Read(other.out), chunk + "...");
  clients_.Write(kOut, chunk);
  EXPECT_EQ(clients_.size(), 1u);
  EXPECT_EQ(Read(other.out), chunk + "...");
  // Both streams end; nothing is missing in between.
  EXPECT_EQ(Read(stalled.out).substr(0, 60'000), chunk);
  EXPECT_EQ(Read(stalled.err), "|");
}

TEST_F(AttachedClientsTest, AreForgottenWhenTheyClose) {
  Client a = Attach(), b = Attach();
  a.out.reset();
  clients_.DropClosed();
  EXPECT_EQ(clients_.size(), 2u);
  clients_.Write(kErr, "err");
  EXPECT_EQ(Read(a.err), "err...");
  a.err.reset();
  clients_.DropClosed();
  EXPECT_EQ(clients_.size(), 1u);
  b = {};
  clients_.Write(kOut, "to nobody");
  clients_.Write(kErr, "to nobody");
  EXPECT_EQ(clients_.size(), 0u);
}

TEST_F(AttachedClientsTest, MayAskForOneStreamOrNone) {
  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(out[0]);
  clients_.Add(UniqueFd(out[1]), UniqueFd());
  clients_.Add(UniqueFd(), UniqueFd());
  EXPECT_EQ(clients_.size(), 1u);
  clients_.Write(kErr, "not asked for");
  clients_.Write(kOut, "out");
  EXPECT_EQ(Read(reader), "out...");
}

}  // namespace
}  // namespace bulkhead::supervisor
