#include "shim/streaming/tls.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace bulkhead::streaming {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

// Changes with every replacement of the file, by rename or in place.
std::string VersionOf(const std::string& path) {
  struct stat file;
  if (stat(path.c_str(), &file) != 0) return "none";
  return absl::StrCat(file.st_dev, ":", file.st_ino, ":", file.st_size, ":", file.st_mtim.tv_sec,
                      ".", file.st_mtim.tv_nsec);
}

absl::Status Failed(const char* what, const std::string& path, const error_code& error) {
  return absl::InvalidArgumentError(absl::StrCat(what, " ", path, ": ", error.message()));
}

absl::StatusOr<std::shared_ptr<ssl::context>> Read(const std::string& certificate,
                                                   const std::string& key) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  error_code error;
  // OpenSSL would ask the terminal for the password of an encrypted key.
  context->set_password_callback([](size_t, ssl::context::password_purpose) { return ""; }, error);
  if (!error) context->use_certificate_chain_file(certificate, error);
  if (error) return Failed("read the certificate", certificate, error);
  context->use_private_key_file(key, ssl::context::pem, error);
  if (error) return Failed("read the key", key, error);
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key ", key, " is not that of the certificate ", certificate));
  }
  return context;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tls>> Tls::Load(std::string certificate, std::string key) {
  std::unique_ptr<Tls> tls(new Tls(std::move(certificate), std::move(key)));
  if (absl::Status read = tls->Refresh(); !read.ok()) return read;
  return tls;
}

absl::Status Tls::Refresh() {
  std::string version = absl::StrCat(VersionOf(certificate_), " ", VersionOf(key_));
  if (version == version_) return absl::OkStatus();
  absl::StatusOr<std::shared_ptr<ssl::context>> context = Read(certificate_, key_);
  if (!context.ok()) {
    // The next connection tries again: what failed may have been the lack of a descriptor.
    if (version == refused_) return absl::OkStatus();
    refused_ = std::move(version);
    return context.status();
  }
  version_ = std::move(version);
  current_ = *std::move(context);
  return absl::OkStatus();
}

}  // namespace bulkhead::streaming
