#include <chrono>

#include "tests/conformance/fixture/suite.h"

int main(int argc, char** argv) {
  // A short time limit, so that the test of a plugin that hangs is short; a port that is the same
  // after a restart, when what listens is compared.
  return bulkhead::fixture::RunSuite(
      argc, argv, {.cni_timeout = std::chrono::seconds(5), .streaming_port = 10010});
}
