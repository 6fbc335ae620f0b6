#include "shim/image/digest.h"

#include <algorithm>
#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::image {

bool IsLowerHex(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

absl::StatusOr<Digest> Digest::Parse(const std::string& text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (text.starts_with("sha512:")) {
    return absl::UnimplementedError(absl::StrCat("digest ", text, ": only sha256 is supported"));
  }
  const std::string hex = text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : "";
  if (hex.size() != 64 || !IsLowerHex(hex)) {
    return absl::InvalidArgumentError(
        absl::StrCat("digest \"", absl::CHexEscape(text.substr(0, 100)),
                     "\": not \"sha256:\" and 64 lower-case hex digits"));
  }
  return Digest(hex);
}

Digest Digest::Of(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
}

void Sha256::Update(std::string_view bytes) {
  EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

Digest Sha256::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw;
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_.get(), raw.data(), &size);
  return Digest(
      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(raw.data()), size)));
}

}  // namespace bulkhead::image
