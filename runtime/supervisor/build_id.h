#ifndef BULKHEAD_RUNTIME_SUPERVISOR_BUILD_ID_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_BUILD_ID_H_

#include <string>
#include <string_view>

namespace bulkhead::supervisor {

// The linker's build id (NT_GNU_BUILD_ID, ld(1) --build-id) in hex: of the running program, and
// of a 64-bit ELF file's bytes. Empty when there is none.
std::string OwnBuildId();
std::string BuildIdOf(std::string_view elf);

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_BUILD_ID_H_
