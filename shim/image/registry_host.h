#ifndef BULKHEAD_SHIM_IMAGE_REGISTRY_HOST_H_
#define BULKHEAD_SHIM_IMAGE_REGISTRY_HOST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bulkhead::image {

// One place that serves a registry's images: the registry itself or a mirror of it.
struct RegistryHost {
  std::string scheme;     // "https" or "http"
  std::string authority;  // "registry.example:5000"
  std::string path;       // "/v2", or what override_path kept
  bool is_mirror = false;
  bool pull = true;     // may serve manifests by digest and blobs
  bool resolve = true;  // may say what a tag is
  bool skip_verify = false;
  std::vector<std::string> ca_files;  // besides the system's
  std::string client_certificate;     // PEM files, empty for none
  std::string client_key;
  std::vector<std::string> headers;  // "Name: value", may be secret

  std::string Origin() const { return scheme + "://" + authority; }
  std::string BaseUrl() const { return Origin() + path; }
};

// Where to fetch images of registry `domain`, in the order to try: the [host."URL"] tables of
// CERTS_DIR/DOMAIN/hosts.toml (or CERTS_DIR/_default/hosts.toml) as they stand in the file, then
// the server. The file has the form that containerd's administrators know. Without a file: the
// registry itself over HTTPS, on loopback then also over HTTP. Errors name file and line.
absl::StatusOr<std::vector<RegistryHost>> RegistryHostsOf(const std::string& domain,
                                                          const std::string& certs_dir);

// The pure part: `text` is the content of the hosts.toml at `file`.
absl::StatusOr<std::vector<RegistryHost>> ParseHostsToml(const std::string& text,
                                                         const std::string& file,
                                                         const std::string& domain);

// Whether a URL authority ("localhost:5000", "127.0.0.1", "[::1]:80") is this machine.
bool IsLoopback(const std::string& authority);

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_REGISTRY_HOST_H_
