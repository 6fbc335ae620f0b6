#include "shim/cri/faults.h"

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bulkhead::cri {
namespace {

constexpr size_t kLongestQuote = 200;

std::string Quote(absl::string_view value) {
  const bool cut = value.size() > kLongestQuote;
  return absl::StrCat("\"", absl::Utf8SafeCEscape(value.substr(0, kLongestQuote)),
                      cut ? "…\"" : "\"");
}

bool HasDotDot(absl::string_view path) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

}  // namespace

Field Field::Member(absl::string_view name) const {
  return Field(absl::StrCat(path_, path_.empty() ? "" : ".", name));
}

Field Field::Element(int index) const { return Field(absl::StrCat(path_, "[", index, "]")); }

Field Field::Entry(absl::string_view key) const {
  return Field(absl::StrCat(path_, "[", Quote(key), "]"));
}

void Faults::Add(absl::StatusCode code, const Field& field, absl::string_view why) {
  if (!status_.ok()) return;
  status_ = absl::Status(code, absl::StrCat(field.path(), ": ", why));
}

void Faults::Invalid(const Field& field, absl::string_view why) {
  Add(absl::StatusCode::kInvalidArgument, field, why);
}

void Faults::InvalidValue(const Field& field, absl::string_view value, absl::string_view why) {
  Invalid(field, absl::StrCat("value ", Quote(value), " ", why));
}

void Faults::InvalidValue(const Field& field, int64_t value, absl::string_view why) {
  Invalid(field, absl::StrCat("value ", value, " ", why));
}

void Faults::Unsupported(const Field& field, absl::string_view why) {
  Add(absl::StatusCode::kUnimplemented, field, why);
}

bool Faults::NotEmpty(const Field& field, absl::string_view value) {
  if (value.empty()) Invalid(field, "is empty");
  return !value.empty() && NoNul(field, value);
}

bool Faults::NoNul(const Field& field, absl::string_view value) {
  const bool good = !absl::StrContains(value, '\0');
  if (!good) Invalid(field, "contains a NUL byte");
  return good;
}

bool Faults::AbsolutePath(const Field& field, absl::string_view value) {
  if (!NotEmpty(field, value)) return false;
  const bool good = value.front() == '/';
  if (!good) InvalidValue(field, value, "is not an absolute path");
  return good;
}

bool Faults::PathBelow(const Field& field, absl::string_view value) {
  if (!NoNul(field, value)) return false;
  const bool good = !absl::StartsWith(value, "/") && !HasDotDot(value);
  if (!good) InvalidValue(field, value, "is not a relative path without \"..\"");
  return good;
}

bool Faults::InRange(const Field& field, int64_t value, int64_t lowest, int64_t highest) {
  const bool good = value >= lowest && value <= highest;
  if (!good) InvalidValue(field, value, absl::StrCat("is not in ", lowest, " to ", highest));
  return good;
}

}  // namespace bulkhead::cri
