#include "runtime/isolation/seccomp_evaluate.h"

#include <linux/filter.h>

#include <cstring>

namespace bulkhead::isolation {

std::optional<uint32_t> EvaluateFilter(const std::string& program, const seccomp_data& data) {
  const size_t length = program.size() / sizeof(sock_filter);
  uint32_t accumulator = 0;
  uint32_t scratch[BPF_MEMWORDS] = {};
  for (size_t at = 0; at < length;) {
    sock_filter instruction;
    std::memcpy(&instruction, program.data() + at * sizeof(instruction), sizeof(instruction));
    const uint32_t k = instruction.k;
    const auto jump = [&](bool taken) {
      return at + 1 + (taken ? instruction.jt : instruction.jf);
    };
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (k + 4 > sizeof(data)) return std::nullopt;
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + k, 4);
        ++at;
        break;
      case BPF_LD | BPF_MEM:
        accumulator = scratch[k % BPF_MEMWORDS];
        ++at;
        break;
      case BPF_ST:
        scratch[k % BPF_MEMWORDS] = accumulator;
        ++at;
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= k;
        ++at;
        break;
      case BPF_JMP | BPF_JA:
        at += 1 + k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at = jump(accumulator == k);
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        at = jump(accumulator > k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        at = jump(accumulator >= k);
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        at = jump((accumulator & k) != 0);
        break;
      case BPF_RET | BPF_K:
        return k;
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace bulkhead::isolation
