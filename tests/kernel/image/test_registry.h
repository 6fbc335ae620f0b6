#ifndef BULKHEAD_TESTS_KERNEL_IMAGE_TEST_REGISTRY_H_
#define BULKHEAD_TESTS_KERNEL_IMAGE_TEST_REGISTRY_H_

#include <sys/types.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/kernel/image/scratch.h"
#include "tests/kernel/image/tar_builder.h"

namespace bulkhead::image {

// What a test image is made of.
struct TestImage {
  std::vector<std::string> layers;                               // tar archives, bottom first
  std::vector<Compression> compressions = {Compression::kGzip};  // the last one for all that follow
  std::string config = R"({"Env":["A=1"],"Cmd":["/bin/sh"]})";   // the "config" member
  bool docker_types = false;
};

// The pieces of an image as a registry or a layout stores them.
struct BuiltImage {
  struct Blob {
    std::string digest;
    std::string content;
  };
  std::vector<Blob> layers;
  std::vector<std::string> diff_ids;
  Blob config;
  Blob manifest;
  std::string manifest_type;
};
BuiltImage Build(const TestImage& image);

// Debian's docker-registry on a loopback port of its own, its files in a scratch directory.
class TestRegistry {
 public:
  struct Options {
    std::string user;  // with a password: basic authentication
    std::string password;
    bool tls = false;  // with a certificate of its own, see ca_file
  };
  TestRegistry() : TestRegistry(Options{}) {}
  explicit TestRegistry(Options options);
  ~TestRegistry();
  TestRegistry(const TestRegistry&) = delete;
  TestRegistry& operator=(const TestRegistry&) = delete;

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string Ref(const std::string& name) const { return host() + "/" + name; }

  void Push(const std::string& repository, const std::string& tag, const BuiltImage& image);
  void PushBlob(const std::string& repository, const BuiltImage::Blob& blob);
  void PushManifest(const std::string& repository, const std::string& tag, const std::string& type,
                    const std::string& content);
  // Vouches for the certificate.
  std::string ca_file() const { return scratch_ / "cert.pem"; }
  // The file that holds a blob's content.
  std::string BlobFile(const std::string& digest) const;

 private:
  void Start();
  long Send(const std::string& method, const std::string& path, const std::string& type,
            const std::string& body, std::string* location);

  Scratch scratch_;
  const Options options_;
  int port_ = 0;
  pid_t pid_ = -1;
  std::jthread log_reader_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_TESTS_KERNEL_IMAGE_TEST_REGISTRY_H_
