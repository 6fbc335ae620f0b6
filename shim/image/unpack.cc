#include "shim/image/unpack.h"

#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shim/image/byte_pipe.h"
#include "shim/image/decompressor.h"
#include "shim/image/tar_reader.h"

namespace bulkhead::image {
namespace {

constexpr size_t kPipeSize = 4 << 20;
constexpr size_t kFetchChunk = 256 << 10;

// First stage: the bytes as they come, in chunks worth a hand-over.
void Fetch(const BlobSource& source, BytePipe& out) {
  Chunk pending(kFetchChunk);
  const auto flush = [&] { return out.Write(std::exchange(pending, Chunk(kFetchChunk))); };
  absl::Status status = source([&](std::string_view bytes) {
    while (!bytes.empty()) {
      bytes.remove_prefix(pending.Append(bytes));
      if (pending.room() > 0) continue;
      if (auto written = flush(); !written.ok()) return written;
    }
    return absl::OkStatus();
  });
  if (status.ok() && pending.size() > 0) status = flush();
  out.Close(std::move(status));
}

// Second stage: expands, computes the diff digest, and stops bombs.
class Expander {
 public:
  Expander(BytePipe& in, BytePipe& out, uint64_t max_bytes)
      : in_(in), out_(out), left_(max_bytes), decompressor_(NewDecompressor()) {}

  void Run() {
    out_.Close(Expand());
    in_.Abandon();
  }

  // After Run has closed the pipe with OK.
  Digest Finish() { return digest_.Finish(); }

 private:
  absl::Status Expand() {
    const ChunkSink sink = [this](Chunk chunk) { return Pass(std::move(chunk)); };
    while (true) {
      auto chunk = in_.Read();
      if (!chunk.ok()) return chunk.status();
      if (!*chunk) return decompressor_->Finish(sink);
      if (auto status = decompressor_->Feed((*chunk)->view(), sink); !status.ok()) return status;
    }
  }

  absl::Status Pass(Chunk chunk) {
    if (chunk.size() > left_) {
      return absl::ResourceExhaustedError("the layer expands to more than is allowed");
    }
    left_ -= chunk.size();
    digest_.Update(chunk.view());
    return out_.Write(std::move(chunk));
  }

  BytePipe& in_;
  BytePipe& out_;
  uint64_t left_;
  std::unique_ptr<Decompressor> decompressor_;
  Sha256 digest_;
};

// Last stage. What follows the end of the archive (padding) is read too: it counts for the digest.
absl::Status Untar(BytePipe& in, LayerWriter& writer) {
  TarReader reader([&in] { return in.Read(); });
  while (true) {
    auto entry = reader.Next();
    if (!entry.ok()) return entry.status();
    if (!*entry) break;
    if (auto status = writer.Add(**entry, reader); !status.ok()) return status;
  }
  if (auto status = writer.Finish(); !status.ok()) return status;
  while (true) {
    auto rest = in.Read();
    if (!rest.ok()) return rest.status();
    if (!*rest) return absl::OkStatus();
  }
}

// Headers, padding and names come on top of the files' content in an archive.
uint64_t MaxArchiveSize(const UnpackLimits& limits) {
  constexpr uint64_t kPerEntry = 4096;
  return limits.max_bytes + limits.max_entries * kPerEntry;
}

}  // namespace

absl::StatusOr<std::jthread> StartThread(std::function<void()> work) {
  try {
    return std::jthread(std::move(work));
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat("start a thread: ", error.what()));
  }
}

absl::StatusOr<Unpacked> UnpackLayer(const BlobSource& source, UniqueFd root, UnpackLimits limits) {
  BytePipe compressed(kPipeSize);
  BytePipe archive(kPipeSize);
  Expander expander(compressed, archive, MaxArchiveSize(limits));
  LayerWriter writer(std::move(root), limits);

  auto fetching = StartThread([&] { Fetch(source, compressed); });
  if (!fetching.ok()) return fetching.status();
  auto expanding = StartThread([&] { expander.Run(); });
  if (!expanding.ok()) {
    compressed.Abandon();
    return expanding.status();
  }
  // An error of an earlier stage comes down the pipes, so this status has the first cause.
  const absl::Status status = Untar(archive, writer);
  archive.Abandon();
  expanding->join();
  fetching->join();
  if (!status.ok()) return status;
  return Unpacked{.diff_id = expander.Finish(), .use = writer.use()};
}

}  // namespace bulkhead::image
