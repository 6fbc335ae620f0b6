#ifndef BULKHEAD_TESTS_FAULT_HUNG_FILESYSTEM_H_
#define BULKHEAD_TESTS_FAULT_HUNG_FILESYSTEM_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "runtime/kernel/fd.h"

namespace bulkhead::fault {

// A FUSE file system of plain files in one folder that stops answering when it is told to, as a
// network disk does: writes hang, and so does closing a file. Unmounted with the object, which
// frees whoever waits in it.
class HungFilesystem {
 public:
  explicit HungFilesystem(const std::filesystem::path& mount_point);
  ~HungFilesystem();
  HungFilesystem(const HungFilesystem&) = delete;
  HungFilesystem& operator=(const HungFilesystem&) = delete;

  // From now on no request is answered.
  void Hang() { hung_ = true; }
  // Bytes that were written before.
  uint64_t written() const { return written_; }

 private:
  void Serve();
  void Answer(const std::vector<char>& request);
  void Reply(uint64_t unique, int error, const std::string& body = "");
  uint64_t NodeOf(const std::string& name, bool create);
  std::string AttributesOf(uint64_t node) const;
  std::string EntryOf(uint64_t node) const;

  std::filesystem::path mount_point_;
  UniqueFd device_;
  UniqueFd stop_;
  std::map<std::string, uint64_t> nodes_;
  std::map<uint64_t, uint64_t> sizes_;
  std::atomic<bool> hung_ = false;
  std::atomic<uint64_t> written_ = 0;
  std::thread thread_;
};

}  // namespace bulkhead::fault

#endif  // BULKHEAD_TESTS_FAULT_HUNG_FILESYSTEM_H_
