#include "tests/kernel/image/tar_builder.h"

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace bulkhead::image {
namespace {

// The layout of POSIX.1-1988's ustar header.
struct Ustar {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
  char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155];
  char padding[12];
};
static_assert(sizeof(Ustar) == 512);

template <size_t N>
void Octal(char (&field)[N], uint64_t value) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%0*llo", static_cast<int>(N - 1),
                static_cast<unsigned long long>(value));
  std::memcpy(field, text.data(), N);
}

// "LENGTH key=value\n", where LENGTH counts itself.
std::string PaxRecord(const std::string& key, const std::string& value) {
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (absl::StrCat(length).size() + rest != length) ++length;
  return absl::StrCat(length, " ", key, "=", value, "\n");
}

la_ssize_t AppendTo(archive*, void* output, const void* bytes, size_t size) {
  static_cast<std::string*>(output)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

}  // namespace

void TarBuilder::Header(const TarMember& member, uint64_t size) {
  Ustar header = {};
  std::memcpy(header.name, member.name.data(), std::min<size_t>(member.name.size(), 100));
  std::memcpy(header.link, member.link.data(), std::min<size_t>(member.link.size(), 100));
  Octal(header.mode, member.mode);
  Octal(header.uid, member.uid);
  Octal(header.gid, member.gid);
  Octal(header.size, size);
  Octal(header.mtime, member.mtime);
  Octal(header.major, member.major);
  Octal(header.minor, member.minor);
  header.type = member.type;
  std::memcpy(header.magic, "ustar", 6);
  std::memcpy(header.version, "00", 2);
  std::memset(header.checksum, ' ', sizeof(header.checksum));
  unsigned sum = 0;
  const auto* raw = reinterpret_cast<const unsigned char*>(&header);
  for (size_t i = 0; i < sizeof(header); ++i) sum += raw[i];
  std::snprintf(header.checksum, sizeof(header.checksum), "%06o", sum);
  bytes_.append(reinterpret_cast<const char*>(&header), sizeof(header));
}

void TarBuilder::Body(const std::string& content) {
  bytes_ += content;
  bytes_.append((512 - content.size() % 512) % 512, '\0');
}

TarBuilder& TarBuilder::Add(const TarMember& member) {
  std::string records;
  for (const auto& [key, value] : member.pax) records += PaxRecord(key, value);
  if (!records.empty()) {
    Header({.name = "pax", .type = 'x'}, records.size());
    Body(records);
  }
  Header(member, member.content.size());
  Body(member.content);
  return *this;
}

std::string Compress(const std::string& bytes, Compression compression) {
  if (compression == Compression::kNone) return bytes;
  std::string output;
  archive* writer = archive_write_new();
  archive_write_set_format_raw(writer);
  if (compression == Compression::kGzip) {
    archive_write_add_filter_gzip(writer);
    archive_write_set_options(writer, "compression-level=1");
  } else {
    archive_write_add_filter_zstd(writer);
  }
  archive_write_set_bytes_in_last_block(writer, 1);
  archive_write_open(writer, &output, nullptr, AppendTo, nullptr);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_write_header(writer, entry);
  archive_write_data(writer, bytes.data(), bytes.size());
  archive_entry_free(entry);
  archive_write_free(writer);
  return output;
}

}  // namespace bulkhead::image
