#ifndef BULKHEAD_SHIM_STREAMING_BYTE_STREAM_H_
#define BULKHEAD_SHIM_STREAMING_BYTE_STREAM_H_

#include <boost/asio/buffer.hpp>
#include <functional>
#include <memory>

#include "shim/streaming/socket.h"
#include "shim/streaming/web_socket.h"

namespace bulkhead::streaming {

// What SPDY runs on: a socket, or the messages of a WebSocket. One read and one write at a time.
class ByteStream {
 public:
  using Handler = std::function<void(error_code, size_t)>;
  virtual ~ByteStream() = default;
  virtual asio::any_io_executor executor() = 0;
  virtual void ReadSome(asio::mutable_buffer buffer, Handler done) = 0;
  virtual void WriteAll(asio::const_buffer bytes, Handler done) = 0;
  // As of Socket.
  virtual void EndSending(std::function<void()> done) = 0;
  virtual void Close() = 0;
  virtual bool ClientLeft() = 0;
  virtual size_t Unsent() = 0;
};

std::unique_ptr<ByteStream> MakeByteStream(Socket socket);
std::unique_ptr<ByteStream> MakeByteStream(std::unique_ptr<WebSocket> socket);

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_BYTE_STREAM_H_
