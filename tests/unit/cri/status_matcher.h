#ifndef BULKHEAD_TESTS_UNIT_CRI_STATUS_MATCHER_H_
#define BULKHEAD_TESTS_UNIT_CRI_STATUS_MATCHER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace bulkhead::cri {

// INVALID_ARGUMENT with exactly this message.
MATCHER_P(IsInvalid, message, "") {
  return arg.code() == absl::StatusCode::kInvalidArgument && arg.message() == message;
}

// INVALID_ARGUMENT for this field.
MATCHER_P(IsInvalidAt, field, "") {
  return arg.code() == absl::StatusCode::kInvalidArgument &&
         absl::StartsWith(arg.message(), absl::StrCat(field, ": "));
}

}  // namespace bulkhead::cri

#endif  // BULKHEAD_TESTS_UNIT_CRI_STATUS_MATCHER_H_
