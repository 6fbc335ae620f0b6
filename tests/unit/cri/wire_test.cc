// Compares the compiled CRI with a table of its wire facts, so that no edit of the .proto file can
// change what goes over the wire unnoticed.

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/cri/api.pb.h"

namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

using Facts = std::multiset<std::string>;

std::string Row(std::vector<std::string> cells) {
  while (!cells.empty() && cells.back().empty()) cells.pop_back();
  return absl::StrJoin(cells, "\t");
}

const FileDescriptor& Cri() { return *runtime::v1::VersionRequest::descriptor()->file(); }

// The name as the table has it: without the package.
std::string Local(const std::string& full_name) {
  return std::string(absl::StripPrefix(full_name, absl::StrCat(Cri().package(), ".")));
}

std::string TypeName(const FieldDescriptor& field) {
  if (field.is_map()) {
    return absl::StrCat("map<", TypeName(*field.message_type()->map_key()), ",",
                        TypeName(*field.message_type()->map_value()), ">");
  }
  if (field.message_type() != nullptr) return Local(field.message_type()->full_name());
  if (field.enum_type() != nullptr) return Local(field.enum_type()->full_name());
  return field.type_name();
}

std::string Label(const FieldDescriptor& field) {
  if (field.is_map()) return "map";
  if (field.is_repeated()) return "repeated";
  return field.has_optional_keyword() ? "optional" : "singular";
}

void AddEnum(const EnumDescriptor& descriptor, Facts& facts) {
  const std::string name = Local(descriptor.full_name());
  facts.insert(Row({"enum", name}));
  for (int i = 0; i < descriptor.value_count(); ++i) {
    const auto& value = *descriptor.value(i);
    facts.insert(Row({"value", name, absl::StrCat(value.number()), value.name()}));
  }
}

void AddMessage(const Descriptor& descriptor, Facts& facts) {
  if (descriptor.options().map_entry()) return;
  const std::string name = Local(descriptor.full_name());
  facts.insert(Row({"message", name}));
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    const auto* oneof = field.real_containing_oneof();
    facts.insert(Row({"field", name, absl::StrCat(field.number()), field.name(), Label(field),
                      TypeName(field), oneof == nullptr ? "" : oneof->name(),
                      field.options().deprecated() ? "deprecated" : ""}));
  }
  for (int i = 0; i < descriptor.enum_type_count(); ++i) AddEnum(*descriptor.enum_type(i), facts);
  for (int i = 0; i < descriptor.nested_type_count(); ++i) {
    AddMessage(*descriptor.nested_type(i), facts);
  }
}

void AddService(const ServiceDescriptor& service, Facts& facts) {
  facts.insert(Row({"service", service.name()}));
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& rpc = *service.method(i);
    facts.insert(Row({"rpc", service.name(), rpc.name(),
                      absl::StrCat(rpc.client_streaming() ? "stream " : "",
                                   Local(rpc.input_type()->full_name())),
                      absl::StrCat(rpc.server_streaming() ? "stream " : "",
                                   Local(rpc.output_type()->full_name()))}));
  }
}

Facts CompiledFacts() {
  const FileDescriptor& file = Cri();
  Facts facts = {Row({"package", file.package(), FileDescriptor::SyntaxName(file.syntax())})};
  for (int i = 0; i < file.service_count(); ++i) AddService(*file.service(i), facts);
  for (int i = 0; i < file.enum_type_count(); ++i) AddEnum(*file.enum_type(i), facts);
  for (int i = 0; i < file.message_type_count(); ++i) AddMessage(*file.message_type(i), facts);
  return facts;
}

Facts TableFacts() {
  std::ifstream table(BULKHEAD_CRI_WIRE_TABLE);
  Facts facts;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line.front() == '#') continue;
    facts.insert(Row(absl::StrSplit(line, '\t')));
  }
  return facts;
}

Facts Minus(const Facts& left, const Facts& right) {
  Facts rest;
  std::set_difference(left.begin(), left.end(), right.begin(), right.end(),
                      std::inserter(rest, rest.end()));
  return rest;
}

int CountOf(const Facts& facts, const std::string& kind) {
  int count = 0;
  for (const auto& fact : facts) count += absl::StartsWith(fact, kind + "\t") ? 1 : 0;
  return count;
}

TEST(CriWire, TheTableIsWhole) {
  const Facts table = TableFacts();
  EXPECT_EQ(CountOf(table, "service"), 2);
  EXPECT_EQ(CountOf(table, "rpc"), 43);
  EXPECT_EQ(CountOf(table, "message"), 175);
  EXPECT_EQ(CountOf(table, "enum"), 11);
  EXPECT_EQ(CountOf(table, "field"), 478);
  EXPECT_EQ(CountOf(table, "value"), 95);
}

TEST(CriWire, TheCompiledInterfaceMissesNothingOfTheTable) {
  EXPECT_THAT(Minus(TableFacts(), CompiledFacts()), testing::IsEmpty());
}

TEST(CriWire, TheCompiledInterfaceHasNothingBesideTheTable) {
  EXPECT_THAT(Minus(CompiledFacts(), TableFacts()), testing::IsEmpty());
}

TEST(CriWire, ANumberSkippedWithinAMessageIsReserved) {
  for (int i = 0; i < Cri().message_type_count(); ++i) {
    const Descriptor& message = *Cri().message_type(i);
    int highest = 0;
    for (int f = 0; f < message.field_count(); ++f) {
      highest = std::max(highest, message.field(f)->number());
    }
    for (int number = 1; number < highest; ++number) {
      EXPECT_TRUE(message.FindFieldByNumber(number) != nullptr || message.IsReservedNumber(number))
          << message.name() << " leaves " << number << " open";
    }
  }
}

}  // namespace
