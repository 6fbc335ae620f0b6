#include "shim/pods/ids.h"

#include <sys/random.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace bulkhead::pods {
namespace {

constexpr size_t kBytes = 32;

}  // namespace

std::string NewId() {
  std::array<char, kBytes> bytes;
  size_t filled = 0;
  while (filled < bytes.size()) {
    // Up to 256 bytes come whole once the kernel's pool is ready; only a signal interrupts.
    const ssize_t got = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
    if (got > 0) filled += static_cast<size_t>(got);
  }
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

bool IsId(const std::string& id) {
  return id.size() == 2 * kBytes && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace bulkhead::pods
