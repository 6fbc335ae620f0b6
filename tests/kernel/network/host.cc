#include "tests/kernel/network/host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <thread>

#include "runtime/kernel/fd.h"

namespace bulkhead::network {
namespace {

sockaddr_in6 AddressOf(const std::string& address, int port) {
  sockaddr_in6 socket_address{};
  socket_address.sin6_family = AF_INET6;
  socket_address.sin6_port = htons(static_cast<uint16_t>(port));
  // IPv4 in its mapped form, so that one socket family does for both.
  const std::string text = address.find(':') == std::string::npos ? "::ffff:" + address : address;
  EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &socket_address.sin6_addr), 1) << address;
  return socket_address;
}

}  // namespace

HostTest::HostTest() {
  EXPECT_EQ(geteuid(), 0u) << "these tests need root";
  EXPECT_EQ(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
  EXPECT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  std::string name = ::testing::TempDir() + "bulkhead-network-XXXXXX";
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  root_ = name;
  // Without duplicate address detection an IPv6 address is usable at once.
  EXPECT_EQ(Shell("ip link set lo up; ip addr add 192.0.2.1/32 dev lo;"
                  "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad"),
            "");
}

HostTest::~HostTest() { std::filesystem::remove_all(root_); }

void HostTest::Write(const std::string& name, const std::string& text, unsigned mode) const {
  const std::filesystem::path file = root_ / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
  std::filesystem::permissions(file, static_cast<std::filesystem::perms>(mode));
}

std::string HostTest::Read(const std::string& name) const {
  std::ifstream stream(root_ / name);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::string HostTest::Snapshot() const {
  // Without what only tells whether a link has a carrier. Rules are sorted without repeats because
  // portmap, run side by side, adds those that all pods share more than once.
  return Shell(
      "ip -br link | sed 's/[ @].*//'; ip -o addr | awk '{print $2, $4}';"
      "ip route | sed 's/ linkdown//'; ip -6 route | sed 's/ linkdown//';"
      "iptables-save | grep ^-A | sort -u; ip6tables-save | grep ^-A | sort -u; tc qdisc;"
      "cat /proc/self/mounts; find " +
      root_.string() + " | sort");
}

std::string Shell(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(("( " + command + " ) 2>&1").c_str(), "re"),
                                             pclose);
  std::string output;
  std::array<char, 4096> buffer;
  while (const size_t size = fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    output.append(buffer.data(), size);
  }
  return output;
}

void InNetns(const std::string& netns, const std::function<void()>& function) {
  std::thread([&] {
    const UniqueFd fd(open(netns.c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(setns(fd.get(), CLONE_NEWNET), 0) << netns;
    function();
  }).join();
}

std::string Dial(const std::string& address, int port) {
  const UniqueFd fd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience = {.tv_sec = 2};
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const sockaddr_in6 peer = AddressOf(address, port);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) return "";
  std::array<char, 256> buffer;
  const ssize_t size = read(fd.get(), buffer.data(), buffer.size());
  return size > 0 ? std::string(buffer.data(), static_cast<size_t>(size)) : "";
}

Greeter::Greeter(int port, std::string greeting)
    : listener_(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)), greeting_(std::move(greeting)) {
  const sockaddr_in6 any = AddressOf("::", port);
  EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
  EXPECT_EQ(listen(listener_, 8), 0);
  auto server = std::make_shared<std::thread>([this] {
    for (;;) {
      const UniqueFd client(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) return;
      send(client.get(), greeting_.data(), greeting_.size(), MSG_NOSIGNAL);
    }
  });
  join_ = [server] { server->join(); };
}

Greeter::~Greeter() {
  shutdown(listener_, SHUT_RDWR);
  join_();
  close(listener_);
}

}  // namespace bulkhead::network
