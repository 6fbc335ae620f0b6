#include "shim/image/decompressor.h"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace bulkhead::image {
namespace {

constexpr size_t kChunkSize = 256 << 10;
constexpr std::string_view kGzipMagic("\x1f\x8b\x08", 3);
constexpr std::string_view kZstdMagic("\x28\xb5\x2f\xfd", 4);
// RFC 8878 asks decoders for 8 MiB; encoders' --long goes to 128 MiB.
constexpr int kMaxWindowLog = 27;

absl::Status Malformed(const std::string& why) { return absl::InvalidArgumentError(why); }

class Plain : public Decompressor {
 public:
  absl::Status Feed(std::string_view bytes, const ChunkSink& sink) override {
    while (!bytes.empty()) {
      Chunk chunk(std::min(kChunkSize, bytes.size()));
      bytes.remove_prefix(chunk.Append(bytes));
      if (auto status = sink(std::move(chunk)); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  absl::Status Finish(const ChunkSink&) override { return absl::OkStatus(); }
};

// RFC 1952: one or more members, each with its own checksum, which ISA-L verifies.
class Gzip : public Decompressor {
 public:
  Gzip() : state_(std::make_unique<inflate_state>()) {}

  absl::Status Feed(std::string_view bytes, const ChunkSink& sink) override {
    state_->next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(bytes.data()));
    state_->avail_in = bytes.size();
    bool more = true;  // output may be pending although all input was taken
    while (state_->avail_in > 0 || more) {
      if (!in_member_) {
        if (state_->avail_in == 0) return absl::OkStatus();
        StartMember();
      }
      Chunk chunk(kChunkSize);
      if (auto status = Inflate(chunk); !status.ok()) return status;
      more = chunk.room() == 0;
      if (chunk.size() == 0) continue;
      if (auto status = sink(std::move(chunk)); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Finish(const ChunkSink&) override {
    if (in_member_ || !seen_) return Malformed("gzip: the stream is cut short");
    return absl::OkStatus();
  }

 private:
  void StartMember() {
    uint8_t* const next_in = state_->next_in;
    const uint32_t avail_in = state_->avail_in;
    isal_inflate_init(state_.get());
    state_->next_in = next_in;
    state_->avail_in = avail_in;
    state_->crc_flag = ISAL_GZIP;
    in_member_ = seen_ = true;
  }

  absl::Status Inflate(Chunk& chunk) {
    state_->next_out = reinterpret_cast<uint8_t*>(chunk.data());
    state_->avail_out = chunk.capacity();
    const int result = isal_inflate(state_.get());
    if (result == ISAL_INCORRECT_CHECKSUM) return Malformed("gzip: wrong checksum");
    if (result < 0) return Malformed(absl::StrCat("gzip: malformed data (", result, ")"));
    chunk.set_size(chunk.capacity() - state_->avail_out);
    if (state_->block_state == ISAL_BLOCK_FINISH) in_member_ = false;
    return absl::OkStatus();
  }

  std::unique_ptr<inflate_state> state_;
  bool in_member_ = false;
  bool seen_ = false;
};

class Zstd : public Decompressor {
 public:
  Zstd() : context_(ZSTD_createDCtx()) {
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  }

  absl::Status Feed(std::string_view bytes, const ChunkSink& sink) override {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    bool more = true;
    while (in.pos < in.size || more) {
      Chunk chunk(kChunkSize);
      ZSTD_outBuffer out{chunk.data(), chunk.capacity(), 0};
      const size_t left = ZSTD_decompressStream(context_.get(), &out, &in);
      if (ZSTD_isError(left)) return Malformed(absl::StrCat("zstd: ", ZSTD_getErrorName(left)));
      between_frames_ = left == 0;
      more = out.pos == out.size;
      if (out.pos == 0) continue;
      chunk.set_size(out.pos);
      if (auto status = sink(std::move(chunk)); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Finish(const ChunkSink&) override {
    return between_frames_ ? absl::OkStatus() : Malformed("zstd: the stream is cut short");
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  bool between_frames_ = false;
};

// Waits for the magic number, then lets the right one work.
class Sniffing : public Decompressor {
 public:
  absl::Status Feed(std::string_view bytes, const ChunkSink& sink) override {
    if (chosen_) return chosen_->Feed(bytes, sink);
    head_.append(bytes);
    if (head_.size() < kZstdMagic.size()) return absl::OkStatus();
    return Choose(sink);
  }

  absl::Status Finish(const ChunkSink& sink) override {
    if (!chosen_) {
      if (auto status = Choose(sink); !status.ok()) return status;
    }
    return chosen_->Finish(sink);
  }

 private:
  absl::Status Choose(const ChunkSink& sink) {
    if (head_.starts_with(kGzipMagic)) {
      chosen_ = NewGzipDecompressor();
    } else if (head_.starts_with(kZstdMagic)) {
      chosen_ = NewZstdDecompressor();
    } else {
      chosen_ = NewPlainDecompressor();
    }
    const std::string head = std::move(head_);
    return head.empty() ? absl::OkStatus() : chosen_->Feed(head, sink);
  }

  std::string head_;
  std::unique_ptr<Decompressor> chosen_;
};

}  // namespace

std::unique_ptr<Decompressor> NewDecompressor() { return std::make_unique<Sniffing>(); }
std::unique_ptr<Decompressor> NewGzipDecompressor() { return std::make_unique<Gzip>(); }
std::unique_ptr<Decompressor> NewZstdDecompressor() { return std::make_unique<Zstd>(); }
std::unique_ptr<Decompressor> NewPlainDecompressor() { return std::make_unique<Plain>(); }

}  // namespace bulkhead::image
