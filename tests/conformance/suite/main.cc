#include "tests/conformance/fixture/suite.h"

int main(int argc, char** argv) {
  return bulkhead::fixture::RunSuite(argc, argv, {.metrics = true});
}
