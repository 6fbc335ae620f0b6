// How a request's faults are named and gathered while it is translated.
#ifndef BULKHEAD_SHIM_CRI_FAULTS_H_
#define BULKHEAD_SHIM_CRI_FAULTS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bulkhead::cri {

// Where a value stands in a request, such as "config.mounts[2].host_path".
class Field {
 public:
  Field() = default;  // The request itself.
  explicit Field(std::string path) : path_(std::move(path)) {}

  Field Member(absl::string_view name) const;
  Field Element(int index) const;
  Field Entry(absl::string_view key) const;  // Of a map.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Gathers what is wrong with a request, so that translators can return plain values. The first
// fault is the one told. Messages repeat values of the request; for a secret use Invalid with a
// sentence that does not hold it.
class Faults {
 public:
  bool empty() const { return status_.ok(); }
  // INVALID_ARGUMENT or UNIMPLEMENTED with the first fault; OK when there is none.
  const absl::Status& status() const { return status_; }

  // "path: why".
  void Invalid(const Field& field, absl::string_view why);
  // "path: "value" why", the value escaped and cut to a readable length.
  void InvalidValue(const Field& field, absl::string_view value, absl::string_view why);
  void InvalidValue(const Field& field, int64_t value, absl::string_view why);
  // UNIMPLEMENTED, for what the interface allows and Bulkhead cannot do yet.
  void Unsupported(const Field& field, absl::string_view why);

  // What several fields have in common. Each returns whether the value is good.
  bool NotEmpty(const Field& field, absl::string_view value);
  // The kernel would end a string at a NUL byte and so act on another value than was checked.
  bool NoNul(const Field& field, absl::string_view value);
  bool AbsolutePath(const Field& field, absl::string_view value);
  // Relative and without "..", so that it stays below what it is joined to.
  bool PathBelow(const Field& field, absl::string_view value);
  bool InRange(const Field& field, int64_t value, int64_t lowest, int64_t highest);

 private:
  void Add(absl::StatusCode code, const Field& field, absl::string_view why);

  absl::Status status_;
};

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_FAULTS_H_
