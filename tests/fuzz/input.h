#ifndef BULKHEAD_TESTS_FUZZ_INPUT_H_
#define BULKHEAD_TESTS_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace bulkhead::fuzz {

// The fuzzer's bytes, taken from the front.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const char byte = rest_.front();
    rest_.remove_prefix(1);
    return static_cast<uint8_t>(byte);
  }
  std::string_view Take(size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// Ends the fuzzer with a report.
inline void Require(bool condition) {
  if (!condition) abort();
}

}  // namespace bulkhead::fuzz

#endif  // BULKHEAD_TESTS_FUZZ_INPUT_H_
