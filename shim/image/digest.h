#ifndef BULKHEAD_SHIM_IMAGE_DIGEST_H_
#define BULKHEAD_SHIM_IMAGE_DIGEST_H_

#include <openssl/evp.h>

#include <compare>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace bulkhead::image {

// A content digest in the form of the OCI image specification (descriptor.md), always sha256: the
// one algorithm that registries use. Its hex part is safe as a file name.
class Digest {
 public:
  // INVALID_ARGUMENT unless "sha256:" and 64 lower-case hex digits; UNIMPLEMENTED for sha512.
  static absl::StatusOr<Digest> Parse(const std::string& text);
  static Digest Of(std::string_view bytes);

  std::string str() const { return "sha256:" + hex_; }
  const std::string& hex() const { return hex_; }

  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  friend class Sha256;
  explicit Digest(std::string hex) : hex_(std::move(hex)) {}
  std::string hex_;
};

// Computes the digest of a stream.
class Sha256 {
 public:
  Sha256();
  void Update(std::string_view bytes);
  // Called once, after the last Update.
  Digest Finish();

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

// Whether `text` is non-empty and only lower-case hex digits.
bool IsLowerHex(std::string_view text);

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_DIGEST_H_
