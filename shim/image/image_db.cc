#include "shim/image/image_db.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/image/manifest.h"

namespace bulkhead::image {
namespace {

constexpr uint64_t kSchemaVersion = 1;

constexpr char kSchema[] = R"sql(
CREATE TABLE images(
  id TEXT PRIMARY KEY, config TEXT NOT NULL, manifest TEXT NOT NULL,
  removed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE image_layers(
  image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
  position INTEGER NOT NULL, diff_id TEXT NOT NULL,
  PRIMARY KEY(image_id, position)) WITHOUT ROWID;
CREATE INDEX image_layers_of_diff_id ON image_layers(diff_id);
CREATE TABLE names(
  name TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
  repository TEXT NOT NULL, is_digest INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX names_of_image ON names(image_id);
CREATE TABLE layers(
  diff_id TEXT PRIMARY KEY, bytes INTEGER NOT NULL, inodes INTEGER NOT NULL,
  boot_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE layer_blobs(
  diff_id TEXT NOT NULL REFERENCES layers(diff_id) ON DELETE CASCADE, blob TEXT NOT NULL,
  PRIMARY KEY(diff_id, blob)) WITHOUT ROWID;
)sql";

// "host/repo" of "host/repo:tag" and "host/repo@digest".
std::string RepositoryOf(const std::string& name) {
  const size_t at = name.find('@');
  return name.substr(0, at == std::string::npos ? name.rfind(':') : at);
}

absl::Status PutName(Database& database, const std::string& name, const std::string& id,
                     bool is_digest) {
  return database
      .Prepare(
          "INSERT INTO names(name, image_id, repository, is_digest) VALUES(?, ?, ?, ?)"
          " ON CONFLICT(name) DO UPDATE SET image_id = excluded.image_id")
      .Bind(name)
      .Bind(id)
      .Bind(RepositoryOf(name))
      .Bind(uint64_t{is_digest})
      .Run();
}

absl::Status PutImage(Database& database, const ImageRecord& record) {
  return database
      .Prepare(
          "INSERT INTO images(id, config, manifest) VALUES(?, ?, ?)"
          " ON CONFLICT(id) DO UPDATE SET removed = 0")
      .Bind(record.id)
      .Bind(record.config_json)
      .Bind(record.manifest_json)
      .Run();
}

absl::Status PutImageLayers(Database& database, const ImageRecord& record) {
  for (size_t i = 0; i < record.diff_ids.size(); ++i) {
    auto status = database.Prepare("INSERT OR REPLACE INTO image_layers VALUES(?, ?, ?)")
                      .Bind(record.id)
                      .Bind(uint64_t{i})
                      .Bind(record.diff_ids[i])
                      .Run();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ImageDb>> ImageDb::Open(const std::string& path) {
  auto database = Database::Open(path);
  if (!database.ok()) return Annotate(database.status(), path);
  std::unique_ptr<ImageDb> db(new ImageDb(path, *std::move(database)));
  if (auto status = db->CreateTables(); !status.ok()) return Annotate(status, path);
  return db;
}

absl::Status ImageDb::CreateTables() {
  auto transaction = Transaction::Begin(database_);
  if (!transaction.ok()) return transaction.status();
  Statement version = database_.Prepare("PRAGMA user_version");
  if (auto row = version.Step(); !row.ok()) return row.status();
  const uint64_t found = version.Number(0);
  if (found == kSchemaVersion) return absl::OkStatus();
  if (found != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("schema version ", found, ", this program knows ", kSchemaVersion));
  }
  if (auto status =
          database_.Execute(absl::StrCat(kSchema, "PRAGMA user_version=", kSchemaVersion, ";"));
      !status.ok()) {
    return status;
  }
  return transaction->Commit();
}

absl::Status ImageDb::RunAll(const std::vector<std::string>& sql, const std::string& parameter) {
  for (const std::string& one : sql) {
    if (auto status = database_.Prepare(one).Bind(parameter).Run(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ImageDb::Column(
    const std::string& sql, const std::vector<std::string>& parameters) {
  Statement statement = database_.Prepare(sql);
  for (const std::string& parameter : parameters) statement.Bind(parameter);
  std::vector<std::string> values;
  while (true) {
    const auto row = statement.Step();
    if (!row.ok()) return row.status();
    if (!*row) return values;
    values.push_back(statement.Text(0));
  }
}

absl::Status ImageDb::Put(const ImageRecord& record) {
  const std::lock_guard lock(mutex_);
  auto transaction = Transaction::Begin(database_);
  if (!transaction.ok()) return transaction.status();
  if (auto s = PutImage(database_, record); !s.ok()) return s;
  if (auto s = PutImageLayers(database_, record); !s.ok()) return s;
  for (const std::string& tag : record.repo_tags) {
    if (auto s = PutName(database_, tag, record.id, false); !s.ok()) return s;
  }
  for (const std::string& digest : record.repo_digests) {
    if (auto s = PutName(database_, digest, record.id, true); !s.ok()) return s;
  }
  return transaction->Commit();
}

absl::StatusOr<std::vector<Image>> ImageDb::List() {
  absl::StatusOr<std::vector<std::string>> ids;
  {
    const std::lock_guard lock(mutex_);
    ids = Column("SELECT id FROM images WHERE NOT removed ORDER BY id", {});
  }
  if (!ids.ok()) return ids.status();
  std::vector<Image> images;
  for (const std::string& id : *ids) {
    auto image = Get(id);
    if (!image.ok()) return image.status();
    if (*image) images.push_back(**std::move(image));
  }
  return images;
}

absl::StatusOr<std::string> ImageDb::IdOfName(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto ids = Column("SELECT image_id FROM names WHERE name = ?", {name});
  if (!ids.ok()) return ids.status();
  return ids->empty() ? "" : ids->front();
}

absl::StatusOr<std::vector<std::string>> ImageDb::IdsOfPrefix(const std::string& prefix) {
  const std::lock_guard lock(mutex_);
  return Column("SELECT id FROM images WHERE NOT removed AND substr(id, 1, ?2) = ?1 LIMIT 2",
                {prefix, absl::StrCat(prefix.size())});
}

absl::StatusOr<std::optional<Image>> ImageDb::Get(const std::string& id, bool removed_too) {
  const std::lock_guard lock(mutex_);
  Statement row = database_.Prepare(
      "SELECT config, length(CAST(config AS BLOB)), removed,"
      " (SELECT coalesce(sum(bytes), 0) FROM layers WHERE diff_id IN"
      "  (SELECT diff_id FROM image_layers WHERE image_id = images.id))"
      " FROM images WHERE id = ?");
  const auto found = row.Bind(id).Step();
  if (!found.ok()) return found.status();
  if (!*found || (row.Number(2) != 0 && !removed_too)) return std::nullopt;
  auto config = ParseConfigFile(row.Text(0), HostPlatform());
  if (!config.ok()) return Annotate(config.status(), "image " + id);
  Image image{.id = id,
              .size_bytes = row.Number(1) + row.Number(3),
              .config = std::move(config->config),
              .diff_ids = std::move(config->diff_ids)};
  if (auto status = FillNames(image); !status.ok()) return status;
  return image;
}

absl::Status ImageDb::FillNames(Image& image) {
  const std::string sql = "SELECT name FROM names WHERE image_id = ? AND is_digest = ";
  auto tags = Column(sql + "0 ORDER BY name", {image.id});
  if (!tags.ok()) return tags.status();
  auto digests = Column(sql + "1 ORDER BY name", {image.id});
  if (!digests.ok()) return digests.status();
  image.repo_tags = *std::move(tags);
  image.repo_digests = *std::move(digests);
  return absl::OkStatus();
}

absl::Status ImageDb::MarkRemoved(const std::string& id) {
  const std::lock_guard lock(mutex_);
  auto transaction = Transaction::Begin(database_);
  if (!transaction.ok()) return transaction.status();
  auto status = RunAll(
      {"DELETE FROM names WHERE image_id = ?", "UPDATE images SET removed = 1 WHERE id = ?"}, id);
  return status.ok() ? transaction->Commit() : status;
}

absl::Status ImageDb::RemoveName(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto transaction = Transaction::Begin(database_);
  if (!transaction.ok()) return transaction.status();
  auto ids = Column("DELETE FROM names WHERE name = ? RETURNING image_id", {name});
  if (!ids.ok()) return ids.status();
  if (ids->empty()) return absl::OkStatus();
  const std::string& id = ids->front();
  auto orphans = Column(
      "DELETE FROM names WHERE image_id = ?1 AND repository = ?2 AND NOT EXISTS"
      " (SELECT 1 FROM names WHERE image_id = ?1 AND repository = ?2 AND NOT is_digest)"
      " RETURNING name",
      {id, RepositoryOf(name)});
  if (!orphans.ok()) return orphans.status();
  auto status = RunAll({"UPDATE images SET removed = 1 WHERE id = ?1 AND NOT EXISTS"
                        " (SELECT 1 FROM names WHERE image_id = ?1)"},
                       id);
  return status.ok() ? transaction->Commit() : status;
}

absl::StatusOr<std::vector<std::string>> ImageDb::RemovedImages() {
  const std::lock_guard lock(mutex_);
  return Column("SELECT id FROM images WHERE removed", {});
}

absl::Status ImageDb::Forget(const std::string& id) {
  const std::lock_guard lock(mutex_);
  return RunAll({"DELETE FROM images WHERE id = ? AND removed"}, id);
}

absl::Status ImageDb::PutLayer(const std::string& diff_id, const std::string& blob,
                               const DiskUse& use, const std::string& boot_id) {
  {
    const std::lock_guard lock(mutex_);
    auto status = database_.Prepare("INSERT OR REPLACE INTO layers VALUES(?, ?, ?, ?)")
                      .Bind(diff_id)
                      .Bind(use.bytes)
                      .Bind(use.inodes)
                      .Bind(boot_id)
                      .Run();
    if (!status.ok()) return status;
  }
  return blob.empty() ? absl::OkStatus() : PutBlob(diff_id, blob);
}

absl::Status ImageDb::PutBlob(const std::string& diff_id, const std::string& blob) {
  const std::lock_guard lock(mutex_);
  return database_.Prepare("INSERT OR IGNORE INTO layer_blobs VALUES(?, ?)")
      .Bind(diff_id)
      .Bind(blob)
      .Run();
}

absl::StatusOr<bool> ImageDb::HasLayer(const std::string& diff_id) {
  const std::lock_guard lock(mutex_);
  return database_.Prepare("SELECT 1 FROM layers WHERE diff_id = ?").Bind(diff_id).Step();
}

absl::StatusOr<bool> ImageDb::IsLayerOfBlob(const std::string& diff_id, const std::string& blob) {
  const std::lock_guard lock(mutex_);
  return database_.Prepare("SELECT 1 FROM layer_blobs WHERE diff_id = ? AND blob = ?")
      .Bind(diff_id)
      .Bind(blob)
      .Step();
}

absl::StatusOr<std::vector<LayerRow>> ImageDb::Layers() {
  const std::lock_guard lock(mutex_);
  Statement statement = database_.Prepare("SELECT diff_id, boot_id FROM layers");
  std::vector<LayerRow> rows;
  while (true) {
    const auto row = statement.Step();
    if (!row.ok()) return row.status();
    if (!*row) return rows;
    rows.push_back({statement.Text(0), statement.Text(1)});
  }
}

absl::StatusOr<std::vector<std::string>> ImageDb::UnusedLayers() {
  const std::lock_guard lock(mutex_);
  return Column(
      "SELECT diff_id FROM layers WHERE diff_id NOT IN (SELECT diff_id FROM image_layers)", {});
}

absl::StatusOr<bool> ImageDb::IsLayerUsed(const std::string& diff_id) {
  const std::lock_guard lock(mutex_);
  return database_.Prepare("SELECT 1 FROM image_layers WHERE diff_id = ?").Bind(diff_id).Step();
}

absl::Status ImageDb::DropLayer(const std::string& diff_id) {
  const std::lock_guard lock(mutex_);
  return RunAll({"DELETE FROM layers WHERE diff_id = ?"}, diff_id);
}

absl::Status ImageDb::DropBrokenLayer(const std::string& diff_id) {
  const std::lock_guard lock(mutex_);
  auto transaction = Transaction::Begin(database_);
  if (!transaction.ok()) return transaction.status();
  auto status = RunAll({"DELETE FROM images WHERE id IN"
                        " (SELECT image_id FROM image_layers WHERE diff_id = ?)",
                        "DELETE FROM layers WHERE diff_id = ?"},
                       diff_id);
  return status.ok() ? transaction->Commit() : status;
}

absl::Status ImageDb::MarkSynced(const std::vector<std::string>& diff_ids) {
  const std::lock_guard lock(mutex_);
  for (const std::string& diff_id : diff_ids) {
    auto status = RunAll({"UPDATE layers SET boot_id = '' WHERE diff_id = ?"}, diff_id);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<DiskUse> ImageDb::LayerUse() {
  const std::lock_guard lock(mutex_);
  Statement row =
      database_.Prepare("SELECT coalesce(sum(bytes), 0), coalesce(sum(inodes), 0) FROM layers");
  if (auto found = row.Step(); !found.ok()) return found.status();
  return DiskUse{.bytes = row.Number(0), .inodes = row.Number(1)};
}

absl::Status ImageDb::Flush() const {
  auto connection = Database::Open(path_);
  return connection.ok() ? connection->Checkpoint() : connection.status();
}

}  // namespace bulkhead::image
