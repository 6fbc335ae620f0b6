#ifndef BULKHEAD_TESTS_UNIT_NETWORK_TEMPORARY_DIRECTORY_H_
#define BULKHEAD_TESTS_UNIT_NETWORK_TEMPORARY_DIRECTORY_H_

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"

namespace bulkhead::network {

// A folder for one test, removed with all in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = ::testing::TempDir() + "bulkhead-network-XXXXXX";
    const char* made = mkdtemp(name.data());
    EXPECT_NE(made, nullptr);
    root_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(root_); }

  std::string path(const std::string& name) const { return root_ / name; }

  // Writes the whole file at once under its final name, its folders made if they are missing.
  void Write(const std::string& name, const std::string& text, unsigned mode = 0644) const {
    const std::filesystem::path file = root_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
    std::filesystem::permissions(file, static_cast<std::filesystem::perms>(mode));
  }

  std::string Read(const std::string& name) const {
    std::ifstream stream(root_ / name);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }

 private:
  std::filesystem::path root_;
};

}  // namespace bulkhead::network

#endif  // BULKHEAD_TESTS_UNIT_NETWORK_TEMPORARY_DIRECTORY_H_
