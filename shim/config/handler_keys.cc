#include "shim/config/handler_keys.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::config {
namespace {

constexpr char kKinds[] = "\"default\", \"hardened\" or \"debug\"";
// The kernel's highest pid_max.
constexpr int64_t kHighestPids = int64_t{1} << 22;

absl::Status Invalid(const std::string& message) { return absl::InvalidArgumentError(message); }

absl::StatusOr<std::string> ReadKind(const Value& value) {
  absl::StatusOr<std::string> kind = ReadString(value);
  if (!kind.ok() || *kind == "default" || *kind == "hardened" || *kind == "debug") return kind;
  return Invalid(absl::StrCat("expected ", kKinds, ", found ", ToText(value)));
}

template <typename Member, typename Read>
HandlerKey KeyOf(const char* name, Member HandlerConfig::*member, Read read, const char* comment) {
  return {.name = name,
          .comment = comment,
          .read =
              [=](const Value& value, HandlerConfig& handler) {
                auto result = read(value);
                if (result.ok()) handler.*member = *std::move(result);
                return result.status();
              },
          .write = [=](const HandlerConfig& handler) { return Value(handler.*member); }};
}

}  // namespace

std::string HandlersComment() {
  return "A section [handlers.NAME] is a way to run pods, which a RuntimeClass names as its\n"
         "handler; docs/security-fields.md tells what each kind changes. Pods whose RuntimeClass\n"
         "names none have the kind \"default\".";
}

std::vector<HandlerKey> HandlerKeys() {
  return {
      KeyOf("kind", &HandlerConfig::kind, ReadKind,
            "\"default\"; \"hardened\": a user namespace for every pod, the strictest\n"
            "system-call filter, few capabilities, no way to ask for less; \"debug\", for nodes\n"
            "in development: RuntimeDefault logs the calls that it would refuse."),
      KeyOf(
          "pids_limit", &HandlerConfig::pids_limit,
          [](const Value& value) { return ReadInteger(value, 0, kHighestPids); },
          "How many processes and threads each container may have. 0 is 4096 under\n"
          "\"hardened\" and no limit but the kubelet's of the pod under the others."),
      KeyOf("weaker_than_default", &HandlerConfig::weaker_than_default, ReadBoolean,
            "Has to be true for the kind \"debug\", and says that whoever may use its\n"
            "RuntimeClass runs pods with less isolation than others have.")};
}

absl::Status CheckHandlerName(const std::string& name) {
  constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  const bool label = !name.empty() && name.size() <= 63 && name.front() != '-' &&
                     name.back() != '-' && name.find_first_not_of(kLetters) == std::string::npos;
  if (label) return absl::OkStatus();
  return Invalid(absl::StrCat("\"", absl::CHexEscape(name),
                              "\" is no name of a handler: at most 63 of a-z, 0-9 and \"-\", which "
                              "neither begins nor ends it"));
}

absl::Status CheckHandler(const std::string& name, const HandlerConfig& handler) {
  const std::string section = absl::StrCat(kHandlers, ".", name);
  if (handler.kind.empty()) return Invalid(absl::StrCat(section, ".kind: expected ", kKinds));
  if (handler.kind == "debug" && !handler.weaker_than_default) {
    return Invalid(absl::StrCat(section, ".kind: \"debug\" isolates less than the default: needs ",
                                section, ".weaker_than_default = true"));
  }
  if (handler.kind != "debug" && handler.weaker_than_default) {
    return Invalid(absl::StrCat(section, ".weaker_than_default: true is for kind \"debug\" only"));
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::config
