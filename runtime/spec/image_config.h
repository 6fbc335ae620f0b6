#ifndef BULKHEAD_RUNTIME_SPEC_IMAGE_CONFIG_H_
#define BULKHEAD_RUNTIME_SPEC_IMAGE_CONFIG_H_

#include <string>
#include <vector>

namespace bulkhead::spec {

// What an image asks for its process: the "config" object of the OCI image configuration.
struct ImageConfig {
  // NAME=value. Values are secret: never printed.
  std::vector<std::string> env;
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string user;
  std::string working_dir;

  bool operator==(const ImageConfig&) const = default;
};

}  // namespace bulkhead::spec

#endif  // BULKHEAD_RUNTIME_SPEC_IMAGE_CONFIG_H_
