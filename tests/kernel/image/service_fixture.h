#ifndef BULKHEAD_TESTS_KERNEL_IMAGE_SERVICE_FIXTURE_H_
#define BULKHEAD_TESTS_KERNEL_IMAGE_SERVICE_FIXTURE_H_

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "shim/image/digest.h"
#include "shim/image/image_service.h"
#include "tests/kernel/image/scratch.h"
#include "tests/kernel/image/test_registry.h"
#include "tests/kernel/image/test_server.h"

namespace bulkhead::image {

inline std::string ReadText(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

inline size_t EntriesIn(const std::string& directory) {
  using Iterator = std::filesystem::directory_iterator;
  return static_cast<size_t>(std::distance(Iterator(directory), Iterator()));
}

// An image service on a scratch directory.
class ServiceTest : public testing::Test {
 protected:
  void SetUp() override { Open(); }

  // Opens the service anew, as a restarted daemon does.
  void Open() {
    service_.reset();
    auto service = ImageService::Open(Options());
    ASSERT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
  }

  ImageServiceOptions Options() const {
    return {.data_dir = data_ / "images", .certs_dir = data_ / "certs"};
  }

  size_t LayersOnDisk() const { return EntriesIn(data_ / "images/layers/sha256"); }
  size_t UnfinishedOnDisk() const { return EntriesIn(data_ / "images/ingest"); }

  void ExpectNothingLeft() {
    EXPECT_EQ(LayersOnDisk(), 0u);
    EXPECT_EQ(UnfinishedOnDisk(), 0u);
    EXPECT_TRUE(service_->List()->empty());
  }

  Scratch data_;
  std::unique_ptr<ImageService> service_;
};

// A layer with one file.
inline std::string OneFile(const std::string& name, const std::string& content) {
  return TarBuilder().File(name, content).Finish();
}

// What a registry answers to a request for a part of `image`.
inline TestServer::Response Serve(const BuiltImage& image, const TestServer::Request& request) {
  if (request.target.find("/manifests/") != std::string::npos) {
    return {.headers = {"Content-Type: " + image.manifest_type}, .body = image.manifest.content};
  }
  std::vector<BuiltImage::Blob> blobs = image.layers;
  blobs.push_back(image.config);
  for (const BuiltImage::Blob& blob : blobs) {
    if (request.target.find(blob.digest) == std::string::npos) continue;
    const auto range = request.headers.find("range");
    size_t start = 0;
    if (range == request.headers.end()) return {.body = blob.content};
    const std::string text = range->second.substr(6);  // after "bytes="
    if (!absl::SimpleAtoi(text.substr(0, text.find('-')), &start)) return {.status = 416};
    return {.status = 206,
            .headers = {absl::StrCat("Content-Range: bytes ", start, "-", blob.content.size() - 1,
                                     "/", blob.content.size())},
            .body = blob.content.substr(start)};
  }
  return {.status = 404};
}

}  // namespace bulkhead::image

#endif  // BULKHEAD_TESTS_KERNEL_IMAGE_SERVICE_FIXTURE_H_
