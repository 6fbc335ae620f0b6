#include <chrono>

#include "tests/conformance/fixture/suite.h"

int main(int argc, char** argv) {
  // A shorter time limit, so that the tests of what hangs are short; a port that is the same
  // after a restart, when what listens is compared.
  return bulkhead::fixture::RunSuite(
      argc, argv, {.drain_timeout = std::chrono::seconds(1), .streaming_port = 10010});
}
