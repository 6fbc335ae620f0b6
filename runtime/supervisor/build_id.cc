#include "runtime/supervisor/build_id.h"

#include <elf.h>
#include <link.h>

#include <cstring>

#include "absl/strings/escaping.h"

namespace bulkhead::supervisor {
namespace {

size_t Align4(size_t size) { return (size + 3) & ~size_t{3}; }

// Walks the notes of one segment.
std::string FindInNotes(std::string_view notes) {
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr header;
    memcpy(&header, notes.data(), sizeof(header));
    const size_t name = sizeof(header);
    const size_t description = name + Align4(header.n_namesz);
    if (description + header.n_descsz > notes.size()) return "";
    if (header.n_type == NT_GNU_BUILD_ID && notes.substr(name, 4) == std::string_view("GNU", 4)) {
      return absl::BytesToHexString(absl::string_view(notes.data() + description, header.n_descsz));
    }
    notes.remove_prefix(std::min(notes.size(), description + Align4(header.n_descsz)));
  }
  return "";
}

int FindInProgram(dl_phdr_info* info, size_t, void* result) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const std::string id = FindInNotes(
        {reinterpret_cast<const char*>(info->dlpi_addr + segment.p_vaddr), segment.p_memsz});
    if (id.empty()) continue;
    *static_cast<std::string*>(result) = id;
    break;
  }
  return 1;  // The first object is the program; libraries are of no interest.
}

}  // namespace

std::string OwnBuildId() {
  std::string id;
  dl_iterate_phdr(FindInProgram, &id);
  return id;
}

std::string BuildIdOf(std::string_view elf) {
  Elf64_Ehdr header;
  if (elf.size() < sizeof(header)) return "";
  memcpy(&header, elf.data(), sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) {
    return "";
  }
  for (size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    const size_t at = header.e_phoff + i * sizeof(segment);
    if (at > elf.size() || elf.size() - at < sizeof(segment)) return "";
    memcpy(&segment, elf.data() + at, sizeof(segment));
    if (segment.p_type != PT_NOTE || segment.p_offset > elf.size()) continue;
    const std::string id = FindInNotes(elf.substr(segment.p_offset, segment.p_filesz));
    if (!id.empty()) return id;
  }
  return "";
}

}  // namespace bulkhead::supervisor
