#include "shim/image/byte_pipe.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace bulkhead::image {

size_t Chunk::Append(std::string_view bytes) {
  const size_t taken = std::min(room(), bytes.size());
  std::memcpy(data_.get() + size_, bytes.data(), taken);
  size_ += taken;
  return taken;
}

absl::Status BytePipe::Write(Chunk chunk) {
  std::unique_lock lock(mutex_);
  // A chunk larger than the capacity passes through an empty pipe.
  changed_.wait(lock,
                [&] { return abandoned_ || queued_ == 0 || queued_ + chunk.size() <= capacity_; });
  if (abandoned_) return absl::CancelledError("the reader gave up");
  queued_ += chunk.size();
  chunks_.push_back(std::move(chunk));
  changed_.notify_all();
  return absl::OkStatus();
}

void BytePipe::Close(absl::Status status) {
  const std::lock_guard lock(mutex_);
  if (!end_) end_ = std::move(status);
  changed_.notify_all();
}

absl::StatusOr<std::optional<Chunk>> BytePipe::Read() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !chunks_.empty() || end_; });
  if (chunks_.empty()) {
    if (!end_->ok()) return *end_;
    return std::nullopt;
  }
  std::optional<Chunk> chunk = std::move(chunks_.front());
  chunks_.pop_front();
  queued_ -= chunk->size();
  changed_.notify_all();
  return chunk;
}

void BytePipe::Abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  changed_.notify_all();
}

}  // namespace bulkhead::image
