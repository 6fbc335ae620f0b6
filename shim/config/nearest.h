#ifndef BULKHEAD_SHIM_CONFIG_NEAREST_H_
#define BULKHEAD_SHIM_CONFIG_NEAREST_H_

#include <string>
#include <vector>

namespace bulkhead::config {

// The candidate with the fewest letters inserted, deleted or replaced, if that is less than half of
// the word's; else empty.
std::string Nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace bulkhead::config

#endif  // BULKHEAD_SHIM_CONFIG_NEAREST_H_
