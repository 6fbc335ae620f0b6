#include "shim/image/layer_ingester.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/image/http.h"

namespace bulkhead::image {

absl::Status LayerIngester::Enter(const Digest& diff_id, const CallLimits& limits) {
  std::unique_lock lock(mutex_);
  const auto free = [&] { return !busy_.contains(diff_id); };
  // A clock's time point cannot hold the infinite future.
  const bool entered =
      limits.deadline == absl::InfiniteFuture()
          ? left_.wait(lock, limits.stop, free)
          : left_.wait_until(lock, limits.stop, absl::ToChronoTime(limits.deadline), free);
  if (!entered) return CheckLimits(limits);
  busy_.insert(diff_id);
  return absl::OkStatus();
}

void LayerIngester::Leave(const Digest& diff_id) {
  const std::lock_guard lock(mutex_);
  busy_.erase(diff_id);
  left_.notify_all();
}

absl::StatusOr<UniqueFd> LayerIngester::Ensure(const LayerSource& source,
                                               const CallLimits& limits) {
  if (auto status = Enter(source.diff_id, limits); !status.ok()) return status;
  auto hold = EnsureAlone(source);
  Leave(source.diff_id);
  if (!hold.ok()) return Annotate(hold.status(), "layer " + source.diff_id.str());
  return hold;
}

absl::StatusOr<UniqueFd> LayerIngester::EnsureAlone(const LayerSource& source) {
  auto hold = store_.Hold(source.diff_id);
  if (!hold.ok()) return hold;
  if (hold->valid()) {
    const auto known = source.blob.empty() ? absl::StatusOr<bool>(true)
                                           : db_.IsLayerOfBlob(source.diff_id.str(), source.blob);
    if (!known.ok()) return known.status();
    if (*known) return hold;
  }
  return Ingest(source);
}

absl::StatusOr<UniqueFd> LayerIngester::Ingest(const LayerSource& source) {
  auto ingest = store_.NewIngest();
  if (!ingest.ok()) return ingest.status();
  auto root = ingest->MakeRoot();
  if (!root.ok()) return root.status();
  const auto unpacked = UnpackLayer(source.read, *std::move(root), limits_);
  if (!unpacked.ok()) return unpacked.status();
  if (unpacked->diff_id != source.diff_id) {
    return absl::DataLossError(absl::StrCat("the archive unpacks to diff ID ",
                                            unpacked->diff_id.str(),
                                            ", not to what the image configuration says"));
  }
  return store_.Commit(*std::move(ingest), source.diff_id, source.blob, unpacked->use);
}

}  // namespace bulkhead::image
