#include "shim/cri/translate_signal.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

constexpr absl::string_view kPrefix = "SIGNAL_";

}  // namespace

std::string ToSignalName(v1::Signal signal, const Field& field, Faults& faults) {
  if (signal == v1::SIGNAL_RUNTIME_DEFAULT) return "";
  if (!v1::Signal_IsValid(signal)) {
    faults.InvalidValue(field, signal, "is not a Signal");
    return "";
  }
  return absl::StrReplaceAll(absl::StripPrefix(v1::Signal_Name(signal), kPrefix),
                             {{"PLUS", "+"}, {"MINUS", "-"}});
}

v1::Signal FromSignalName(absl::string_view name) {
  const std::string value =
      absl::StrCat(kPrefix, absl::StrReplaceAll(name, {{"+", "PLUS"}, {"-", "MINUS"}}));
  v1::Signal signal = v1::SIGNAL_RUNTIME_DEFAULT;
  return v1::Signal_Parse(value, &signal) ? signal : v1::SIGNAL_RUNTIME_DEFAULT;
}

}  // namespace bulkhead::cri
