#include "shim/image/image_service.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/image/digest.h"
#include "shim/image/image_db.h"
#include "shim/image/importer.h"
#include "shim/image/layer_ingester.h"
#include "shim/image/layer_store.h"
#include "shim/image/leases.h"
#include "shim/image/puller.h"
#include "shim/image/reference.h"
#include "shim/image/shared_pulls.h"

namespace bulkhead::image {
namespace {

absl::Status MakeDataDir(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoStatus(error.value(), "make " + path);
  // Images may have secrets, and set-user-ID files: nobody but root gets there.
  if (chmod(path.c_str(), 0700) != 0) return ErrnoStatus(errno, "chmod " + path);
  return absl::OkStatus();
}

// An opaque root hides all layers below, which overlayfs itself does not see to: it never looks at
// the attribute of a layer's root.
bool HasOpaqueRoot(const std::string& files) {
  char value = 0;
  return getxattr(files.c_str(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

}  // namespace

class ImageService::Impl {
 public:
  Impl(ImageServiceOptions options, std::unique_ptr<ImageDb> db, std::unique_ptr<LayerStore> store)
      : options_(std::move(options)),
        db_(std::move(db)),
        store_(std::move(store)),
        ingester_(*store_, *db_, {options_.max_layer_bytes, options_.max_layer_entries}),
        puller_(*db_, ingester_, options_.certs_dir, options_.parallel_layers),
        importer_(*db_, *store_, ingester_,
                  {options_.max_layer_bytes * kLayersInArchive, options_.max_layer_entries},
                  options_.parallel_layers) {
    for (const std::string& name : options_.pinned) {
      if (auto reference = ParseReference(name); reference.ok()) pinned_.insert(reference->str());
    }
  }

  absl::Status Start() {
    auto thread = StartThread([this] { KeepHouse(stop_.get_token()); });
    if (!thread.ok()) return thread.status();
    keeper_ = *std::move(thread);
    return absl::OkStatus();
  }

  ~Impl() { stop_.request_stop(); }

  absl::StatusOr<Image> Pull(const std::string& text, const Auth& auth, const CallLimits& limits) {
    const auto reference = ParseReference(text);
    if (!reference.ok()) return reference.status();
    // By value: the work goes on for those who joined when this caller gives up.
    auto work = [this, reference = *reference, auth](std::stop_token stop) {
      return puller_.Pull(reference, auth, {std::move(stop)});
    };
    auto image = pulls_.Join(reference->str(), auth, limits, std::move(work));
    NoteWork(/*collect=*/absl::IsResourceExhausted(image.status()));
    if (!image.ok()) return Annotate(image.status(), absl::StrCat("pull ", reference->str()));
    return Finished(*std::move(image));
  }

  absl::StatusOr<std::vector<Image>> List(const std::string& reference) {
    if (!reference.empty()) {
      auto found = Find(reference);
      if (!found.ok()) return found.status();
      return *found ? std::vector<Image>{**std::move(found)} : std::vector<Image>{};
    }
    auto images = db_->List();
    if (!images.ok()) return images;
    for (Image& image : *images) image = Finished(std::move(image));
    return images;
  }

  absl::StatusOr<std::optional<Image>> Find(const std::string& text) {
    const auto found = Locate(text);
    if (!found.ok()) return found.status();
    if (found->id.empty()) return std::nullopt;
    auto image = db_->Get(found->id);
    if (!image.ok() || !*image) return image;
    return Finished(**std::move(image));
  }

  absl::Status Remove(const std::string& text) {
    const auto found = Locate(text);
    if (!found.ok()) return found.status();
    if (found->id.empty()) return absl::OkStatus();
    auto status = found->name.empty() ? db_->MarkRemoved(found->id) : db_->RemoveName(found->name);
    return status.ok() ? Collect() : status;
  }

  absl::StatusOr<FsUsage> Usage() {
    const auto use = db_->LayerUse();
    if (!use.ok()) return use.status();
    return FsUsage{.bytes = use->bytes, .inodes = use->inodes, .mountpoint = store_->Root()};
  }

  absl::StatusOr<std::vector<std::string>> Acquire(const std::string& holder,
                                                   const std::string& image_id) {
    std::vector<std::string> diff_ids;
    {
      // Collection decides under the same lock, so that it sees the lease or we see no image.
      const std::lock_guard lock(mutex_);
      auto image = db_->Get(image_id, /*removed_too=*/true);
      if (!image.ok()) return image.status();
      if (!*image) return absl::NotFoundError(absl::StrCat("image ", image_id, " is not here"));
      diff_ids = (*image)->diff_ids;
      leases_.Add(holder, image_id, diff_ids);
    }
    return Directories(diff_ids);
  }

  void Release(const std::string& holder) {
    {
      const std::lock_guard lock(mutex_);
      leases_.Remove(holder);
    }
    NoteWork(/*collect=*/true);
  }

  absl::Status FinishRecovery() {
    {
      const std::lock_guard lock(mutex_);
      recovered_ = true;
    }
    return Collect();
  }

  absl::StatusOr<std::vector<Image>> Import(const std::string& path,
                                            const std::vector<std::string>& names,
                                            const CallLimits& limits) {
    auto images = importer_.Import(path, names, limits);
    if (!images.ok()) return images;
    // The operator's command may be the last thing before the power goes.
    if (auto status = store_->Sync(); !status.ok()) return status;
    for (Image& image : *images) image = Finished(std::move(image));
    return images;
  }

 private:
  static constexpr uint64_t kLayersInArchive = 8;

  // What a text names: an image by id (`name` empty), or by one of its names.
  struct Found {
    std::string id;  // empty: nothing
    std::string name;
  };

  absl::StatusOr<Found> Locate(const std::string& text) {
    const bool id_form = text.starts_with("sha256:");
    const auto reference = ParseReference(text);
    if (!id_form && reference.ok()) {
      const std::string name = reference->str();
      auto id = db_->IdOfName(name);
      if (!id.ok()) return id.status();
      if (!id->empty()) return Found{*std::move(id), name};
    }
    const std::string hex = id_form ? text.substr(7) : text;
    if (!IsLowerHex(hex) || hex.size() > 64) {
      return id_form || reference.ok() ? absl::StatusOr<Found>(Found{}) : reference.status();
    }
    const auto ids = db_->IdsOfPrefix("sha256:" + hex);
    if (!ids.ok()) return ids.status();
    if (ids->size() > 1) {
      return absl::InvalidArgumentError(absl::StrCat("image id ", text, " is ambiguous"));
    }
    return ids->empty() ? Found{} : Found{ids->front(), ""};
  }

  Image Finished(Image image) const {
    const auto pinned = [this](const std::string& name) { return pinned_.contains(name); };
    image.pinned = std::any_of(image.repo_tags.begin(), image.repo_tags.end(), pinned) ||
                   std::any_of(image.repo_digests.begin(), image.repo_digests.end(), pinned);
    return image;
  }

  // Topmost first. A layer that stands in an image twice is given once, at its higher place, where
  // it decides all that it has: overlayfs refuses a directory that it was given already.
  std::vector<std::string> Directories(const std::vector<std::string>& diff_ids) const {
    std::vector<std::string> directories;
    for (auto it = diff_ids.rbegin(); it != diff_ids.rend(); ++it) {
      const std::string files = store_->FilesOf(*Digest::Parse(*it));
      if (std::find(directories.begin(), directories.end(), files) != directories.end()) continue;
      directories.push_back(files);
      if (HasOpaqueRoot(files)) break;
    }
    return directories;
  }

  // Deletes what no image and no container needs any more.
  absl::Status Collect() {
    {
      const std::lock_guard lock(mutex_);
      if (!recovered_) return absl::OkStatus();
    }
    if (auto status = ForgetImages(); !status.ok()) return status;
    const auto layers = db_->UnusedLayers();
    if (!layers.ok()) return layers.status();
    for (const std::string& diff_id : *layers) {
      const auto digest = Digest::Parse(diff_id);
      if (!digest.ok()) return digest.status();
      auto status = store_->Drop(*digest, [&] { return IsUnused(diff_id); });
      if (!status.ok()) return Annotate(status, "delete layer " + diff_id);
    }
    return absl::OkStatus();
  }

  absl::Status ForgetImages() {
    const auto removed = db_->RemovedImages();
    if (!removed.ok()) return removed.status();
    for (const std::string& id : *removed) {
      const std::lock_guard lock(mutex_);
      if (leases_.HasImage(id)) continue;
      if (auto status = db_->Forget(id); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> IsUnused(const std::string& diff_id) {
    const std::lock_guard lock(mutex_);
    if (leases_.HasLayer(diff_id)) return false;
    auto used = db_->IsLayerUsed(diff_id);
    if (!used.ok()) return used.status();
    return !*used;
  }

  void NoteWork(bool collect) {
    const std::lock_guard lock(mutex_);
    work_ = true;
    collect_ = collect_ || collect;
    noted_.notify_one();
  }

  // Flushes new layers and deletes old ones, so that neither a pull nor a pod's end waits for the
  // disk. What fails here is tried again after the next change, and at the next start.
  void KeepHouse(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (noted_.wait(lock, stop, [&] { return work_; })) {
      work_ = false;
      const bool collect = std::exchange(collect_, false);
      lock.unlock();
      store_->Sync().IgnoreError();
      if (collect) Collect().IgnoreError();
      lock.lock();
    }
  }

  const ImageServiceOptions options_;
  const std::unique_ptr<ImageDb> db_;
  const std::unique_ptr<LayerStore> store_;
  LayerIngester ingester_;
  Puller puller_;
  Importer importer_;
  SharedPulls pulls_;
  std::set<std::string> pinned_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable_any noted_;
  Leases leases_;
  bool recovered_ = false;
  bool work_ = true;  // an earlier process may not have come to flush its layers
  bool collect_ = false;
  std::stop_source stop_;
  std::jthread keeper_;  // last: it uses all the others
};

ImageService::ImageService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ImageService::~ImageService() = default;

absl::StatusOr<std::unique_ptr<ImageService>> ImageService::Open(ImageServiceOptions options) {
  if (auto status = MakeDataDir(options.data_dir); !status.ok()) return status;
  auto db = ImageDb::Open(options.data_dir + "/images.db");
  if (!db.ok()) return db.status();
  auto store = LayerStore::Open(options.data_dir, **db);
  if (!store.ok()) return store.status();
  auto impl = std::make_unique<Impl>(std::move(options), *std::move(db), *std::move(store));
  if (auto status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<ImageService>(new ImageService(std::move(impl)));
}

absl::StatusOr<Image> ImageService::Pull(const std::string& reference, const Auth& auth,
                                         const CallLimits& limits) {
  return impl_->Pull(reference, auth, limits);
}

absl::StatusOr<std::vector<Image>> ImageService::List(const std::string& reference) const {
  return impl_->List(reference);
}

absl::StatusOr<std::optional<Image>> ImageService::Find(const std::string& image) const {
  return impl_->Find(image);
}

absl::Status ImageService::Remove(const std::string& image) { return impl_->Remove(image); }

absl::StatusOr<FsUsage> ImageService::Usage() const { return impl_->Usage(); }

absl::StatusOr<std::vector<std::string>> ImageService::Acquire(const std::string& holder,
                                                               const std::string& image_id) {
  return impl_->Acquire(holder, image_id);
}

void ImageService::Release(const std::string& holder) { impl_->Release(holder); }

absl::Status ImageService::FinishRecovery() { return impl_->FinishRecovery(); }

absl::StatusOr<std::vector<Image>> ImageService::Import(const std::string& path,
                                                        const std::vector<std::string>& names,
                                                        const CallLimits& limits) {
  return impl_->Import(path, names, limits);
}

}  // namespace bulkhead::image
