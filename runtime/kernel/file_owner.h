// Whose the files are that a thread makes: setfsuid(2).
#ifndef BULKHEAD_RUNTIME_KERNEL_FILE_OWNER_H_
#define BULKHEAD_RUNTIME_KERNEL_FILE_OWNER_H_

#include <linux/capability.h>
#include <sys/types.h>

#include <array>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bulkhead {

// Makes the calling thread act on files as another user and group, with the capabilities that it
// has. Restore must be called.
class FileOwner {
 public:
  static absl::StatusOr<FileOwner> Become(uid_t uid, gid_t gid);
  // Its error is Astray.
  absl::Status Restore();

 private:
  FileOwner(uid_t uid, gid_t gid) : uid_(uid), gid_(gid) {}

  absl::Status Set(uid_t uid, gid_t gid) const;

  // Those before.
  uid_t uid_;
  gid_t gid_;
  // Kept all the time. Not asked for again on the way back: a way there that failed may have lost
  // some.
  std::array<__user_cap_data_struct, 2> held_ = {};
};

}  // namespace bulkhead

#endif  // BULKHEAD_RUNTIME_KERNEL_FILE_OWNER_H_
