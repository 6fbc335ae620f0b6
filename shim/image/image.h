#ifndef BULKHEAD_SHIM_IMAGE_IMAGE_H_
#define BULKHEAD_SHIM_IMAGE_IMAGE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace bulkhead::image {

// What an image says about the process it wants: the "config" object of the OCI image
// configuration (image-spec config.md). Strings as the image has them, nothing resolved.
struct ImageConfig {
  std::vector<std::string> env;  // "NAME=value"; values are secrets: never log them
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string user;  // "", "user", "uid", "user:group", "uid:gid" …
  std::string working_dir;
  std::string stop_signal;  // "SIGTERM", "15" …
  std::vector<std::string> volumes;
  std::map<std::string, std::string> labels;
};

struct Image {
  std::string id;                         // "sha256:…", the digest of the configuration
  std::vector<std::string> repo_tags;     // "docker.io/library/busybox:latest"
  std::vector<std::string> repo_digests;  // "docker.io/library/busybox@sha256:…"
  uint64_t size_bytes = 0;                // unpacked layers and configuration
  bool pinned = false;                    // not to be collected by the kubelet
  ImageConfig config;
  std::vector<std::string> diff_ids;  // "sha256:…", bottom first
};

// Credentials of one caller, the fields of the CRI's AuthConfig. All but the names are secrets:
// this type has no printer on purpose.
struct Auth {
  std::string username;
  std::string password;
  std::string auth;            // base64("username:password"), used when the two are empty
  std::string server_address;  // when set, the credentials go to this host only
  std::string identity_token;  // OAuth2 refresh token
  std::string registry_token;  // bearer token, sent as it is

  friend bool operator==(const Auth&, const Auth&) = default;
};

// What the layers take on disk, from figures kept when they were unpacked.
struct FsUsage {
  uint64_t bytes = 0;
  uint64_t inodes = 0;
  std::string mountpoint;  // a directory of the file system that holds the layers
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_IMAGE_H_
