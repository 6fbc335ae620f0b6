#include "shim/streaming/byte_stream.h"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace bulkhead::streaming {
namespace {

class SocketBytes final : public ByteStream {
 public:
  explicit SocketBytes(Socket socket) : socket_(std::move(socket)) {}

  asio::any_io_executor executor() override { return socket_.get_executor(); }
  void ReadSome(asio::mutable_buffer buffer, Handler done) override {
    socket_.async_read_some(buffer, std::move(done));
  }
  void WriteAll(asio::const_buffer bytes, Handler done) override {
    asio::async_write(socket_, bytes, std::move(done));
  }
  void EndSending(std::function<void()> done) override {
    socket_.EndSending();
    asio::post(executor(), std::move(done));
  }
  void Close() override { socket_.Close(); }
  bool ClientLeft() override { return socket_.ClientLeft(); }
  size_t Unsent() override { return socket_.Unsent(); }

 private:
  Socket socket_;
};

// The bounds of messages mean nothing here.
class WebSocketBytes final : public ByteStream {
 public:
  explicit WebSocketBytes(std::unique_ptr<WebSocket> socket) : socket_(std::move(socket)) {}

  asio::any_io_executor executor() override { return socket_->executor(); }
  void ReadSome(asio::mutable_buffer buffer, Handler done) override {
    socket_->ReadSome(buffer, [done = std::move(done)](error_code error, size_t size, bool) {
      done(error, size);
    });
  }
  void WriteAll(asio::const_buffer bytes, Handler done) override {
    socket_->Write(bytes, false, [done = std::move(done), size = bytes.size()](error_code error) {
      done(error, size);
    });
  }
  void EndSending(std::function<void()> done) override {
    socket_->SendClose([done = std::move(done)](error_code) { done(); });
  }
  void Close() override { socket_->Close(); }
  bool ClientLeft() override { return socket_->ClientLeft(); }
  size_t Unsent() override { return socket_->Unsent(); }

 private:
  std::unique_ptr<WebSocket> socket_;
};

}  // namespace

std::unique_ptr<ByteStream> MakeByteStream(Socket socket) {
  return std::make_unique<SocketBytes>(std::move(socket));
}

std::unique_ptr<ByteStream> MakeByteStream(std::unique_ptr<WebSocket> socket) {
  return std::make_unique<WebSocketBytes>(std::move(socket));
}

}  // namespace bulkhead::streaming
