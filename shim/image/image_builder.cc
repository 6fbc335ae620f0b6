#include "shim/image/image_builder.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "runtime/kernel/status.h"
#include "shim/image/unpack.h"

namespace bulkhead::image {
namespace {

// Hands the layers of one image out to threads and gathers what came of them.
class LayerQueue {
 public:
  LayerQueue(const std::vector<LayerSource>& layers, LayerIngester& ingester,
             std::stop_source abort, absl::Time deadline)
      : layers_(layers), ingester_(ingester), abort_(std::move(abort)), deadline_(deadline) {}

  absl::StatusOr<std::vector<UniqueFd>> Run(int parallel) {
    const size_t wanted = std::min(layers_.size(), static_cast<size_t>(std::max(parallel, 1)));
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < wanted; ++i) {
      auto thread = StartThread([this] { Work(); });
      if (!thread.ok()) {
        Fail(thread.status());
        break;
      }
      threads.push_back(*std::move(thread));
    }
    for (std::jthread& thread : threads) thread.join();
    if (!status_.ok()) return status_;
    return std::move(holds_);
  }

 private:
  void Work() {
    while (const LayerSource* layer = Next()) {
      auto hold = ingester_.Ensure(*layer, {abort_.get_token(), deadline_});
      if (!hold.ok()) return Fail(hold.status());
      const std::lock_guard lock(mutex_);
      holds_.push_back(*std::move(hold));
    }
  }

  const LayerSource* Next() {
    const std::lock_guard lock(mutex_);
    return status_.ok() && next_ < layers_.size() ? &layers_[next_++] : nullptr;
  }

  void Fail(const absl::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      if (status_.ok()) status_ = status;
    }
    abort_.request_stop();
  }

  const std::vector<LayerSource>& layers_;
  LayerIngester& ingester_;
  std::stop_source abort_;
  const absl::Time deadline_;
  std::mutex mutex_;
  size_t next_ = 0;
  absl::Status status_;
  std::vector<UniqueFd> holds_;
};

}  // namespace

absl::StatusOr<Image> BuildImage(const ImageRecord& record, const std::vector<LayerSource>& layers,
                                 int parallel, LayerIngester& ingester, ImageDb& db,
                                 std::stop_source abort, absl::Time deadline) {
  const auto holds = LayerQueue(layers, ingester, std::move(abort), deadline).Run(parallel);
  if (!holds.ok()) return holds.status();
  if (auto status = db.Put(record); !status.ok()) return status;
  auto image = db.Get(record.id);
  if (!image.ok()) return image.status();
  if (!*image) return absl::AbortedError("the image was removed while it was added");
  return **std::move(image);
}

}  // namespace bulkhead::image
