#include "shim/image/registry_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/kernel/status.h"

namespace bulkhead::image {
namespace {

constexpr int kMaxAttempts = 5;
// Of a host that has another one after it.
constexpr int kMaxMirrorAttempts = 2;
constexpr absl::Duration kFirstWait = absl::Milliseconds(250);
constexpr absl::Duration kLongestWait = absl::Seconds(30);

constexpr char kAccept[] =
    "Accept: application/vnd.oci.image.index.v1+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

bool MayPull(const RegistryHost& host) { return host.pull; }
bool MayResolve(const RegistryHost& host) { return host.resolve; }

bool IsTransient(const HttpResponse& response) {
  if (!response.error.ok()) return response.transient;
  return response.status == 408 || response.status == 429 || response.status >= 500;
}

// A response's status, "" for bodies: registries may echo what they were sent.
absl::Status StatusOf(const HttpResponse& response) {
  if (!response.error.ok()) return response.error;
  if (response.status == 200 || response.status == 206) return absl::OkStatus();
  const std::string text = absl::StrCat("the registry answers HTTP ", response.status);
  switch (response.status) {
    case 401:
      return absl::UnauthenticatedError(text);
    case 403:
      return absl::PermissionDeniedError(text);
    case 404:
      return absl::NotFoundError(text);
    default:
      return IsTransient(response) ? absl::UnavailableError(text)
                                   : absl::FailedPreconditionError(text);
  }
}

// How long to wait before attempt `next` (1, 2 …), by the server's wish if it has one.
absl::Duration WaitBefore(int next, const HttpResponse& response) {
  uint32_t seconds = 0;
  if (absl::SimpleAtoi(response.Header("retry-after"), &seconds)) {
    return std::min(absl::Seconds(seconds), kLongestWait);
  }
  return std::min(kFirstWait * (1 << (next - 1)), kLongestWait);
}

// A 206 must begin where it was asked to.
absl::Status CheckRange(const HttpResponse& response, uint64_t offset) {
  if (response.status != 206 || !response.error.ok()) return absl::OkStatus();
  const std::string expected = absl::StrCat("bytes ", offset, "-");
  if (response.Header("content-range").starts_with(expected)) return absl::OkStatus();
  return absl::FailedPreconditionError("the registry sends another range than was asked for");
}

// Follows the bytes of one blob over all attempts and hosts.
class BlobVerifier {
 public:
  BlobVerifier(const Descriptor& descriptor, const ByteSink& sink)
      : descriptor_(descriptor), sink_(sink) {}

  uint64_t received() const { return received_; }

  absl::Status Take(std::string_view bytes) {
    if (bytes.size() > descriptor_.size - received_) {
      return absl::DataLossError(
          absl::StrCat("blob ", descriptor_.digest.str(), " is longer than its descriptor says"));
    }
    received_ += bytes.size();
    hash_.Update(bytes);
    return sink_(bytes);
  }

  absl::Status Finish() {
    const std::string blob = "blob " + descriptor_.digest.str();
    if (received_ != descriptor_.size) {
      return absl::DataLossError(absl::StrCat(blob, " is shorter than its descriptor says: ",
                                              received_, " of ", descriptor_.size, " bytes"));
    }
    const Digest digest = hash_.Finish();
    if (digest == descriptor_.digest) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(blob, " came with digest ", digest.str()));
  }

 private:
  const Descriptor& descriptor_;
  const ByteSink& sink_;
  Sha256 hash_;
  uint64_t received_ = 0;
};

}  // namespace

RegistryClient::RegistryClient(Reference reference, Auth auth, std::vector<RegistryHost> hosts,
                               CallLimits limits)
    : reference_(std::move(reference)),
      hosts_(std::move(hosts)),
      limits_(std::move(limits)),
      auth_(reference_, std::move(auth)) {}

absl::StatusOr<Document> RegistryClient::Resolve() {
  if (reference_.digest.empty()) return FetchDocument(reference_.tag, MayResolve);
  auto document = FetchDocument(reference_.digest, MayPull);
  if (document.ok() && document->digest.str() != reference_.digest) {
    return absl::DataLossError(
        absl::StrCat("manifest ", reference_.digest, " came with digest ", document->digest.str()));
  }
  return document;
}

absl::StatusOr<Document> RegistryClient::FetchManifest(const Descriptor& descriptor) {
  auto document = FetchDocument(descriptor.digest.str(), MayPull);
  if (!document.ok()) return document;
  if (document->digest != descriptor.digest || document->content.size() != descriptor.size) {
    return absl::DataLossError(absl::StrCat("manifest ", descriptor.digest.str(),
                                            " came with digest ", document->digest.str()));
  }
  return document;
}

absl::StatusOr<Document> RegistryClient::FetchDocument(const std::string& name,
                                                       bool (*may_serve)(const RegistryHost&)) {
  std::string content;
  const auto restart = [&] {
    content.clear();
    return uint64_t{0};
  };
  const auto take = [&](std::string_view bytes) -> absl::Status {
    content += bytes;
    if (content.size() <= kMaxManifestSize) return absl::OkStatus();
    return absl::ResourceExhaustedError("the manifest is over 4 MiB");
  };
  auto response = FromAnyHost({"manifests/" + name, kAccept, restart, take}, may_serve);
  if (!response.ok()) return Annotate(response.status(), "manifest " + name);
  const Digest digest = Digest::Of(content);
  const std::string told = response->Header("docker-content-digest");
  if (told.starts_with("sha256:") && told != digest.str()) {
    return absl::DataLossError(absl::StrCat("manifest ", name, " came with digest ", digest.str(),
                                            ", not the one that the registry tells"));
  }
  std::string declared = response->Header("content-type");
  declared.resize(std::min(declared.find(';'), declared.size()));
  auto type = DocumentType(content, declared);
  if (!type.ok()) return type.status();
  return Document{.content = std::move(content), .media_type = *type, .digest = digest};
}

absl::StatusOr<std::string> RegistryClient::FetchSmallBlob(const Descriptor& descriptor,
                                                           uint64_t max_size) {
  if (descriptor.size > max_size) {
    return absl::ResourceExhaustedError(
        absl::StrCat("blob ", descriptor.digest.str(), " is over ", max_size, " bytes"));
  }
  std::string content;
  auto status = FetchBlob(descriptor, [&](std::string_view bytes) {
    content += bytes;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return content;
}

absl::Status RegistryClient::FetchBlob(const Descriptor& descriptor, const ByteSink& sink) {
  BlobVerifier verifier(descriptor, sink);
  if (descriptor.size == 0) return verifier.Finish();
  const auto offset = [&] { return verifier.received(); };
  const auto take = [&](std::string_view bytes) { return verifier.Take(bytes); };
  auto response = FromAnyHost({"blobs/" + descriptor.digest.str(), "", offset, take}, MayPull);
  if (!response.ok()) return response.status();
  return verifier.Finish();
}

absl::StatusOr<HttpResponse> RegistryClient::FromAnyHost(const Wanted& wanted,
                                                         bool (*may_serve)(const RegistryHost&)) {
  absl::Status last = absl::FailedPreconditionError("no host of hosts.toml has the capability");
  std::vector<std::string> failures;
  for (const RegistryHost& host : hosts_) {
    if (!may_serve(host)) continue;
    absl::Status sink_status;
    Wanted watched = wanted;
    watched.sink = [&](std::string_view bytes) { return sink_status = wanted.sink(bytes); };
    const bool last_host = &host == &hosts_.back();
    auto response = FromHost(host, watched, last_host ? kMaxAttempts : kMaxMirrorAttempts);
    if (response.ok()) return response;
    if (!sink_status.ok()) return sink_status;
    if (auto status = CheckLimits(limits_); !status.ok()) return status;
    last = response.status();
    failures.push_back(absl::StrCat(host.Origin(), ": ", last.message()));
  }
  if (failures.size() < 2) return last;
  return absl::Status(last.code(), absl::StrJoin(failures, "; "));
}

absl::StatusOr<HttpResponse> RegistryClient::FromHost(const RegistryHost& host,
                                                      const Wanted& wanted, int attempts) {
  HttpResponse response;
  for (int attempt = 1; attempt <= attempts; ++attempt) {
    response = Attempt(host, wanted);
    if (!IsTransient(response) || attempt == attempts) break;
    auto status = WaitWithin(WaitBefore(attempt, response), limits_);
    if (!status.ok()) return status;
  }
  if (auto status = StatusOf(response); !status.ok()) return status;
  return response;
}

// One request, repeated once if the registry asks for authorisation.
HttpResponse RegistryClient::Attempt(const RegistryHost& host, const Wanted& wanted) {
  std::unique_ptr<HttpClient> client = Borrow();
  HttpResponse response;
  for (int i = 0; i < 2; ++i) {
    HttpRequest request{.url = absl::StrCat(host.BaseUrl(), "/", reference_.path, "/", wanted.path),
                        .offset = wanted.offset()};
    if (host.is_mirror) absl::StrAppend(&request.url, "?ns=", UrlEncode(reference_.domain));
    if (!wanted.accept.empty()) request.headers.push_back(wanted.accept);
    const std::string authorization = auth_.HeaderFor(host);
    if (!authorization.empty()) request.headers.push_back("Authorization: " + authorization);
    response = client->Send(request, host, limits_, wanted.sink);
    if (response.error.ok()) response.error = CheckRange(response, request.offset);
    if (!response.error.ok() || response.status != 401 || i == 1) break;
    // Whom the registry redirects to has no say in where its credentials go.
    if (response.from_elsewhere) break;
    response.error = auth_.Answer(host, response, authorization, *client, limits_);
    response.transient = absl::IsUnavailable(response.error);
    if (!response.error.ok()) break;
  }
  GiveBack(std::move(client));
  return response;
}

std::unique_ptr<HttpClient> RegistryClient::Borrow() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<HttpClient>();
  std::unique_ptr<HttpClient> client = std::move(idle_.back());
  idle_.pop_back();
  return client;
}

void RegistryClient::GiveBack(std::unique_ptr<HttpClient> client) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(client));
}

}  // namespace bulkhead::image
