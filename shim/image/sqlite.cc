#include "shim/image/sqlite.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace bulkhead::image {
namespace {

constexpr int kBusyMilliseconds = 30'000;

absl::Status Failed(int error, sqlite3* database) {
  const std::string text =
      absl::StrCat("image database: ", sqlite3_errstr(error), " (", sqlite3_errmsg(database), ")");
  switch (error & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(text);
    case SQLITE_BUSY:
      return absl::UnavailableError(text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(text);
    default:
      return absl::InternalError(text);
  }
}

}  // namespace

Statement& Statement::Bind(const std::string& text) {
  if (error_ == SQLITE_OK) {
    error_ = sqlite3_bind_text64(statement_.get(), next_parameter_++, text.data(), text.size(),
                                 SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  return *this;
}

Statement& Statement::Bind(uint64_t number) {
  if (error_ == SQLITE_OK) {
    error_ =
        sqlite3_bind_int64(statement_.get(), next_parameter_++, static_cast<sqlite3_int64>(number));
  }
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  if (error_ == SQLITE_OK) {
    const int result = sqlite3_step(statement_.get());
    if (result == SQLITE_ROW) return true;
    if (result == SQLITE_DONE) return false;
    error_ = result;
  }
  return Failed(error_, database_);
}

absl::Status Statement::Run() { return Step().status(); }

std::string Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return "";
  return {reinterpret_cast<const char*>(text),
          static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

uint64_t Statement::Number(int column) const {
  return static_cast<uint64_t>(sqlite3_column_int64(statement_.get(), column));
}

absl::StatusOr<Database> Database::Open(const std::string& path) {
  sqlite3* raw = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &raw,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(raw);
  if (result != SQLITE_OK) return Failed(result, raw);
  sqlite3_busy_timeout(raw, kBusyMilliseconds);
  // NORMAL: a power loss may undo the last transactions but never leaves the file inconsistent.
  // With checkpoints by hand no transaction waits for a disk flush (https://sqlite.org/wal.html).
  if (auto status = database.Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                                     "PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=0;");
      !status.ok()) {
    return status;
  }
  return database;
}

Statement Database::Prepare(const std::string& sql) {
  Statement statement;
  sqlite3_stmt* raw = nullptr;
  statement.error_ = sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &raw, nullptr);
  statement.statement_.reset(raw);
  statement.database_ = database_.get();
  return statement;
}

absl::Status Database::Execute(const std::string& sql) {
  const int result = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : Failed(result, database_.get());
}

absl::Status Database::Checkpoint() {
  int result = SQLITE_BUSY;
  // Another connection's checkpoint makes this one fail without a wait, and may have begun before
  // what is to be flushed now was committed.
  for (int waited = 0; result == SQLITE_BUSY && waited < kBusyMilliseconds; ++waited) {
    result = sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                                       nullptr);
    if (result == SQLITE_BUSY) sqlite3_sleep(1);
  }
  return result == SQLITE_OK ? absl::OkStatus() : Failed(result, database_.get());
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  if (auto status = database.Execute("BEGIN IMMEDIATE"); !status.ok()) return status;
  return Transaction(database);
}

absl::Status Transaction::Commit() {
  absl::Status status = database_->Execute("COMMIT");
  if (status.ok()) database_ = nullptr;
  return status;
}

Transaction::~Transaction() {
  // The transaction's own error is the one to report; SQLite may have rolled back already.
  if (database_ != nullptr) database_->Execute("ROLLBACK").IgnoreError();
}

}  // namespace bulkhead::image
