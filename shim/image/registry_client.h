#ifndef BULKHEAD_SHIM_IMAGE_REGISTRY_CLIENT_H_
#define BULKHEAD_SHIM_IMAGE_REGISTRY_CLIENT_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shim/image/http.h"
#include "shim/image/image.h"
#include "shim/image/image_service.h"
#include "shim/image/manifest.h"
#include "shim/image/reference.h"
#include "shim/image/registry_auth.h"
#include "shim/image/registry_host.h"
#include "shim/image/unpack.h"

namespace bulkhead::image {

// An index or a manifest.
struct Document {
  std::string content;
  std::string media_type;
  Digest digest;
};

// Reads one repository of a registry over the OCI distribution protocol, from the first host that
// has what is asked for. Everything is verified against its digest; a tag's document gets the
// digest of what came. Failures that may pass are retried, with more and more time between, and a
// blob goes on where it broke off. Thread-safe.
class RegistryClient {
 public:
  RegistryClient(Reference reference, Auth auth, std::vector<RegistryHost> hosts,
                 CallLimits limits);

  // What the reference's digest, or else its tag, names.
  absl::StatusOr<Document> Resolve();
  absl::StatusOr<Document> FetchManifest(const Descriptor& descriptor);
  // Held in memory; refused where the descriptor's size is over `max_size`.
  absl::StatusOr<std::string> FetchSmallBlob(const Descriptor& descriptor, uint64_t max_size);
  // The bytes reach `sink` before they are verified; OK says that they are.
  absl::Status FetchBlob(const Descriptor& descriptor, const ByteSink& sink);

 private:
  struct Wanted {
    std::string path;    // below the repository: "manifests/latest"
    std::string accept;  // empty for blobs
    // Called before each attempt: the first byte wanted.
    std::function<uint64_t()> offset;
    ByteSink sink;
  };

  absl::StatusOr<Document> FetchDocument(const std::string& name,
                                         bool (*may_serve)(const RegistryHost&));
  absl::StatusOr<HttpResponse> FromAnyHost(const Wanted& wanted,
                                           bool (*may_serve)(const RegistryHost&));
  absl::StatusOr<HttpResponse> FromHost(const RegistryHost& host, const Wanted& wanted,
                                        int attempts);
  HttpResponse Attempt(const RegistryHost& host, const Wanted& wanted);
  std::unique_ptr<HttpClient> Borrow();
  void GiveBack(std::unique_ptr<HttpClient> client);

  const Reference reference_;
  const std::vector<RegistryHost> hosts_;
  const CallLimits limits_;
  RegistryAuth auth_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<HttpClient>> idle_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_REGISTRY_CLIENT_H_
