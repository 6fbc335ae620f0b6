#include "shim/streaming/resize.h"

#include <cstdint>
#include <limits>

#include "nlohmann/json.hpp"

namespace bulkhead::streaming {
namespace {

constexpr size_t kLongestObject = 256;

std::optional<uint16_t> NumberOf(const nlohmann::json& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end()) return 0;  // As an absent member of a Go structure.
  if (!member->is_number_unsigned()) return std::nullopt;
  const uint64_t number = member->get<uint64_t>();
  if (number > std::numeric_limits<uint16_t>::max()) return std::nullopt;
  return static_cast<uint16_t>(number);
}

std::optional<pods::TerminalSize> SizeOf(const std::string& text) {
  const nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  const std::optional<uint16_t> width = NumberOf(object, "Width");
  const std::optional<uint16_t> height = NumberOf(object, "Height");
  if (!width || !height) return std::nullopt;
  return pods::TerminalSize{.width = *width, .height = *height};
}

}  // namespace

std::optional<pods::TerminalSize> ResizeReader::Read(std::string_view bytes) {
  std::optional<pods::TerminalSize> last;
  for (const char c : bytes) {
    if (failed_) break;
    object_.push_back(c);
    if (c == '}') {  // The objects hold no other objects and no texts.
      const std::optional<pods::TerminalSize> size = SizeOf(object_);
      object_.clear();
      failed_ = !size;
      // A terminal that is not known to the client has none.
      if (size && size->width > 0 && size->height > 0) last = size;
    } else if (object_.size() > kLongestObject) {
      failed_ = true;
      object_.clear();
    }
  }
  return last;
}

}  // namespace bulkhead::streaming
