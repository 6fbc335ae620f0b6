#include "runtime/isolation/device_filter.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr uint8_t kType = BPF_REG_2;
constexpr uint8_t kAccess = BPF_REG_3;
constexpr uint8_t kMajor = BPF_REG_4;
constexpr uint8_t kMinor = BPF_REG_5;
constexpr uint8_t kScratch = BPF_REG_6;
constexpr size_t kMaxAttached = 64;  // BPF_CGROUP_MAX_PROGS.

using Program = std::vector<bpf_insn>;

bpf_insn Load(uint8_t to, size_t offset) {
  return {.code = BPF_LDX | BPF_MEM | BPF_W,
          .dst_reg = to,
          .src_reg = BPF_REG_1,
          .off = static_cast<int16_t>(offset)};
}

bpf_insn Operate(uint8_t operation, uint8_t to, int32_t value) {
  return {.code = static_cast<uint8_t>(BPF_ALU | operation | BPF_K), .dst_reg = to, .imm = value};
}

bpf_insn Copy(uint8_t to, uint8_t from) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from};
}

// Jumps over `over` instructions when the register is not `value`. 32 bits, as the numbers are:
// a 64-bit comparison would extend the sign of `value`.
bpf_insn SkipUnless(uint8_t reg, int32_t value, int16_t over) {
  return {.code = BPF_JMP32 | BPF_JNE | BPF_K, .dst_reg = reg, .off = over, .imm = value};
}

void Return(int32_t result, Program& program) {
  program.push_back({.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = result});
  program.push_back({.code = BPF_JMP | BPF_EXIT});
}

absl::StatusOr<int32_t> AccessBits(const DeviceRule& rule) {
  int32_t bits = 0;
  for (const char letter : rule.access) {
    if (letter == 'r') {
      bits |= BPF_DEVCG_ACC_READ;
    } else if (letter == 'w') {
      bits |= BPF_DEVCG_ACC_WRITE;
    } else if (letter == 'm') {
      bits |= BPF_DEVCG_ACC_MKNOD;
    } else {
      return absl::InvalidArgumentError(absl::StrCat("device access \"", rule.access, "\""));
    }
  }
  return bits;
}

// Each test that fails skips to the next rule; offsets are known once all of them are there.
absl::Status AddRule(const DeviceRule& rule, Program& program) {
  absl::StatusOr<int32_t> access = AccessBits(rule);
  if (!access.ok()) return access.status();
  if (rule.type != 'a' && rule.type != 'b' && rule.type != 'c') {
    return absl::InvalidArgumentError(
        absl::StrCat("device type '", std::string(1, rule.type), "'"));
  }
  Program tests;
  if (rule.type != 'a') {
    tests.push_back(
        SkipUnless(kType, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, 0));
  }
  // What is asked beyond what the rule allows must be nothing.
  tests.push_back(Copy(kScratch, kAccess));
  tests.push_back(Operate(BPF_AND, kScratch, ~*access));
  tests.push_back(SkipUnless(kScratch, 0, 0));
  if (rule.major >= 0) tests.push_back(SkipUnless(kMajor, static_cast<int32_t>(rule.major), 0));
  if (rule.minor >= 0) tests.push_back(SkipUnless(kMinor, static_cast<int32_t>(rule.minor), 0));
  Return(1, tests);
  for (size_t i = 0; i < tests.size(); ++i) {
    if (tests[i].code == (BPF_JMP32 | BPF_JNE | BPF_K)) {
      tests[i].off = static_cast<int16_t>(tests.size() - i - 1);
    }
  }
  program.insert(program.end(), tests.begin(), tests.end());
  return absl::OkStatus();
}

long Bpf(bpf_cmd command, bpf_attr& attributes) {
  return syscall(SYS_bpf, command, &attributes, sizeof(attributes));
}

absl::StatusOr<UniqueFd> LoadProgram(const Program& program) {
  constexpr char kLicense[] = "Apache-2.0";
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof(attributes));
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = reinterpret_cast<uintptr_t>(program.data());
  attributes.insn_cnt = program.size();
  attributes.license = reinterpret_cast<uintptr_t>(kLicense);
  UniqueFd loaded(static_cast<int>(Bpf(BPF_PROG_LOAD, attributes)));
  if (!loaded.valid()) return ErrnoStatus(errno, "load the device filter");
  return loaded;
}

absl::StatusOr<std::vector<uint32_t>> AttachedPrograms(int cgroup) {
  std::vector<uint32_t> ids(kMaxAttached);
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof(attributes));
  attributes.query.target_fd = cgroup;
  attributes.query.attach_type = BPF_CGROUP_DEVICE;
  attributes.query.prog_ids = reinterpret_cast<uintptr_t>(ids.data());
  attributes.query.prog_cnt = ids.size();
  if (Bpf(BPF_PROG_QUERY, attributes) != 0) return ErrnoStatus(errno, "query device filters");
  ids.resize(attributes.query.prog_cnt);
  return ids;
}

absl::Status Attach(int cgroup, int program) {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof(attributes));
  attributes.target_fd = cgroup;
  attributes.attach_bpf_fd = program;
  attributes.attach_type = BPF_CGROUP_DEVICE;
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  if (Bpf(BPF_PROG_ATTACH, attributes) != 0) return ErrnoStatus(errno, "attach the device filter");
  return absl::OkStatus();
}

absl::Status Detach(int cgroup, uint32_t id) {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof(attributes));
  attributes.prog_id = id;
  const UniqueFd program(static_cast<int>(Bpf(BPF_PROG_GET_FD_BY_ID, attributes)));
  if (!program.valid()) return ErrnoStatus(errno, "open an old device filter");
  std::memset(&attributes, 0, sizeof(attributes));
  attributes.target_fd = cgroup;
  attributes.attach_bpf_fd = program.get();
  attributes.attach_type = BPF_CGROUP_DEVICE;
  if (Bpf(BPF_PROG_DETACH, attributes) != 0) return ErrnoStatus(errno, "detach a device filter");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<bpf_insn>> CompileDeviceFilter(const std::vector<DeviceRule>& rules) {
  Program program = {
      Load(kType, offsetof(bpf_cgroup_dev_ctx, access_type)),
      Copy(kAccess, kType),
      Operate(BPF_AND, kType, 0xffff),
      Operate(BPF_RSH, kAccess, 16),
      Load(kMajor, offsetof(bpf_cgroup_dev_ctx, major)),
      Load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)),
  };
  for (const DeviceRule& rule : rules) {
    if (absl::Status status = AddRule(rule, program); !status.ok()) return status;
  }
  Return(0, program);
  return program;
}

absl::StatusOr<bool> HasDeviceFilter(const std::string& directory) {
  const UniqueFd cgroup(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.valid()) return ErrnoStatus(errno, absl::StrCat("open ", directory));
  absl::StatusOr<std::vector<uint32_t>> programs = AttachedPrograms(cgroup.get());
  if (!programs.ok()) return programs.status();
  return !programs->empty();
}

absl::Status AttachDeviceFilter(const std::string& directory,
                                const std::vector<DeviceRule>& rules) {
  absl::StatusOr<Program> program = CompileDeviceFilter(rules);
  if (!program.ok()) return program.status();
  const UniqueFd cgroup(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.valid()) return ErrnoStatus(errno, absl::StrCat("open ", directory));
  absl::StatusOr<UniqueFd> loaded = LoadProgram(*program);
  if (!loaded.ok()) return loaded.status();
  absl::StatusOr<std::vector<uint32_t>> old = AttachedPrograms(cgroup.get());
  if (!old.ok()) return old.status();
  // All attached programs must allow an access, so that old and new together are the stricter.
  if (absl::Status status = Attach(cgroup.get(), loaded->get()); !status.ok()) return status;
  for (const uint32_t id : *old) {
    if (absl::Status status = Detach(cgroup.get(), id); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::isolation
