#ifndef BULKHEAD_RUNTIME_ISOLATION_LIMIT_COMPARISON_H_
#define BULKHEAD_RUNTIME_ISOLATION_LIMIT_COMPARISON_H_

#include <string>

#include "runtime/isolation/comparison.h"

namespace bulkhead::isolation {

// What a cgroup file holds beside what was written to it: the kernel rounds sizes down to pages,
// writes lists of processors its own way and completes "cpu.max" with the period. `file` is a path.
Verdict CompareLimit(const std::string& file, const std::string& planned,
                     const std::string& actual);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_LIMIT_COMPARISON_H_
