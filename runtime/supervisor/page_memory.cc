#include "runtime/supervisor/page_memory.h"

#include <sys/mman.h>

#include <cstdlib>

namespace bulkhead::supervisor {

PageMemory::PageMemory(size_t size) : size_(size) {
  void* const memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  // As operator new would without exceptions: there is no address space left.
  if (memory == MAP_FAILED) abort();
  data_ = static_cast<char*>(memory);
}

PageMemory::~PageMemory() { munmap(data_, size_); }

void PageMemory::Release() { madvise(data_, size_, MADV_DONTNEED); }

}  // namespace bulkhead::supervisor
