#include "runtime/spec/selinux.h"

#include <gtest/gtest.h>

namespace bulkhead::spec {
namespace {

TEST(IsSelinuxName, TakesWhatAPolicyCanName) {
  for (const char* name : {"system_u", "system_r", "svirt_lxc_net_t", "a-b.c", "t1"}) {
    EXPECT_TRUE(IsSelinuxName(name)) << name;
  }
  for (const char* name : {"", "a:b", "a b", "a\n", "a,b", "ü", "a\"b", "a/b"}) {
    EXPECT_FALSE(IsSelinuxName(name)) << name;
  }
}

TEST(IsSelinuxLevel, TakesLevelsAndRanges) {
  for (const char* level : {"s0", "s15", "s0:c4,c5", "s0:c0.c1023", "s0:c1,c3.c5,c9", "s0-s0",
                            "s0-s0:c0.c1023", "s0:c1-s3:c1,c2"}) {
    EXPECT_TRUE(IsSelinuxLevel(level)) << level;
  }
}

TEST(IsSelinuxLevel, RefusesWhatWouldMeanSomethingElse) {
  for (const char* level : {"",          "s",        "0",           "s0,c4,c5",     "s0:",
                            "s0:c",      "s0:4",     "s0:c4,",      "s0:,c4",       "s0:c4;c5",
                            "s0:c5.c4",  "s0:c4.c4", "s0:c1.c2.c3", "s0:c1:c2",     "s0-",
                            "-s0",       "s0-s0-s0", "s-1",         "s+1",          "s 1",
                            "s0 ",       "s0\n",     "s0:c1 ,c2",   "s99999999999", "SystemLow",
                            "s0:c4,c5:x"}) {
    EXPECT_FALSE(IsSelinuxLevel(level)) << level;
  }
}

}  // namespace
}  // namespace bulkhead::spec
