#include "shim/image/registry_auth.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "runtime/kernel/status.h"

namespace bulkhead::image {
namespace {

constexpr size_t kMaxTokenAnswer = 1 << 20;
constexpr char kClientId[] = "bulkhead";

// Cuts the header's grammar into pieces; position moves over what was read.
class HeaderScanner {
 public:
  explicit HeaderScanner(const std::string& text) : text_(text) {}

  bool AtEnd() {
    Skip(" \t,");
    return position_ >= text_.size();
  }
  std::string Token() {
    const size_t start = position_;
    while (position_ < text_.size() && IsTokenChar(text_[position_])) ++position_;
    return text_.substr(start, position_ - start);
  }
  bool Take(char c) {
    Skip(" \t");
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    Skip(" \t");
    return true;
  }
  std::string Value() {
    if (!Take('"')) return Token();
    std::string value;
    while (position_ < text_.size() && text_[position_] != '"') {
      if (text_[position_] == '\\' && position_ + 1 < text_.size()) ++position_;
      value += text_[position_++];
    }
    ++position_;
    return value;
  }
  void SkipOne() { ++position_; }

 private:
  static bool IsTokenChar(char c) {
    return absl::ascii_isgraph(c) && c != ',' && c != '=' && c != '"';
  }
  void Skip(std::string_view what) {
    position_ = std::min(text_.find_first_not_of(what, position_), text_.size());
  }
  const std::string& text_;
  size_t position_ = 0;
};

// The host of a "server address", which docker's configuration writes in many ways.
std::string HostOf(std::string address) {
  if (const size_t scheme = address.find("://"); scheme != std::string::npos) {
    address.erase(0, scheme + 3);
  }
  address = address.substr(0, address.find('/'));
  absl::AsciiStrToLower(&address);
  const bool hub = address == "index.docker.io" || address == "registry-1.docker.io";
  return hub ? "docker.io" : address;
}

bool IsHttps(const std::string& url) { return absl::StartsWithIgnoreCase(url, "https://"); }

// A token server is told credentials: only over TLS, unless the registry itself is plain HTTP.
absl::StatusOr<RegistryHost> TokenServer(const std::string& realm, const RegistryHost& registry) {
  RegistryHost server = registry;
  const size_t start = realm.find("://");
  const bool http = absl::StartsWithIgnoreCase(realm, "http://");
  if (start == std::string::npos || (!http && !IsHttps(realm))) {
    return absl::UnauthenticatedError("the registry's token server is not an http or https URL");
  }
  if (http && registry.scheme != "http") {
    return absl::UnauthenticatedError("the registry's token server does not use https");
  }
  server.scheme = http ? "http" : "https";
  server.authority = realm.substr(start + 3, realm.find_first_of("/?", start + 3) - start - 3);
  if (server.authority != registry.authority) server.headers.clear();
  return server;
}

absl::StatusOr<std::string> TokenOf(const std::string& answer) {
  const auto json = nlohmann::json::parse(answer, nullptr, /*allow_exceptions=*/false);
  for (const char* key : {"token", "access_token"}) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_string()) continue;
    const std::string token = json[key].get<std::string>();
    if (!token.empty() && token.find_first_of("\r\n") == std::string::npos) return token;
  }
  return absl::UnauthenticatedError("the token server's answer has no token");
}

std::string BasicHeader(const UserPassword& login) {
  return absl::StrCat("Basic ", absl::Base64Escape(login.user + ":" + login.password));
}

const AuthChallenge* Find(const std::vector<AuthChallenge>& challenges, const char* scheme) {
  const auto found = std::find_if(challenges.begin(), challenges.end(),
                                  [&](const auto& one) { return one.scheme == scheme; });
  return found == challenges.end() ? nullptr : &*found;
}

}  // namespace

std::vector<AuthChallenge> ParseChallenges(const std::string& header) {
  std::vector<AuthChallenge> challenges;
  HeaderScanner scanner(header);
  while (!scanner.AtEnd()) {
    std::string name = scanner.Token();
    absl::AsciiStrToLower(&name);
    if (name.empty()) {
      scanner.SkipOne();
    } else if (scanner.Take('=')) {
      const std::string value = scanner.Value();
      if (!challenges.empty()) challenges.back().values[name] = value;
    } else {
      challenges.push_back({.scheme = name});
    }
  }
  return challenges;
}

absl::StatusOr<UserPassword> UserPasswordOf(const Auth& auth) {
  if (!auth.username.empty() || auth.auth.empty())
    return UserPassword{auth.username, auth.password};
  std::string decoded;
  const bool valid = absl::Base64Unescape(auth.auth, &decoded);
  const size_t colon = decoded.find(':');
  if (!valid || colon == std::string::npos) {
    return absl::InvalidArgumentError("auth.auth: not base64 of \"user:password\"");
  }
  std::string password = decoded.substr(colon + 1);
  // Old docker clients padded the value with NUL bytes.
  password.erase(password.find_last_not_of('\0') + 1);
  return UserPassword{decoded.substr(0, colon), password};
}

bool MaySendTo(const RegistryHost& host, const Reference& reference, const Auth& auth) {
  const std::string target = HostOf(host.authority);
  if (!auth.server_address.empty()) return HostOf(auth.server_address) == target;
  return !host.is_mirror || target == HostOf(reference.domain);
}

std::string RegistryAuth::HeaderFor(const RegistryHost& host) const {
  const std::lock_guard lock(mutex_);
  const auto found = headers_.find(host.Origin());
  return found == headers_.end() ? "" : found->second;
}

absl::Status RegistryAuth::Answer(const RegistryHost& host, const HttpResponse& response,
                                  const std::string& used, HttpClient& client,
                                  const CallLimits& limits) {
  // Another thread may have answered meanwhile.
  if (const std::string now = HeaderFor(host); now != used) return absl::OkStatus();
  auto header = Respond(host, response, client, limits);
  if (!header.ok()) return header.status();
  if (*header == used) return absl::UnauthenticatedError("the registry refuses the credentials");
  const std::lock_guard lock(mutex_);
  headers_[host.Origin()] = *std::move(header);
  return absl::OkStatus();
}

absl::StatusOr<std::string> RegistryAuth::Respond(const RegistryHost& host,
                                                  const HttpResponse& response, HttpClient& client,
                                                  const CallLimits& limits) const {
  std::vector<AuthChallenge> challenges;
  const auto [first, last] = response.headers.equal_range("www-authenticate");
  for (auto it = first; it != last; ++it) {
    for (AuthChallenge& one : ParseChallenges(it->second)) challenges.push_back(std::move(one));
  }
  const bool may_send = MaySendTo(host, reference_, auth_);
  if (const AuthChallenge* bearer = Find(challenges, "bearer")) {
    if (may_send && !auth_.registry_token.empty()) return "Bearer " + auth_.registry_token;
    auto token = FetchToken(host, *bearer, client, limits);
    if (!token.ok()) return token.status();
    return "Bearer " + *token;
  }
  auto login = UserPasswordOf(auth_);
  if (!login.ok()) return login.status();
  if (Find(challenges, "basic") == nullptr || !may_send || login->user.empty()) {
    return absl::UnauthenticatedError("the registry asks for credentials");
  }
  return BasicHeader(*login);
}

HttpRequest RegistryAuth::TokenRequest(const AuthChallenge& challenge, const UserPassword& login,
                                       bool may_send) const {
  const auto value = [&](const char* name) {
    const auto found = challenge.values.find(name);
    return found == challenge.values.end() ? "" : found->second;
  };
  const std::string scope = value("scope").empty()
                                ? absl::StrCat("repository:", reference_.path, ":pull")
                                : value("scope");
  const std::string form =
      absl::StrCat("service=", UrlEncode(value("service")), "&scope=", UrlEncode(scope));
  HttpRequest request{.url = value("realm")};
  if (may_send && !auth_.identity_token.empty()) {
    request.method = "POST";
    request.body = absl::StrCat("grant_type=refresh_token&client_id=", kClientId, "&", form,
                                "&refresh_token=", UrlEncode(auth_.identity_token));
    return request;
  }
  absl::StrAppend(&request.url, request.url.find('?') == std::string::npos ? "?" : "&", form);
  if (may_send && !login.user.empty()) {
    request.headers.push_back("Authorization: " + BasicHeader(login));
  }
  return request;
}

absl::StatusOr<std::string> RegistryAuth::FetchToken(const RegistryHost& host,
                                                     const AuthChallenge& challenge,
                                                     HttpClient& client,
                                                     const CallLimits& limits) const {
  const auto login = UserPasswordOf(auth_);
  if (!login.ok()) return login.status();
  const HttpRequest request = TokenRequest(challenge, *login, MaySendTo(host, reference_, auth_));
  const auto server = TokenServer(request.url, host);
  if (!server.ok()) return server.status();
  std::string answer;
  const HttpResponse response =
      client.Send(request, *server, limits, [&](std::string_view bytes) -> absl::Status {
        answer += bytes;
        if (answer.size() <= kMaxTokenAnswer) return absl::OkStatus();
        return absl::UnauthenticatedError("the token server's answer is over 1 MiB");
      });
  if (!response.error.ok()) return Annotate(response.error, "token server");
  if (response.status == 200) return TokenOf(answer);
  const std::string text = absl::StrCat("the token server answers HTTP ", response.status);
  if (response.status >= 500 || response.status == 429) return absl::UnavailableError(text);
  return absl::UnauthenticatedError(text);
}

}  // namespace bulkhead::image
