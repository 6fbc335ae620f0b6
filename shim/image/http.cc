#include "shim/image/http.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::image {
namespace {

constexpr long kConnectSeconds = 30;
constexpr long kStallBytesPerSecond = 16;
constexpr long kStallSeconds = 60;
constexpr int kMaxRedirects = 10;
constexpr long kReceiveBuffer = 256 << 10;
constexpr size_t kMaxHeaders = 256;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

HeaderList ToList(const std::vector<std::string>& headers) {
  HeaderList list;
  for (const std::string& header : headers) {
    // On failure the old list stays valid, and the request goes without one header.
    if (curl_slist* longer = curl_slist_append(list.get(), header.c_str())) {
      static_cast<void>(list.release());
      list.reset(longer);
    }
  }
  return list;
}

// The callbacks of one transfer, with what they leave behind.
class Transfer {
 public:
  Transfer(CURL* handle, const RegistryHost& host, const CallLimits& limits, const ByteSink& sink,
           uint64_t offset)
      : handle_(handle), host_(host), limits_(limits), sink_(sink), offset_(offset) {}

  void Install() {
    Set(CURLOPT_WRITEDATA, this);
    Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
    Set(CURLOPT_HEADERDATA, this);
    Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
    Set(CURLOPT_XFERINFODATA, this);
    Set(CURLOPT_XFERINFOFUNCTION, &Transfer::OnProgress);
    Set(CURLOPT_NOPROGRESS, 0L);
    Set(CURLOPT_SSL_CTX_DATA, this);
    Set(CURLOPT_SSL_CTX_FUNCTION, &Transfer::OnTls);
  }

  HttpResponse Finish(CURLcode code) {
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &response_.status);
    response_.error = ErrorOf(code);
    return std::move(response_);
  }

 private:
  template <typename Value>
  void Set(CURLoption option, Value value) {
    curl_easy_setopt(handle_, option, value);
  }

  absl::Status ErrorOf(CURLcode code) {
    if (!sink_status_.ok()) return sink_status_;
    if (auto status = CheckLimits(limits_); !status.ok() && code != CURLE_OK) return status;
    if (!tls_status_.ok()) return tls_status_;
    const std::string text = absl::StrCat(host_.Origin(), ": ", curl_easy_strerror(code));
    switch (code) {
      case CURLE_OK:
        return absl::OkStatus();
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CERTPROBLEM:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_UNSUPPORTED_PROTOCOL:
      case CURLE_URL_MALFORMAT:
        return absl::FailedPreconditionError(text);
      case CURLE_SSL_CONNECT_ERROR:
        // On loopback this is a registry that speaks plain HTTP, elsewhere a broken connection.
        response_.transient = !IsLoopback(host_.authority);
        return absl::UnavailableError(text);
      default:
        response_.transient = true;
        return absl::UnavailableError(text);
    }
  }

  size_t TakeBody(std::string_view bytes) {
    long status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 && status != 206) return bytes.size();
    std::string_view wanted = bytes;
    if (status == 200 && received_ < offset_) {  // the server does not know ranges
      wanted.remove_prefix(std::min<uint64_t>(wanted.size(), offset_ - received_));
    }
    received_ += bytes.size();
    if (!wanted.empty()) sink_status_ = sink_(wanted);
    return sink_status_.ok() ? bytes.size() : 0;
  }

  void TakeHeader(std::string_view line) {
    if (line.starts_with("HTTP/")) response_.headers.clear();  // a redirect's came before
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || response_.headers.size() >= kMaxHeaders) return;
    std::string name(line.substr(0, colon));
    std::string value(line.substr(colon + 1));
    absl::AsciiStrToLower(&name);
    absl::StripAsciiWhitespace(&value);
    response_.headers.emplace(std::move(name), std::move(value));
  }

  // The system's certificate authorities stay trusted beside those of hosts.toml.
  bool AddAuthorities(SSL_CTX* context) {
    for (const std::string& file : host_.ca_files) {
      if (SSL_CTX_load_verify_locations(context, file.c_str(), nullptr) == 1) continue;
      tls_status_ =
          absl::FailedPreconditionError(absl::StrCat("no usable certificate in ca file ", file));
      return false;
    }
    return true;
  }

  // libcurl's callbacks; the last parameter is the Transfer.
  static size_t OnBody(char* data, size_t, size_t size, void* self) {
    return static_cast<Transfer*>(self)->TakeBody({data, size});
  }
  static size_t OnHeader(char* data, size_t, size_t size, void* self) {
    static_cast<Transfer*>(self)->TakeHeader({data, size});
    return size;
  }
  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return CheckLimits(static_cast<Transfer*>(self)->limits_).ok() ? 0 : 1;
  }
  static CURLcode OnTls(CURL*, void* context, void* self) {
    const bool added = static_cast<Transfer*>(self)->AddAuthorities(static_cast<SSL_CTX*>(context));
    return added ? CURLE_OK : CURLE_ABORTED_BY_CALLBACK;
  }

  CURL* handle_;
  const RegistryHost& host_;
  const CallLimits& limits_;
  const ByteSink& sink_;
  const uint64_t offset_;
  uint64_t received_ = 0;
  absl::Status sink_status_;
  absl::Status tls_status_;
  HttpResponse response_;
};

void SetRequest(CURL* handle, const HttpRequest& request) {
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  if (request.method == "HEAD") curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  if (request.method == "POST") {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, request.body.c_str());
  }
  if (request.offset > 0) {
    curl_easy_setopt(handle, CURLOPT_RANGE, absl::StrCat(request.offset, "-").c_str());
  }
}

void SetPolicy(CURL* handle, const RegistryHost& host) {
  const char* protocols = host.scheme == "http" ? "http,https" : "https";
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, protocols);
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, kReceiveBuffer);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "bulkhead");
  curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  if (IsLoopback(host.authority)) curl_easy_setopt(handle, CURLOPT_PROXY, "");
}

void SetTls(CURL* handle, const RegistryHost& host) {
  if (host.skip_verify) {
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (host.client_certificate.empty()) return;
  curl_easy_setopt(handle, CURLOPT_SSLCERT, host.client_certificate.c_str());
  curl_easy_setopt(handle, CURLOPT_SSLKEY, host.client_key.c_str());
}

}  // namespace

std::string HttpResponse::Header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

HttpClient::HttpClient() {
  // libcurl's process-wide set-up, safe to run once from any thread since it is a local static.
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialised == CURLE_OK) handle_.reset(curl_easy_init());
}

HttpResponse HttpClient::Send(const HttpRequest& request, const RegistryHost& host,
                              const CallLimits& limits, const ByteSink& sink) {
  HttpRequest step = request;
  RegistryHost target = host;
  for (int redirects = 0; redirects <= kMaxRedirects; ++redirects) {
    HttpResponse response = SendOnce(step, target, limits, sink);
    response.from_elsewhere = target.Origin() != host.Origin();
    const bool redirect = response.error.ok() && response.status >= 301 && response.status <= 308 &&
                          response.status != 304 && request.method != "POST";
    if (!redirect) return response;
    char* location = nullptr;  // absolute, owned by the handle
    curl_easy_getinfo(handle_.get(), CURLINFO_REDIRECT_URL, &location);
    if (location == nullptr) return response;
    if (auto status = Follow(location, step, target); !status.ok()) return {.error = status};
  }
  return {.error = absl::FailedPreconditionError(host.Origin() + ": too many redirects")};
}

// libcurl could follow by itself, but would take along headers that are for the first host only.
absl::Status HttpClient::Follow(const std::string& location, HttpRequest& request,
                                RegistryHost& target) {
  const size_t start = location.find("://");
  const std::string scheme = absl::AsciiStrToLower(location.substr(0, start));
  if (start == std::string::npos || (scheme != "https" && scheme != "http") ||
      (scheme == "http" && target.scheme == "https")) {
    return absl::FailedPreconditionError(
        absl::StrCat(target.Origin(), ": redirects away from HTTPS"));
  }
  std::string authority = location.substr(start + 3);
  authority.resize(std::min(authority.find_first_of("/?#"), authority.size()));
  request.url = location;
  if (scheme == target.scheme && authority == target.authority) return absl::OkStatus();
  std::erase_if(request.headers, [](const std::string& header) {
    return !absl::StartsWithIgnoreCase(header, "Accept:");
  });
  target.scheme = scheme;
  target.authority = authority.substr(authority.find('@') + 1);
  target.headers.clear();
  target.client_certificate.clear();
  return absl::OkStatus();
}

HttpResponse HttpClient::SendOnce(const HttpRequest& request, const RegistryHost& host,
                                  const CallLimits& limits, const ByteSink& sink) {
  CURL* handle = handle_.get();
  if (handle == nullptr) {
    return {.error = absl::ResourceExhaustedError("libcurl cannot be initialised")};
  }
  if (auto status = CheckLimits(limits); !status.ok()) return {.error = status};
  curl_easy_reset(handle);
  SetRequest(handle, request);
  SetPolicy(handle, host);
  SetTls(handle, host);
  std::vector<std::string> headers = request.headers;
  headers.insert(headers.end(), host.headers.begin(), host.headers.end());
  const HeaderList list = ToList(headers);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list.get());
  Transfer transfer(handle, host, limits, sink, request.offset);
  transfer.Install();
  HttpResponse response = transfer.Finish(curl_easy_perform(handle));
  // The list dies here, the handle lives on.
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, nullptr);
  return response;
}

absl::Status CheckLimits(const CallLimits& limits) {
  if (limits.stop.stop_requested()) return absl::CancelledError("the call was cancelled");
  if (absl::Now() >= limits.deadline) return absl::DeadlineExceededError("the call took too long");
  return absl::OkStatus();
}

absl::Status WaitWithin(absl::Duration time, const CallLimits& limits) {
  std::mutex mutex;
  std::condition_variable_any cancelled;
  std::unique_lock lock(mutex);
  const absl::Time end = std::min(absl::Now() + time, limits.deadline);
  cancelled.wait_until(lock, limits.stop, absl::ToChronoTime(end), [] { return false; });
  return CheckLimits(limits);
}

std::string UrlEncode(const std::string& text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";  // RFC 3986, 2.1: upper case
  std::string result;
  for (const char c : text) {
    if (absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      result += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    result += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return result;
}

}  // namespace bulkhead::image
