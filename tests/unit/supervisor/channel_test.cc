#include "runtime/supervisor/channel.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <string>
#include <utility>
#include <vector>

namespace bulkhead::supervisor {
namespace {

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ours_ = std::make_unique<Channel>(UniqueFd(ends[0]));
    theirs_ = std::make_unique<Channel>(UniqueFd(ends[1]));
  }

  static Message Start(std::string id) {
    Message message;
    message.packet.set_id(7);
    message.packet.mutable_request()->mutable_start_container()->set_id(std::move(id));
    return message;
  }

  Message Receive() {
    absl::StatusOr<std::optional<Message>> message = theirs_->Receive();
    EXPECT_TRUE(message.ok()) << message.status();
    EXPECT_TRUE(message.ok() && message->has_value());
    return message.ok() && message->has_value() ? **std::move(message) : Message{};
  }

  absl::Status ReceiveError() { return theirs_->Receive().status(); }

  // Past the Channel, for what a correct peer would never send.
  void SendRaw(const Packet& packet, int fd = -1) {
    const std::string bytes = packet.SerializeAsString();
    iovec data = {const_cast<char*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
    if (fd >= 0) {
      header.msg_control = control;
      header.msg_controllen = sizeof(control);
      cmsghdr* c = CMSG_FIRSTHDR(&header);
      *c = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
      memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    ASSERT_GE(sendmsg(ours_->fd(), &header, 0), 0);
  }

  std::unique_ptr<Channel> ours_, theirs_;
};

UniqueFd FileOf(const std::string& text) {
  UniqueFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return fd;
}

std::string TextOf(const UniqueFd& fd) {
  char text[16];
  const ssize_t n = pread(fd.get(), text, sizeof(text), 0);
  return std::string(text, n > 0 ? n : 0);
}

TEST_F(ChannelTest, CarriesAPacketThere) {
  ASSERT_TRUE(ours_->Send(Start("abc")).ok());
  const Message message = Receive();
  EXPECT_EQ(message.packet.id(), 7u);
  EXPECT_EQ(message.packet.request().start_container().id(), "abc");
  EXPECT_TRUE(message.fds.empty());
}

TEST_F(ChannelTest, HasNothingBeforeAPacketCame) {
  const auto message = theirs_->Receive();
  ASSERT_TRUE(message.ok());
  EXPECT_FALSE(message->has_value());
}

TEST_F(ChannelTest, CarriesThreeHundredDescriptorsInOrder) {
  Message message = Start("abc");
  for (int i = 0; i < 300; ++i) message.fds.push_back(FileOf(std::to_string(i)));
  ASSERT_TRUE(ours_->Send(std::move(message)).ok());
  const Message received = Receive();
  ASSERT_EQ(received.fds.size(), 300u);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(TextOf(received.fds[i]), std::to_string(i));
}

TEST_F(ChannelTest, ReceivesDescriptorsCloseOnExec) {
  Message message = Start("abc");
  message.fds.push_back(FileOf("x"));
  ASSERT_TRUE(ours_->Send(std::move(message)).ok());
  EXPECT_EQ(fcntl(Receive().fds.at(0).get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(ChannelTest, CarriesALargePacketWithItsDescriptors) {
  Message message = Start(std::string(1536 * 1024, 'e'));
  for (int i = 0; i < 300; ++i) message.fds.push_back(FileOf(std::to_string(i)));
  ASSERT_TRUE(ours_->Send(std::move(message)).ok());
  const Message received = Receive();
  EXPECT_EQ(received.packet.request().start_container().id(), std::string(1536 * 1024, 'e'));
  ASSERT_EQ(received.fds.size(), 300u);
  EXPECT_EQ(TextOf(received.fds[0]), "0");
  EXPECT_EQ(TextOf(received.fds[299]), "299");
}

TEST_F(ChannelTest, RefusesToSendOverTheSizeLimit) {
  const absl::Status status = ours_->Send(Start(std::string(kMessageLimit + 1, 'e')));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(ours_->wants_write());
}

TEST_F(ChannelTest, RefusesToSendTooManyDescriptors) {
  Message message = Start("abc");
  const UniqueFd file = FileOf("x");
  for (size_t i = 0; i < kFdsPerMessage + 1; ++i) message.fds.emplace_back(dup(file.get()));
  EXPECT_EQ(ours_->Send(std::move(message)).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ChannelTest, RefusesABodyThatIsNotSealed) {
  Packet body;
  body.set_id(7);
  body.mutable_request()->mutable_hello();
  const UniqueFd file = FileOf(body.SerializeAsString());
  Packet shell;
  shell.set_id(7);
  shell.set_in_memfd(true);
  SendRaw(shell, file.get());
  const absl::Status status = ReceiveError();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("sealed"));
}

TEST_F(ChannelTest, RefusesASealedBodyOverTheSizeLimit) {
  const UniqueFd file = FileOf("");
  ASSERT_EQ(ftruncate(file.get(), kMessageLimit + 1), 0);
  ASSERT_EQ(fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
  Packet shell;
  shell.set_id(7);
  shell.set_in_memfd(true);
  SendRaw(shell, file.get());
  EXPECT_THAT(std::string(ReceiveError().message()), testing::HasSubstr("over the limit"));
}

TEST_F(ChannelTest, RefusesAnotherPacketBetweenDescriptorsAndTheirOwn) {
  Packet ahead;
  ahead.set_id(7);
  ahead.set_more_fds(true);
  const UniqueFd file = FileOf("x");
  SendRaw(ahead, file.get());
  Packet other;
  other.set_id(8);
  other.mutable_request()->mutable_hello();
  SendRaw(other);
  EXPECT_EQ(ReceiveError().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ChannelTest, RefusesEndlessDescriptorsAhead) {
  Packet ahead;
  ahead.set_id(7);
  ahead.set_more_fds(true);
  const UniqueFd file = FileOf("x");
  absl::Status status;
  for (size_t i = 0; i <= kFdsPerMessage + 1 && status.ok(); ++i) {
    SendRaw(ahead, file.get());
    status = ReceiveError();
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ChannelTest, TakesADatagramThatIsCutOffAsAnError) {
  const std::string bytes(kInlineLimit + 10, 'x');
  ASSERT_GE(send(ours_->fd(), bytes.data(), bytes.size(), 0), 0);
  EXPECT_EQ(ReceiveError().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ChannelTest, RefusesADatagramThatIsNoPacket) {
  ASSERT_GE(send(ours_->fd(), "\xff\xff\xff", 3, 0), 0);
  EXPECT_EQ(ReceiveError().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ChannelTest, KeepsARequestThatItDoesNotKnow) {
  // Field 4, a Request, whose only field has a number of the future.
  ASSERT_GE(send(ours_->fd(), "\x08\x07\x22\x04\xba\x3e\x01\x61", 8, 0), 0);
  const Message message = Receive();
  EXPECT_TRUE(message.packet.has_request());
  EXPECT_EQ(message.packet.request().call_case(), Request::CALL_NOT_SET);
}

TEST_F(ChannelTest, SaysThatThePeerIsGone) {
  ours_.reset();
  EXPECT_EQ(ReceiveError().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ChannelTest, GivesUpAPeerThatDoesNotRead) {
  absl::Status status;
  int sent = 0;
  for (; status.ok() && sent < 100'000; ++sent) {
    status = ours_->Send(Start(std::string(30'000, 'x')));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LT(sent, 1000);
}

TEST_F(ChannelTest, SendsWhatWaitedOnceThePeerReads) {
  int sent = 0;
  for (; !ours_->wants_write(); ++sent) ASSERT_TRUE(ours_->Send(Start("abc")).ok());
  for (int received = 0; received < sent; ++received) {
    ASSERT_TRUE(ours_->Flush().ok());
    EXPECT_EQ(Receive().packet.request().start_container().id(), "abc");
  }
  EXPECT_FALSE(ours_->wants_write());
}

}  // namespace
}  // namespace bulkhead::supervisor
