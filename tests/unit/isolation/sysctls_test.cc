#include "runtime/isolation/sysctls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bulkhead::isolation {
namespace {

using testing::HasSubstr;

constexpr SysctlNamespaces kAll = {.network = true, .ipc = true, .uts = true};

std::string PathOf(const std::string& name, const SysctlNamespaces& own = kAll) {
  absl::StatusOr<std::vector<plan::Sysctl>> planned = PlanSysctls({{name, "1"}}, own);
  if (!planned.ok()) {
    EXPECT_TRUE(absl::IsInvalidArgument(planned.status()));
    EXPECT_THAT(std::string(planned.status().message()), HasSubstr("sysctls["));
    return "refused";
  }
  return planned->at(0).path();
}

TEST(PlanSysctls, DotsAreSlashesUnlessTheFirstSeparatorIsASlash) {
  EXPECT_EQ(PathOf("net.ipv4.ip_forward"), "net/ipv4/ip_forward");
  EXPECT_EQ(PathOf("net/ipv4/conf/eth0.100/forwarding"), "net/ipv4/conf/eth0.100/forwarding");
  EXPECT_EQ(PathOf("net.ipv4.conf.eth0/100.forwarding"), "net/ipv4/conf/eth0.100/forwarding");
}

TEST(PlanSysctls, TheIpcNamespacesAreAllowed) {
  for (const char* name : {"kernel.shm_rmid_forced", "kernel.msgmax", "kernel.sem",
                           "fs.mqueue.msg_max", "kernel.shmmax"}) {
    EXPECT_NE(PathOf(name), "refused") << name;
  }
}

TEST(PlanSysctls, WhatIsNotNamespacedIsRefused) {
  for (const char* name :
       {"kernel.panic", "vm.swappiness", "kernel.core_pattern", "kernel.semx", "fs.file-max",
        "kernel.msgmax.x", "user.max_user_namespaces", "net", "kernel", "", "kernel.shmmaxi"}) {
    EXPECT_EQ(PathOf(name), "refused") << name;
  }
}

TEST(PlanSysctls, APathThatLeadsOutIsRefused) {
  for (const std::string& name :
       {std::string("net/../kernel/core_pattern"), std::string("net//../vm/x"),
        std::string("/net/ipv4/x"), std::string("net/ipv4/"), std::string("net.ipv4..x"),
        std::string("fs.mqueue.//.kernel.x"), std::string("net/./x"),
        std::string("net.ipv4.x\0y", 12)}) {
    EXPECT_EQ(PathOf(name), "refused") << name;
  }
}

TEST(PlanSysctls, TheHostsNamespacesAreNotTouched) {
  EXPECT_EQ(PathOf("net.ipv4.ip_forward", {.ipc = true, .uts = true}), "refused");
  EXPECT_EQ(PathOf("kernel.msgmax", {.network = true, .uts = true}), "refused");
  EXPECT_EQ(PathOf("kernel.domainname", {.network = true, .ipc = true}), "refused");
}

}  // namespace
}  // namespace bulkhead::isolation
