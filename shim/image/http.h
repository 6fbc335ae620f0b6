#ifndef BULKHEAD_SHIM_IMAGE_HTTP_H_
#define BULKHEAD_SHIM_IMAGE_HTTP_H_

#include <curl/curl.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "shim/image/image_service.h"
#include "shim/image/registry_host.h"
#include "shim/image/unpack.h"

namespace bulkhead::image {

struct HttpRequest {
  std::string method = "GET";  // GET, HEAD or POST
  std::string url;
  std::vector<std::string> headers;  // "Name: value"; may hold secrets
  std::string body;                  // of a POST, form-encoded
  uint64_t offset = 0;               // the first byte wanted
};

struct HttpResponse {
  long status = 0;
  std::multimap<std::string, std::string> headers;  // names in lower case
  bool transient = false;  // no complete answer, for a reason that may pass; `error` says which
  absl::Status error;
  bool from_elsewhere = false;  // a redirect led to another host, which gave this answer

  std::string Header(const std::string& name) const;
};

// One connection's worth of libcurl: HTTP/2 where TLS offers it, proxies from the environment (not
// for loopback), redirects that take no credentials to another host and never go from HTTPS to
// HTTP. Errors and logs never carry headers, bodies, or more of a URL than its host. Not
// thread-safe; reusing an object reuses its connections.
class HttpClient {
 public:
  HttpClient();

  // Sends `request` with the TLS settings of `host`. The body of a 200 or 206 goes to `sink`,
  // others are dropped. A response whose `error` is not OK has no complete answer: the sink's own
  // error, CANCELLED, DEADLINE_EXCEEDED, or what is wrong with the network.
  HttpResponse Send(const HttpRequest& request, const RegistryHost& host, const CallLimits& limits,
                    const ByteSink& sink);

 private:
  HttpResponse SendOnce(const HttpRequest& request, const RegistryHost& host,
                        const CallLimits& limits, const ByteSink& sink);
  static absl::Status Follow(const std::string& location, HttpRequest& request,
                             RegistryHost& target);

  struct Cleanup {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  };
  std::unique_ptr<CURL, Cleanup> handle_;
};

// CANCELLED or DEADLINE_EXCEEDED when the call is given up.
absl::Status CheckLimits(const CallLimits& limits);

// Waits, but not longer than the call lives.
absl::Status WaitWithin(absl::Duration time, const CallLimits& limits);

// Percent-encodes a value of a query string or form.
std::string UrlEncode(const std::string& text);

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_HTTP_H_
