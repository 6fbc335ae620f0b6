#ifndef BULKHEAD_SHIM_STREAMING_TLS_H_
#define BULKHEAD_SHIM_STREAMING_TLS_H_

#include <sys/stat.h>

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace bulkhead::streaming {

// The server's certificate and key, read again when their files were replaced.
class Tls {
 public:
  // The errors name the file.
  static absl::StatusOr<std::unique_ptr<Tls>> Load(std::string certificate, std::string key);

  // For a new connection. An error is that of reading replaced files: the last good ones stay in
  // use, and it is returned once for each replacement.
  absl::Status Refresh();
  const std::shared_ptr<boost::asio::ssl::context>& current() const { return current_; }

 private:
  Tls(std::string certificate, std::string key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}

  const std::string certificate_;
  const std::string key_;
  std::string version_;  // Of the files that are in use.
  std::string refused_;  // Of those that could not be read last.
  std::shared_ptr<boost::asio::ssl::context> current_;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_TLS_H_
