#ifndef BULKHEAD_SHIM_IMAGE_REGISTRY_AUTH_H_
#define BULKHEAD_SHIM_IMAGE_REGISTRY_AUTH_H_

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shim/image/http.h"
#include "shim/image/image.h"
#include "shim/image/reference.h"
#include "shim/image/registry_host.h"

namespace bulkhead::image {

// A challenge of a WWW-Authenticate header (RFC 9110, 11.6.1).
struct AuthChallenge {
  std::string scheme;                         // lower case: "bearer", "basic"
  std::map<std::string, std::string> values;  // names in lower case
};

// The challenges of one header value; malformed ones are left out.
std::vector<AuthChallenge> ParseChallenges(const std::string& header);

// A user name and a password, from the two fields or from `auth`; empty strings for none.
// INVALID_ARGUMENT if `auth` is not base64 of "user:password" (its value is not in the message).
struct UserPassword {
  std::string user;
  std::string password;
};
absl::StatusOr<UserPassword> UserPasswordOf(const Auth& auth);

// Whether the caller's credentials may be sent to `host`: to the registry that the reference
// names and to the server that they were made out for, never to other mirrors.
bool MaySendTo(const RegistryHost& host, const Reference& reference, const Auth& auth);

// Answers a registry's challenges, and remembers the answer for each host. Thread-safe.
class RegistryAuth {
 public:
  RegistryAuth(Reference reference, Auth auth)
      : reference_(std::move(reference)), auth_(std::move(auth)) {}

  // The Authorization header's value to send to `host` now, empty for none.
  std::string HeaderFor(const RegistryHost& host) const;

  // After a 401 to a request that was sent with `used`: finds a better value, by asking the token
  // server where the challenge says so (distribution's token specification; OAuth2 for identity
  // tokens). UNAUTHENTICATED when there is none.
  absl::Status Answer(const RegistryHost& host, const HttpResponse& response,
                      const std::string& used, HttpClient& client, const CallLimits& limits);

 private:
  absl::StatusOr<std::string> Respond(const RegistryHost& host, const HttpResponse& response,
                                      HttpClient& client, const CallLimits& limits) const;
  absl::StatusOr<std::string> FetchToken(const RegistryHost& host, const AuthChallenge& challenge,
                                         HttpClient& client, const CallLimits& limits) const;
  HttpRequest TokenRequest(const AuthChallenge& challenge, const UserPassword& login,
                           bool may_send) const;

  const Reference reference_;
  const Auth auth_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> headers_;  // by origin
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_REGISTRY_AUTH_H_
