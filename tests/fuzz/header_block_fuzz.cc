// Header blocks: as they come from a client, and what is inside of one.
#include <optional>
#include <string>

#include "shim/streaming/spdy/header_block.h"
#include "tests/fuzz/input.h"

using bulkhead::fuzz::Input;
using bulkhead::fuzz::Require;
using bulkhead::spdy::HeaderLimits;
using bulkhead::spdy::HeaderReader;
using bulkhead::spdy::Headers;
using bulkhead::spdy::HeaderWriter;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const HeaderLimits limits = {.inflated_bytes = 4096, .pairs = 16};
  if (const auto headers = bulkhead::spdy::ParsePairs(input.rest(), limits.pairs)) {
    Require(headers->size() <= limits.pairs);
    // What was understood comes back the same.
    HeaderWriter writer;
    HeaderReader reader({.inflated_bytes = size + 64, .pairs = limits.pairs});
    for (int i = 0; i < 2; ++i) Require(reader.Read(writer.Write(*headers)) == headers);
  }
  HeaderReader reader(limits);
  while (!input.empty()) {
    const size_t length = static_cast<size_t>(input.Byte()) * 4;
    if (!reader.Read(input.Take(length))) {
      Require(!reader.Read(HeaderWriter().Write({})));
      break;
    }
  }
  return 0;
}
