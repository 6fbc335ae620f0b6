#ifndef BULKHEAD_SHIM_IMAGE_SQLITE_H_
#define BULKHEAD_SHIM_IMAGE_SQLITE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bulkhead::image {

class Database;

// A prepared statement: bind the parameters in order, then step through the rows. The first error
// sticks, and is what Step and Run return. Not thread-safe.
class Statement {
 public:
  Statement& Bind(const std::string& text);
  Statement& Bind(uint64_t number);

  // Whether there is a row.
  absl::StatusOr<bool> Step();
  // For statements without rows.
  absl::Status Run();

  std::string Text(int column) const;
  uint64_t Number(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  sqlite3* database_ = nullptr;
  int next_parameter_ = 1;
  int error_ = SQLITE_OK;
};

// One connection to a database file in WAL mode. Not thread-safe; other connections and processes
// may use the file, a lock that they hold is waited for.
class Database {
 public:
  static absl::StatusOr<Database> Open(const std::string& path);

  Statement Prepare(const std::string& sql);
  // Moves what is in the write-ahead log to the file, and flushes both. The only call that waits
  // for the disk: no transaction does so by itself.
  absl::Status Checkpoint();
  // Runs statements that have no parameters and no rows.
  absl::Status Execute(const std::string& sql);

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
  };
  explicit Database(sqlite3* database) : database_(database) {}
  std::unique_ptr<sqlite3, Close> database_;
};

// A transaction that takes the write lock at once, and is rolled back unless committed.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) {
    other.database_ = nullptr;
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  absl::Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_SQLITE_H_
