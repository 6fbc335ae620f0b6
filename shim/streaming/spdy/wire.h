#ifndef BULKHEAD_SHIM_STREAMING_SPDY_WIRE_H_
#define BULKHEAD_SHIM_STREAMING_SPDY_WIRE_H_

#include <cstdint>
#include <string>
#include <string_view>

// Numbers in network byte order.
namespace bulkhead::spdy {

inline void Put16(uint32_t number, std::string& out) {
  out.push_back(static_cast<char>(number >> 8 & 0xff));
  out.push_back(static_cast<char>(number & 0xff));
}

inline void Put32(uint32_t number, std::string& out) {
  Put16(number >> 16, out);
  Put16(number & 0xffff, out);
}

// The caller has checked that the bytes are there.
inline uint32_t Get16(std::string_view bytes, size_t at) {
  return static_cast<uint32_t>(static_cast<unsigned char>(bytes[at])) << 8 |
         static_cast<unsigned char>(bytes[at + 1]);
}

inline uint32_t Get32(std::string_view bytes, size_t at) {
  return Get16(bytes, at) << 16 | Get16(bytes, at + 2);
}

}  // namespace bulkhead::spdy

#endif  // BULKHEAD_SHIM_STREAMING_SPDY_WIRE_H_
