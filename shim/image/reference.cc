#include "shim/image/reference.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/kernel/status.h"
#include "shim/image/digest.h"

namespace bulkhead::image {
namespace {

constexpr size_t kMaxNameLength = 255;
constexpr size_t kMaxTagLength = 128;

bool IsLowerAlnum(char c) { return absl::ascii_isdigit(c) || absl::ascii_islower(c); }

// path-component: alphanumerics separated by one ".", one or two "_", or any number of "-".
bool IsPathComponent(std::string_view text) {
  if (text.empty() || !IsLowerAlnum(text.front()) || !IsLowerAlnum(text.back())) return false;
  for (size_t i = 0; i < text.size();) {
    if (IsLowerAlnum(text[i])) {
      ++i;
      continue;
    }
    const size_t end = std::min(text.find_first_not_of(text[i], i), text.size());
    const size_t run = end - i;
    const bool separator =
        text[i] == '-' || (text[i] == '.' && run == 1) || (text[i] == '_' && run <= 2);
    if (!separator || !IsLowerAlnum(text[end])) return false;
    i = end;
  }
  return true;
}

bool IsTag(std::string_view text) {
  if (text.empty() || text.size() > kMaxTagLength || text[0] == '.' || text[0] == '-') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
  });
}

bool IsHostName(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    const std::string_view address = host.substr(1, host.size() - 2);
    return std::all_of(address.begin(), address.end(),
                       [](char c) { return absl::ascii_isxdigit(c) || c == ':' || c == '.'; });
  }
  if (host.empty() || host.front() == '.' || host.front() == '-') return false;
  return std::all_of(host.begin(), host.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '-'; }) &&
         host.find("..") == std::string_view::npos && host.back() != '-' && host.back() != '.';
}

bool IsDomain(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.back() == ']') return IsHostName(text);
  const std::string port(text.substr(colon + 1));
  uint32_t number = 0;
  return IsHostName(text.substr(0, colon)) && absl::SimpleAtoi(port, &number) && number <= 65535 &&
         std::all_of(port.begin(), port.end(), absl::ascii_isdigit);
}

// Docker's rule for telling a registry from the first part of a path.
bool LooksLikeDomain(std::string_view first) {
  return first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
         std::any_of(first.begin(), first.end(), absl::ascii_isupper);
}

absl::Status Wrong(const std::string& text, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat("image reference \"", absl::CHexEscape(text.substr(0, 300)), "\": ", why));
}

void SplitDomain(const std::string& name, Reference& reference) {
  const size_t slash = name.find('/');
  if (slash == std::string::npos || !LooksLikeDomain(name.substr(0, slash))) {
    reference.domain = "docker.io";
    reference.path = name;
  } else {
    reference.domain = name.substr(0, slash);
    reference.path = name.substr(slash + 1);
  }
  if (reference.domain == "index.docker.io") reference.domain = "docker.io";
  if (reference.domain == "docker.io" && reference.path.find('/') == std::string::npos) {
    reference.path = "library/" + reference.path;
  }
}

}  // namespace

absl::StatusOr<Reference> ParseReference(const std::string& text) {
  Reference reference;
  std::string name = text;
  if (const size_t at = name.find('@'); at != std::string::npos) {
    reference.digest = name.substr(at + 1);
    name.resize(at);
    if (auto digest = Digest::Parse(reference.digest); !digest.ok()) {
      return Annotate(digest.status(), "image reference");
    }
  }
  const size_t colon = name.rfind(':');
  if (colon != std::string::npos && name.find('/', colon) == std::string::npos) {
    reference.tag = name.substr(colon + 1);
    name.resize(colon);
    if (!IsTag(reference.tag)) return Wrong(text, "the tag is malformed");
  }
  if (name.empty()) return Wrong(text, "it has no name");
  if (name.size() == 64 && IsLowerHex(name)) {
    return Wrong(text, "64 hex digits are an image id, not a name");
  }
  SplitDomain(name, reference);
  if (!IsDomain(reference.domain)) return Wrong(text, "the registry is not a host name");
  const std::vector<std::string> components = absl::StrSplit(reference.path, '/');
  for (const std::string& component : components) {
    if (!IsPathComponent(component)) {
      return Wrong(text, "the repository must be lower-case letters, digits and separators");
    }
  }
  if (reference.Name().size() > kMaxNameLength) return Wrong(text, "the name is over 255 bytes");
  if (reference.tag.empty() && reference.digest.empty()) reference.tag = "latest";
  return reference;
}

}  // namespace bulkhead::image
