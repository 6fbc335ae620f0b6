#include "shim/streaming/tokens.h"

#include <errno.h>
#include <sys/random.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead::streaming {
namespace {

absl::StatusOr<std::string> RandomToken() {
  char bytes[16];
  // Up to 256 bytes are never cut short (getrandom(2)).
  if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
    return ErrnoStatus(errno, "getrandom");
  }
  return absl::WebSafeBase64Escape(absl::string_view(bytes, sizeof(bytes)));
}

}  // namespace

absl::StatusOr<std::string> Tokens::Add(Request request) {
  absl::StatusOr<std::string> token = RandomToken();
  if (!token.ok()) return token;
  const std::lock_guard lock(mutex_);
  DropExpired();
  if (entries_.size() >= kMostOutstanding) {
    return absl::ResourceExhaustedError(
        absl::StrCat(kMostOutstanding, " URLs for streams are not used yet; the oldest expires in ",
                     "at most ", kLifetime.count(), " s"));
  }
  entries_[*token] = {.request = std::move(request), .expires = now_() + kLifetime};
  return token;
}

std::optional<Request> Tokens::Take(const std::string& kind, const std::string& token) {
  const std::lock_guard lock(mutex_);
  DropExpired();
  const auto found = entries_.find(token);
  if (found == entries_.end() || KindOf(found->second.request) != kind) {
    ++refused_;
    return std::nullopt;
  }
  Request request = std::move(found->second.request);
  entries_.erase(found);
  return request;
}

uint64_t Tokens::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

void Tokens::DropExpired() {
  const Clock::time_point now = now_();
  std::erase_if(entries_, [now](const auto& entry) { return entry.second.expires <= now; });
}

}  // namespace bulkhead::streaming
