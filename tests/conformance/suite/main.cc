#include "tests/conformance/fixture/registry.h"
#include "tests/conformance/fixture/suite.h"

int main(int argc, char** argv) {
  using namespace bulkhead::fixture;
  return RunSuite(argc, argv, {.metrics_port = FreePort()});
}
