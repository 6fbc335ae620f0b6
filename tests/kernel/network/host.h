#ifndef BULKHEAD_TESTS_KERNEL_NETWORK_HOST_H_
#define BULKHEAD_TESTS_KERNEL_NETWORK_HOST_H_

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace bulkhead::network {

// A host of the test's own: network and mount namespaces in which bridges, rules and pins never
// touch the machine's, and a folder that is removed with all in it.
class HostTest : public ::testing::Test {
 protected:
  HostTest();
  ~HostTest() override;

  std::string path(const std::string& name) const { return root_ / name; }
  void Write(const std::string& name, const std::string& text, unsigned mode = 0644) const;
  std::string Read(const std::string& name) const;

  // All that a pod may leave on a host: links, addresses, routes, rules, queues, mounts and the
  // files of the folder, as text. Two of them are equal when nothing was left.
  std::string Snapshot() const;

 private:
  std::filesystem::path root_;
};

// What a shell command prints, on both streams.
std::string Shell(const std::string& command);

// Runs the function on a thread inside the network namespace at `netns`.
void InNetns(const std::string& netns, const std::function<void()>& function);

// What a TCP server at the address says, or "" if there is no connection within two seconds.
std::string Dial(const std::string& address, int port);

// A TCP server on the port in the network namespace of the thread that makes it, which says its
// greeting to whoever connects.
class Greeter {
 public:
  Greeter(int port, std::string greeting);
  Greeter(const Greeter&) = delete;
  Greeter& operator=(const Greeter&) = delete;
  ~Greeter();

 private:
  int listener_ = -1;
  std::string greeting_;
  std::function<void()> join_;
};

}  // namespace bulkhead::network

#endif  // BULKHEAD_TESTS_KERNEL_NETWORK_HOST_H_
