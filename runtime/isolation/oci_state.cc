#include "runtime/isolation/oci_state.h"

namespace bulkhead::isolation {

nlohmann::json OciState(const std::string& id, const std::string& status, const std::string& bundle,
                        const std::map<std::string, std::string>& annotations) {
  return {{"ociVersion", kOciVersion},
          {"id", id},
          {"status", status},
          {"bundle", bundle},
          {"annotations", annotations}};
}

std::string ToText(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace bulkhead::isolation
