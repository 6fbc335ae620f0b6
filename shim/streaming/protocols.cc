#include "shim/streaming/protocols.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bulkhead::streaming {
namespace {

constexpr char kChannel[] = "channel.k8s.io";
constexpr char kBase64Channel[] = "base64.channel.k8s.io";
constexpr int kNewest = 5;

std::string Versioned(int version, const char* name) {
  return version == 1 ? name : absl::StrCat("v", version, ".", name);
}

std::optional<CommandProtocol> CommandOf(const std::string& name) {
  for (int version = 1; version <= kNewest; ++version) {
    if (name == Versioned(version, kChannel)) return CommandProtocol{name, version, false};
    if (name == Versioned(version, kBase64Channel)) return CommandProtocol{name, version, true};
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> SplitList(std::string_view header) {
  const absl::string_view text(header.data(), header.size());
  std::vector<std::string> values;
  for (const absl::string_view value : absl::StrSplit(text, ',')) {
    const absl::string_view trimmed = absl::StripAsciiWhitespace(value);
    if (!trimmed.empty()) values.emplace_back(trimmed);
  }
  return values;
}

std::optional<CommandProtocol> ChooseSpdyCommand(const std::vector<std::string>& offered) {
  for (const std::string& name : offered) {
    const std::optional<CommandProtocol> protocol = CommandOf(name);
    if (protocol && !protocol->base64) return protocol;
  }
  return std::nullopt;
}

std::vector<std::string> SpdyCommandProtocols() {
  std::vector<std::string> names;
  for (int version = kNewest; version >= 1; --version) {
    names.push_back(Versioned(version, kChannel));
  }
  return names;
}

std::optional<CommandProtocol> ChooseWebSocketCommand(const std::vector<std::string>& offered) {
  if (offered.empty()) return CommandProtocol();
  for (const std::string& name : offered) {
    if (std::optional<CommandProtocol> protocol = CommandOf(name)) return protocol;
  }
  return std::nullopt;
}

std::optional<PortForwardProtocol> ChooseWebSocketPortForward(
    const std::vector<std::string>& offered) {
  if (offered.empty()) return PortForwardProtocol();
  for (const std::string& name : offered) {
    if (name ==
        absl::StrCat("SPDY/3.1+", absl::string_view(kPortForward.data(), kPortForward.size()))) {
      return PortForwardProtocol{.name = name, .tunnel = true};
    }
    for (const int version : {4, 1}) {
      if (name == Versioned(version, kChannel)) return PortForwardProtocol{.name = name};
      if (name == Versioned(version, kBase64Channel)) {
        return PortForwardProtocol{.name = name, .base64 = true};
      }
    }
  }
  return std::nullopt;
}

}  // namespace bulkhead::streaming
