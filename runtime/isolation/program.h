// The program that a process becomes, and where it starts.
#ifndef BULKHEAD_RUNTIME_ISOLATION_PROGRAM_H_
#define BULKHEAD_RUNTIME_ISOLATION_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/steps.h"

namespace bulkhead::isolation {

// Where to look for a command: the name itself when it holds a slash, else in each directory of
// PATH in the environment, as execvp(3) does it.
std::vector<std::string> ProgramCandidates(const plan::Process& process);

// All that execve(2) needs. The lists end with a null pointer.
struct ProgramVectors {
  const char* command = nullptr;
  char* const* candidates = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
};

// The same, made before the clone. The plan must outlive the slice.
struct ProgramSlice {
  const plan::Process* process = nullptr;
  std::vector<std::string> names;
  std::vector<char*> candidates;
  std::vector<char*> argv;
  std::vector<char*> envp;

  ProgramVectors vectors() const { return {argv[0], candidates.data(), argv.data(), envp.data()}; }
};

// INVALID_ARGUMENT: no arguments, an empty command.
absl::StatusOr<ProgramSlice> ProgramOutside(const plan::Process& process);

// Inside: enters the working directory, resolved in the root without magic links, and checks that
// it can be reached from there (CVE-2024-21626). When the superuser may not enter it (a network
// file system), `entered` stays false and it is to be tried again as the user.
Outcome EnterDirectoryInside(const ProgramSlice& slice, bool as_user, bool& entered);

// Inside: does not return when the program runs. Unlike execvp(3), no shell is tried for a file
// without a known format.
Outcome ExecuteInside(const ProgramVectors& program);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_PROGRAM_H_
