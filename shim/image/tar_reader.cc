#include "shim/image/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::image {
namespace {

// libarchive converts the UTF-8 of pax headers to the thread's locale, and gives no name at all
// where that cannot be done, as in the "C" locale.
class Utf8Locale {
 public:
  Utf8Locale() : locale_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {}
  ~Utf8Locale() {
    if (locale_ != nullptr) freelocale(locale_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  locale_t get() const { return locale_; }

 private:
  locale_t locale_;
};

// Makes it the calling thread's locale.
class ScopedLocale {
 public:
  explicit ScopedLocale(const Utf8Locale& locale)
      : previous_(uselocale(locale.get())) {}  // a null locale changes nothing
  ~ScopedLocale() { uselocale(previous_); }
  ScopedLocale(const ScopedLocale&) = delete;
  ScopedLocale& operator=(const ScopedLocale&) = delete;

 private:
  locale_t previous_;
};

std::string OrEmpty(const char* text) { return text == nullptr ? "" : text; }

void ReadXattrs(archive_entry* entry, TarEntry& result) {
  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    if (name == nullptr) continue;
    result.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
  }
}

TarEntry ToEntry(archive_entry* entry) {
  TarEntry result;
  result.path = OrEmpty(archive_entry_pathname(entry));
  const char* hard_link = archive_entry_hardlink(entry);
  result.is_hard_link = hard_link != nullptr;
  result.link = OrEmpty(hard_link != nullptr ? hard_link : archive_entry_symlink(entry));
  result.type = result.is_hard_link ? 0 : archive_entry_filetype(entry);
  result.permissions = archive_entry_perm(entry);
  result.uid = archive_entry_uid(entry);
  result.gid = archive_entry_gid(entry);
  result.device = archive_entry_rdev(entry);
  const la_int64_t size = archive_entry_size(entry);
  result.size = size < 0 ? 0 : static_cast<uint64_t>(size);
  result.mtime = {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
  ReadXattrs(entry, result);
  return result;
}

}  // namespace

class TarReader::Impl {
 public:
  explicit Impl(Source source) : source_(std::move(source)), archive_(archive_read_new()) {}
  ~Impl() { archive_read_free(archive_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::StatusOr<std::optional<TarEntry>> Next() {
    const ScopedLocale scope(locale_);
    if (auto status = Open(); !status.ok()) return status;
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(archive_, &entry);
    if (result == ARCHIVE_EOF) return std::nullopt;
    // A warning means that libarchive ignored or changed something: then it is not what was built.
    if (result != ARCHIVE_OK) return Failure();
    return ToEntry(entry);
  }

  absl::StatusOr<std::optional<TarBlock>> NextBlock() {
    const void* bytes = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(archive_, &bytes, &size, &offset);
    if (result == ARCHIVE_EOF) return std::nullopt;
    if (result != ARCHIVE_OK || offset < 0) return Failure();
    return TarBlock{{static_cast<const char*>(bytes), size}, static_cast<uint64_t>(offset)};
  }

 private:
  absl::Status Open() {
    if (opened_) return absl::OkStatus();
    opened_ = true;
    archive_read_support_filter_none(archive_);
    archive_read_support_format_tar(archive_);
    archive_read_support_format_empty(archive_);
    const int result = archive_read_open(archive_, this, nullptr, &Impl::Read, nullptr);
    return result == ARCHIVE_OK ? absl::OkStatus() : Failure();
  }

  absl::Status Failure() const {
    if (!source_status_.ok()) return source_status_;
    return absl::InvalidArgumentError(
        absl::StrCat("tar: ", absl::CHexEscape(OrEmpty(archive_error_string(archive_)))));
  }

  // libarchive's read callback: `self` is the client data of archive_read_open.
  static la_ssize_t Read(archive* archive, void* self, const void** bytes) {
    Impl& impl = *static_cast<Impl*>(self);
    auto chunk = impl.source_();
    if (!chunk.ok()) {
      impl.source_status_ = chunk.status();
      archive_set_error(archive, EIO, "the source failed");
      return -1;
    }
    impl.current_ = *std::move(chunk);
    if (!impl.current_) return 0;
    *bytes = impl.current_->data();
    return static_cast<la_ssize_t>(impl.current_->size());
  }

  Source source_;
  const Utf8Locale locale_;
  archive* archive_;
  bool opened_ = false;
  std::optional<Chunk> current_;  // what libarchive is reading from
  absl::Status source_status_;
};

TarReader::TarReader(Source source) : impl_(std::make_unique<Impl>(std::move(source))) {}
TarReader::~TarReader() = default;

absl::StatusOr<std::optional<TarEntry>> TarReader::Next() { return impl_->Next(); }
absl::StatusOr<std::optional<TarBlock>> TarReader::NextBlock() { return impl_->NextBlock(); }

}  // namespace bulkhead::image
