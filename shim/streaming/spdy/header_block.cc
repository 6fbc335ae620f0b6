#include "shim/streaming/spdy/header_block.h"

#include <zlib.h>

#include <algorithm>
#include <new>

#include "shim/streaming/spdy/dictionary.h"
#include "shim/streaming/spdy/wire.h"

namespace bulkhead::spdy {
namespace {

Bytef* Bytes(std::string_view text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // zlib only reads them.
}

bool SetInflateDictionary(z_stream& zlib) {
  const std::string& dictionary = Dictionary();
  return inflateSetDictionary(&zlib, Bytes(dictionary), dictionary.size()) == Z_OK;
}

bool IsName(std::string_view name) {
  return !name.empty() && std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || (c >= 'A' && c <= 'Z');
  });
}

// Takes one string with its length before it from the front of `block`.
std::optional<std::string_view> TakeString(std::string_view& block) {
  if (block.size() < 4) return std::nullopt;
  const uint32_t size = Get32(block, 0);
  block.remove_prefix(4);
  if (size > block.size()) return std::nullopt;
  const std::string_view text = block.substr(0, size);
  block.remove_prefix(size);
  return text;
}

}  // namespace

const std::string* Find(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<Headers> ParsePairs(std::string_view block, size_t max_pairs) {
  if (block.size() < 4) return std::nullopt;
  const uint32_t count = Get32(block, 0);
  block.remove_prefix(4);
  if (count > max_pairs) return std::nullopt;
  Headers headers;
  for (uint32_t i = 0; i < count; ++i) {
    const std::optional<std::string_view> name = TakeString(block);
    if (!name || !IsName(*name) || Find(headers, *name) != nullptr) return std::nullopt;
    const std::optional<std::string_view> value = TakeString(block);
    if (!value) return std::nullopt;
    headers.emplace_back(*name, *value);
  }
  if (!block.empty()) return std::nullopt;
  return headers;
}

std::string WritePairs(const Headers& headers) {
  std::string block;
  Put32(headers.size(), block);
  for (const auto& [name, value] : headers) {
    Put32(name.size(), block);
    block.append(name);
    Put32(value.size(), block);
    block.append(value);
  }
  return block;
}

HeaderReader::HeaderReader(const HeaderLimits& limits) : limits_(limits) {}
HeaderReader::HeaderReader(HeaderReader&&) noexcept = default;
HeaderReader& HeaderReader::operator=(HeaderReader&&) noexcept = default;

HeaderReader::~HeaderReader() {
  if (zlib_ != nullptr) inflateEnd(zlib_.get());
}

std::optional<Headers> HeaderReader::Read(std::string_view block) {
  if (failed_) return std::nullopt;
  std::optional<Headers> headers;
  if (const std::optional<std::string> pairs = Inflate(block)) {
    headers = ParsePairs(*pairs, limits_.pairs);
  }
  failed_ = !headers;
  return headers;
}

std::optional<std::string> HeaderReader::Inflate(std::string_view block) {
  if (zlib_ == nullptr) {
    auto zlib = std::make_unique<z_stream>();
    if (inflateInit(zlib.get()) != Z_OK) return std::nullopt;
    zlib_ = std::move(zlib);
  }
  std::string pairs(limits_.inflated_bytes + 1, '\0');  // One more shows that there is too much.
  zlib_->next_in = Bytes(block);
  zlib_->avail_in = block.size();
  zlib_->next_out = Bytes(pairs);
  zlib_->avail_out = pairs.size();
  int result = inflate(zlib_.get(), Z_SYNC_FLUSH);
  if (result == Z_NEED_DICT && SetInflateDictionary(*zlib_)) {
    result = inflate(zlib_.get(), Z_SYNC_FLUSH);
  }
  // Z_BUF_ERROR: the block ended before anything came of it.
  if (result != Z_OK || zlib_->avail_in != 0 || zlib_->avail_out == 0) return std::nullopt;
  pairs.resize(pairs.size() - zlib_->avail_out);
  return pairs;
}

HeaderWriter::HeaderWriter() = default;
HeaderWriter::HeaderWriter(HeaderWriter&&) noexcept = default;
HeaderWriter& HeaderWriter::operator=(HeaderWriter&&) noexcept = default;

HeaderWriter::~HeaderWriter() {
  if (zlib_ != nullptr) deflateEnd(zlib_.get());
}

std::string HeaderWriter::Write(const Headers& headers) {
  if (zlib_ == nullptr) {
    zlib_ = std::make_unique<z_stream>();
    // A window of 2 KiB holds the dictionary; with the usual sizes a session would cost 256 KiB.
    constexpr int kWindowBits = 11;
    constexpr int kMemLevel = 1;
    if (deflateInit2(zlib_.get(), Z_BEST_COMPRESSION, Z_DEFLATED, kWindowBits, kMemLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();  // The parameters are good ones.
    }
    deflateSetDictionary(zlib_.get(), Bytes(Dictionary()), Dictionary().size());
  }
  const std::string pairs = WritePairs(headers);
  zlib_->next_in = Bytes(pairs);
  zlib_->avail_in = pairs.size();
  std::string block;
  char piece[256];
  do {  // A flush is whole when it left room.
    zlib_->next_out = reinterpret_cast<Bytef*>(piece);
    zlib_->avail_out = sizeof(piece);
    deflate(zlib_.get(), Z_SYNC_FLUSH);
    block.append(piece, sizeof(piece) - zlib_->avail_out);
  } while (zlib_->avail_out == 0);
  return block;
}

}  // namespace bulkhead::spdy
