#ifndef BULKHEAD_SHIM_IMAGE_BYTE_PIPE_H_
#define BULKHEAD_SHIM_IMAGE_BYTE_PIPE_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bulkhead::image {

// A piece of a stream, moved from stage to stage and never copied.
class Chunk {
 public:
  explicit Chunk(size_t capacity)
      : data_(std::make_unique_for_overwrite<char[]>(capacity)), capacity_(capacity) {}

  char* data() { return data_.get(); }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  size_t room() const { return capacity_ - size_; }
  std::string_view view() const { return {data_.get(), size_}; }
  void set_size(size_t size) { size_ = size; }
  // Takes as much of `bytes` as there is room for, and returns how much that was.
  size_t Append(std::string_view bytes);

 private:
  std::unique_ptr<char[]> data_;
  size_t capacity_;
  size_t size_ = 0;
};

// A bounded queue of bytes from one thread to another. Either side can end it: the writer with a
// status that the reader gets after the last byte, the reader by abandoning it.
class BytePipe {
 public:
  explicit BytePipe(size_t capacity) : capacity_(capacity) {}

  // Waits for room. CANCELLED when the reader abandoned the pipe.
  absl::Status Write(Chunk chunk);
  // OK means that the stream is complete. Only the first call counts.
  void Close(absl::Status status);

  // Waits for bytes. Nothing at the end of the stream, the writer's error where it failed.
  absl::StatusOr<std::optional<Chunk>> Read();
  void Abandon();

 private:
  const size_t capacity_;  // bytes
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Chunk> chunks_;
  size_t queued_ = 0;  // bytes
  bool abandoned_ = false;
  std::optional<absl::Status> end_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_BYTE_PIPE_H_
