#include "shim/log/event.h"

#include <sstream>

#include "gtest/gtest.h"

namespace bulkhead {
namespace {

std::string ValueOf(std::string_view value) {
  const std::string line = Event("e").With("k", value).line();
  return line.substr(std::string("e k=").size());
}

TEST(Event, IsOneLineOfKeysAndValues) {
  std::ostringstream stream;
  stream << Event("container started")
                .With("pod", "default/web")
                .With("attempt", 2)
                .With("duration", std::chrono::microseconds(12045))
                .With("error", absl::NotFoundError("no such image"));
  EXPECT_EQ(stream.str(),
            "container started pod=default/web attempt=2 duration=12.045ms "
            "error=\"NOT_FOUND: no such image\"");
}

TEST(Event, QuotesAValueWhoseEndCouldNotBeTold) {
  EXPECT_EQ(ValueOf("plain-1.2:/x"), "plain-1.2:/x");
  EXPECT_EQ(ValueOf("grün"), "grün");
  EXPECT_EQ(ValueOf(""), "\"\"");
  EXPECT_EQ(ValueOf("a b"), "\"a b\"");
  EXPECT_EQ(ValueOf("a=b"), "\"a=b\"");
  EXPECT_EQ(ValueOf("say \"hi\" \\"), "\"say \\\"hi\\\" \\\\\"");
}

TEST(Event, LetsNoValueForgeALine) {
  EXPECT_EQ(ValueOf("x\nI0101 forged"), "\"x\\nI0101 forged\"");
  EXPECT_EQ(ValueOf(std::string_view("\x1b[31m\0", 6)), "\"\\x1b[31m\\x00\"");
}

}  // namespace
}  // namespace bulkhead
