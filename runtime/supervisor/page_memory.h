#ifndef BULKHEAD_RUNTIME_SUPERVISOR_PAGE_MEMORY_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_PAGE_MEMORY_H_

#include <cstddef>

namespace bulkhead::supervisor {

// Anonymous memory whose pages cost nothing until they are written to, and nothing again after
// Release.
class PageMemory {
 public:
  explicit PageMemory(size_t size);
  ~PageMemory();
  PageMemory(const PageMemory&) = delete;
  PageMemory& operator=(const PageMemory&) = delete;

  char* data() const { return data_; }
  // Gives the pages back; the content is lost.
  void Release();

 private:
  char* data_;
  size_t size_;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_PAGE_MEMORY_H_
