#include "shim/image/layer_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/image/tree.h"

namespace bulkhead::image {
namespace {

constexpr int kOpenDir = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

bool IsSameFile(int dir, const std::string& name, int fd) {
  struct stat there, here;
  return fstatat(dir, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &here) == 0 &&
         there.st_ino == here.st_ino && there.st_dev == here.st_dev;
}

// Opens and locks a directory that others may remove at any time: locked and still there, or
// invalid if it is gone, or (LOCK_NB) in use.
absl::StatusOr<UniqueFd> OpenLocked(int dir, const std::string& name, int operation) {
  while (true) {
    UniqueFd fd(openat(dir, name.c_str(), kOpenDir));
    if (!fd.valid() && errno == ENOENT) return UniqueFd();
    if (!fd.valid()) return ErrnoStatus(errno, "open " + name);
    if (flock(fd.get(), operation) != 0) {
      if (errno == EWOULDBLOCK) return UniqueFd();
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, "lock " + name);
    }
    if (IsSameFile(dir, name, fd.get())) return fd;
  }
}

std::string RandomName() {
  std::array<char, 8> bytes;
  // getrandom(2) of up to 256 bytes is never interrupted nor short once the pool is seeded.
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return "";
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

absl::StatusOr<std::vector<std::string>> NamesIn(int dir) {
  UniqueFd copy(openat(dir, ".", kOpenDir));
  if (!copy.valid()) return ErrnoStatus(errno, "open directory");
  DIR* stream = fdopendir(copy.get());
  if (stream == nullptr) return ErrnoStatus(errno, "fdopendir");
  const std::unique_ptr<DIR, int (*)(DIR*)> closer(stream, closedir);
  static_cast<void>(copy.release());  // the stream closes it
  std::vector<std::string> names;
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

absl::StatusOr<UniqueFd> MakeDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoStatus(error.value(), "make " + path);
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "open " + path);
  return fd;
}

absl::StatusOr<std::string> BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (!(file >> id)) return absl::InternalError("read /proc/sys/kernel/random/boot_id");
  return id;
}

}  // namespace

IngestDir::~IngestDir() {
  // Nothing better can be done with an error: the next Open sweeps what is left.
  if (!name_.empty()) RemoveTree(parent_, name_).IgnoreError();
}

absl::StatusOr<UniqueFd> IngestDir::MakeRoot() const {
  if (mkdirat(fd_.get(), "fs", 0755) != 0) return ErrnoStatus(errno, "make ingest directory");
  UniqueFd root(openat(fd_.get(), "fs", kOpenDir));
  if (!root.valid()) return ErrnoStatus(errno, "open ingest directory");
  if (fchmod(root.get(), 0755) != 0) return ErrnoStatus(errno, "fchmod ingest directory");
  return root;
}

absl::StatusOr<std::unique_ptr<LayerStore>> LayerStore::Open(const std::string& data_dir,
                                                             ImageDb& db) {
  std::unique_ptr<LayerStore> store(new LayerStore(data_dir + "/layers", db));
  if (auto status = store->OpenDirectories(data_dir); !status.ok()) return status;
  // Rows first: what loses its row here is a layer without one for the last.
  if (auto status = store->SweepIngest(); !status.ok()) return status;
  if (auto status = store->SweepRows(); !status.ok()) return status;
  if (auto status = store->SweepLayers(); !status.ok()) return status;
  return store;
}

absl::Status LayerStore::OpenDirectories(const std::string& data_dir) {
  auto layers = MakeDirectory(root_ + "/sha256");
  if (!layers.ok()) return layers.status();
  auto ingest = MakeDirectory(data_dir + "/ingest");
  if (!ingest.ok()) return ingest.status();
  auto boot_id = BootId();
  if (!boot_id.ok()) return boot_id.status();
  layers_ = *std::move(layers);
  ingest_ = *std::move(ingest);
  boot_id_ = *std::move(boot_id);
  return absl::OkStatus();
}

absl::Status LayerStore::SweepIngest() {
  auto names = NamesIn(ingest_.get());
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    auto locked = OpenLocked(ingest_.get(), name, LOCK_EX | LOCK_NB);
    if (!locked.ok()) return locked.status();
    if (!locked->valid()) continue;
    if (auto status = RemoveTree(ingest_.get(), name); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status LayerStore::SweepRows() {
  auto rows = db_.Layers();
  if (!rows.ok()) return rows.status();
  for (const LayerRow& row : *rows) {
    const bool on_disk = row.boot_id.empty() || row.boot_id == boot_id_;
    const auto digest = Digest::Parse(row.diff_id);
    struct stat st;
    if (on_disk && digest.ok() &&
        fstatat(layers_.get(), digest->hex().c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
      continue;
    }
    if (auto status = db_.DropBrokenLayer(row.diff_id); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status LayerStore::SweepLayers() {
  auto names = NamesIn(layers_.get());
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const auto digest = Digest::Parse("sha256:" + name);
    if (!digest.ok()) continue;  // not ours
    auto known = db_.HasLayer(digest->str());
    if (!known.ok()) return known.status();
    if (*known) continue;
    if (auto status = DropWithoutRow(*digest); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// A layer whose process crashed between rename and row. Asked again under the lock: it may have
// been about to write the row.
absl::Status LayerStore::DropWithoutRow(const Digest& diff_id) {
  return Drop(diff_id, [&]() -> absl::StatusOr<bool> {
    auto has_row = db_.HasLayer(diff_id.str());
    if (!has_row.ok()) return has_row.status();
    return !*has_row;
  });
}

absl::StatusOr<UniqueFd> LayerStore::Hold(const Digest& diff_id) {
  auto fd = OpenLocked(layers_.get(), diff_id.hex(), LOCK_SH);
  if (!fd.ok() || !fd->valid()) return fd;
  const auto has_row = db_.HasLayer(diff_id.str());
  if (!has_row.ok()) return has_row.status();
  if (!*has_row) return UniqueFd();  // its writer crashed before the row
  return fd;
}

absl::StatusOr<IngestDir> LayerStore::NewIngest() {
  while (true) {
    const std::string name = RandomName();
    if (mkdirat(ingest_.get(), name.c_str(), 0700) != 0) {
      if (errno == EEXIST) continue;
      return ErrnoStatus(errno, "make ingest directory");
    }
    auto locked = OpenLocked(ingest_.get(), name, LOCK_EX | LOCK_NB);
    if (!locked.ok()) return locked.status();
    // Otherwise another process took it for a leftover before it was locked.
    if (locked->valid()) return IngestDir(ingest_.get(), name, *std::move(locked));
  }
}

absl::StatusOr<UniqueFd> LayerStore::Commit(IngestDir ingest, const Digest& diff_id,
                                            const std::string& blob, const DiskUse& use) {
  while (renameat2(ingest_.get(), ingest.name().c_str(), layers_.get(), diff_id.hex().c_str(),
                   RENAME_NOREPLACE) != 0) {
    if (errno != EEXIST) return ErrnoStatus(errno, "rename layer");
    auto hold = Hold(diff_id);
    if (!hold.ok()) return hold;
    if (hold->valid()) {
      auto status = blob.empty() ? absl::OkStatus() : db_.PutBlob(diff_id.str(), blob);
      if (!status.ok()) return status;
      return hold;
    }
    if (auto status = DropWithoutRow(diff_id); !status.ok()) return status;
  }
  UniqueFd fd = ingest.Renamed();
  // The lock is still exclusive: nobody takes the layer before its row is there.
  auto status = db_.PutLayer(diff_id.str(), blob, use, boot_id_);
  if (!status.ok()) {
    Discard(std::move(fd), diff_id).IgnoreError();  // the row's error is the one to report
    return status;
  }
  if (flock(fd.get(), LOCK_SH) != 0) return ErrnoStatus(errno, "lock layer");
  return fd;
}

absl::Status LayerStore::Drop(const Digest& diff_id,
                              const std::function<absl::StatusOr<bool>()>& still_unused) {
  auto locked = OpenLocked(layers_.get(), diff_id.hex(), LOCK_EX | LOCK_NB);
  if (!locked.ok()) return locked.status();
  if (!locked->valid()) return absl::OkStatus();
  const auto unused = still_unused();
  if (!unused.ok()) return unused.status();
  if (!*unused) return absl::OkStatus();
  if (auto status = db_.DropLayer(diff_id.str()); !status.ok()) return status;
  return Discard(*std::move(locked), diff_id);
}

// Out of layers/ by rename first: a half-deleted layer never stands where layers are.
absl::Status LayerStore::Discard(UniqueFd locked, const Digest& diff_id) {
  const std::string name = RandomName();
  if (renameat2(layers_.get(), diff_id.hex().c_str(), ingest_.get(), name.c_str(),
                RENAME_NOREPLACE) != 0) {
    return ErrnoStatus(errno, "move layer away");
  }
  auto status = RemoveTree(ingest_.get(), name);
  locked.reset();
  return status;
}

absl::Status LayerStore::Sync() {
  auto rows = db_.Layers();
  if (!rows.ok()) return rows.status();
  std::vector<std::string> unsynced;
  for (const LayerRow& row : *rows) {
    if (!row.boot_id.empty()) unsynced.push_back(row.diff_id);
  }
  if (unsynced.empty()) return db_.Flush();
  if (syncfs(layers_.get()) != 0) return ErrnoStatus(errno, "syncfs");
  if (auto status = db_.MarkSynced(unsynced); !status.ok()) return status;
  return db_.Flush();
}

std::string LayerStore::FilesOf(const Digest& diff_id) const {
  return absl::StrCat(root_, "/sha256/", diff_id.hex(), "/fs");
}

}  // namespace bulkhead::image
