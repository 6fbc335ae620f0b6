#ifndef BULKHEAD_SHIM_STREAMING_SPDY_DICTIONARY_H_
#define BULKHEAD_SHIM_STREAMING_SPDY_DICTIONARY_H_

#include <string>

namespace bulkhead::spdy {

// The dictionary that both ends give to zlib before the first header block (SPDY/3.1 draft, section
// 2.6.10.1). A byte that differed would change every block: its Adler-32 is in each session's
// first one.
const std::string& Dictionary();

}  // namespace bulkhead::spdy

#endif  // BULKHEAD_SHIM_STREAMING_SPDY_DICTIONARY_H_
