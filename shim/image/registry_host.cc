#include "shim/image/registry_host.h"

#include <arpa/inet.h>
#include <errno.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead::image {
namespace {

constexpr uintmax_t kMaxFileSize = 1 << 20;

// Reads the keys of one table of a hosts.toml; errors name the file and the line.
class HostTable {
 public:
  HostTable(const toml::table& table, const std::string& file) : table_(table), file_(file) {}

  absl::Status Fill(RegistryHost& host, bool& override_path) {
    for (const auto& [key, node] : table_) {
      if (auto status = Set(std::string(key.str()), node, host, override_path); !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Set(const std::string& key, const toml::node& node, RegistryHost& host,
                   bool& override_path) {
    if (key == "server" || key == "host") return absl::OkStatus();
    if (key == "capabilities") return Capabilities(node, host);
    if (key == "skip_verify") return Bool(key, node, host.skip_verify);
    if (key == "override_path") return Bool(key, node, override_path);
    if (key == "ca") return Files(key, node, host.ca_files);
    if (key == "client") return Client(node, host);
    if (key == "header") return Headers(node, host);
    return Wrong(node, absl::StrCat("unknown key \"", key, "\""));
  }

  absl::Status Wrong(const toml::node& node, const std::string& why) const {
    return absl::InvalidArgumentError(
        absl::StrCat(file_, ":", node.source().begin.line, ": ", why));
  }

  absl::Status Bool(const std::string& key, const toml::node& node, bool& value) const {
    const auto found = node.value_exact<bool>();
    if (!found) return Wrong(node, absl::StrCat(key, " must be true or false"));
    value = *found;
    return absl::OkStatus();
  }

  // A string, or an array of strings.
  std::optional<std::vector<std::string>> Strings(const toml::node& node) const {
    std::vector<std::string> values;
    if (const auto one = node.value_exact<std::string>()) return std::vector{*one};
    if (!node.is_array()) return std::nullopt;
    for (const toml::node& element : *node.as_array()) {
      const auto value = element.value_exact<std::string>();
      if (!value) return std::nullopt;
      values.push_back(*value);
    }
    return values;
  }

  absl::Status Capabilities(const toml::node& node, RegistryHost& host) const {
    const auto names = Strings(node);
    if (!names) return Wrong(node, "capabilities must be an array of strings");
    host.pull = host.resolve = false;
    for (const std::string& name : *names) {
      if (name == "pull") {
        host.pull = true;
      } else if (name == "resolve") {
        host.resolve = true;
      } else if (name != "push") {
        return Wrong(node, absl::StrCat("unknown capability \"", name, "\""));
      }
    }
    return absl::OkStatus();
  }

  std::string Path(const std::string& path) const {
    return std::filesystem::path(file_).parent_path() / path;  // an absolute path stays as it is
  }

  absl::Status Files(const std::string& key, const toml::node& node,
                     std::vector<std::string>& files) const {
    const auto names = Strings(node);
    if (!names) return Wrong(node, absl::StrCat(key, " must be a file name or an array of them"));
    for (const std::string& name : *names) files.push_back(Path(name));
    return absl::OkStatus();
  }

  // "both.pem", ["both.pem"] or [["cert.pem", "key.pem"]].
  absl::Status Client(const toml::node& node, RegistryHost& host) const {
    std::optional<std::vector<std::string>> pair;
    const toml::array* array = node.as_array();
    if (array == nullptr) {
      pair = Strings(node);
    } else if (array->size() == 1) {
      pair = Strings(array->front());
    }
    if (!pair || pair->empty() || pair->size() > 2) {
      return Wrong(node, "client must be one certificate file, or one pair [[\"cert\", \"key\"]]");
    }
    host.client_certificate = Path(pair->front());
    host.client_key = Path(pair->back());
    return absl::OkStatus();
  }

  absl::Status Headers(const toml::node& node, RegistryHost& host) const {
    if (!node.is_table()) return Wrong(node, "header must be a table");
    for (const auto& [key, value] : *node.as_table()) {
      const auto values = Strings(value);
      const std::string name(key.str());
      if (!values) return Wrong(value, absl::StrCat("header ", name, " must be a string"));
      for (const std::string& text : *values) {
        if ((name + text).find_first_of("\r\n") != std::string::npos) {
          return Wrong(value, absl::StrCat("header ", name, " has a line break"));
        }
        host.headers.push_back(absl::StrCat(name, ": ", text));
      }
    }
    return absl::OkStatus();
  }

  const toml::table& table_;
  const std::string& file_;
};

// Splits "https://host:port/path"; no scheme means HTTPS.
bool SetUrl(std::string url, RegistryHost& host) {
  const size_t end = url.find("://");
  host.scheme = end == std::string::npos ? "https" : url.substr(0, end);
  if (end != std::string::npos) url.erase(0, end + 3);
  const size_t slash = url.find('/');
  host.authority = url.substr(0, slash);
  host.path = slash == std::string::npos ? "" : url.substr(slash);
  while (host.path.ends_with('/')) host.path.pop_back();
  return (host.scheme == "https" || host.scheme == "http") && !host.authority.empty() &&
         host.authority.find_first_of("@?# ") == std::string::npos &&
         host.path.find_first_of("?# ") == std::string::npos;
}

absl::StatusOr<RegistryHost> ParseHost(const std::string& url, const toml::table& table,
                                       const std::string& file) {
  RegistryHost host;
  bool override_path = false;
  if (auto status = HostTable(table, file).Fill(host, override_path); !status.ok()) return status;
  if (!SetUrl(url, host)) {
    return absl::InvalidArgumentError(absl::StrCat(file, ":", table.source().begin.line, ": \"",
                                                   url, "\" is not an http or https URL"));
  }
  if (!override_path && !host.path.ends_with("/v2")) host.path += "/v2";
  return host;
}

std::string ServerOf(const std::string& domain) {
  return domain == "docker.io" ? "registry-1.docker.io" : domain;
}

std::vector<RegistryHost> DefaultHosts(const std::string& domain) {
  std::vector<RegistryHost> hosts;
  RegistryHost host{.scheme = "https", .authority = ServerOf(domain), .path = "/v2"};
  hosts.push_back(host);
  if (IsLoopback(domain)) {
    host.scheme = "http";
    hosts.push_back(host);
  }
  return hosts;
}

absl::StatusOr<std::vector<RegistryHost>> Mirrors(const toml::table& root,
                                                  const std::string& file) {
  std::vector<RegistryHost> mirrors;
  const toml::node* node = root.get("host");
  if (node == nullptr) return mirrors;
  if (!node->is_table()) return absl::InvalidArgumentError(absl::StrCat(file, ": host: no table"));
  // A parsed table is sorted by key; the order of preference is that of the file.
  std::vector<std::pair<std::string, const toml::table*>> tables;
  for (const auto& [key, value] : *node->as_table()) {
    if (!value.is_table()) {
      return absl::InvalidArgumentError(absl::StrCat(file, ":", value.source().begin.line,
                                                     ": host.", std::string(key.str()),
                                                     " is not a table"));
    }
    tables.emplace_back(key.str(), value.as_table());
  }
  std::sort(tables.begin(), tables.end(), [](const auto& a, const auto& b) {
    return a.second->source().begin < b.second->source().begin;
  });
  for (const auto& [url, table] : tables) {
    auto host = ParseHost(url, *table, file);
    if (!host.ok()) return host.status();
    host->is_mirror = true;
    mirrors.push_back(*std::move(host));
  }
  return mirrors;
}

absl::StatusOr<std::string> ReadSmallFile(const std::string& file) {
  std::error_code error;
  if (std::filesystem::file_size(file, error) > kMaxFileSize && !error) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": over 1 MiB"));
  }
  std::ifstream stream(file, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  if (!stream.good()) return ErrnoStatus(errno != 0 ? errno : EIO, "read " + file);
  return text.str();
}

// The hosts.toml for `domain`, empty if there is none. containerd also takes "host_port_" for a
// directory name, for file systems that have no colons.
std::string HostsFile(const std::string& domain, const std::string& certs_dir) {
  std::vector<std::string> names = {domain};
  if (const size_t colon = domain.rfind(':'); colon != std::string::npos) {
    names.push_back(absl::StrCat(domain.substr(0, colon), "_", domain.substr(colon + 1), "_"));
  }
  names.push_back("_default");
  for (const std::string& name : names) {
    const std::string file = absl::StrCat(certs_dir, "/", name, "/hosts.toml");
    std::error_code error;
    if (std::filesystem::exists(file, error)) return file;
  }
  return "";
}

}  // namespace

bool IsLoopback(const std::string& authority) {
  std::string host = authority;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else {
    host = host.substr(0, host.rfind(':'));
  }
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

absl::StatusOr<std::vector<RegistryHost>> ParseHostsToml(const std::string& text,
                                                         const std::string& file,
                                                         const std::string& domain) {
  const toml::parse_result parsed = toml::parse(text, file);
  if (parsed.failed()) {
    return absl::InvalidArgumentError(absl::StrCat(file, ":", parsed.error().source().begin.line,
                                                   ": ",
                                                   std::string(parsed.error().description())));
  }
  const toml::table& root = parsed.table();
  auto hosts = Mirrors(root, file);
  if (!hosts.ok()) return hosts;
  const std::string server = root["server"].value_or(std::string());
  if (server.empty() && root.contains("server")) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": server must be a URL"));
  }
  if (server.empty() && root.size() == root.contains("host")) {
    for (RegistryHost& host : DefaultHosts(domain)) hosts->push_back(std::move(host));
    return hosts;
  }
  auto last = ParseHost(server.empty() ? ServerOf(domain) : server, root, file);
  if (!last.ok()) return last.status();
  last->is_mirror = last->authority != ServerOf(domain);
  hosts->push_back(*std::move(last));
  return hosts;
}

absl::StatusOr<std::vector<RegistryHost>> RegistryHostsOf(const std::string& domain,
                                                          const std::string& certs_dir) {
  const std::string file = certs_dir.empty() ? "" : HostsFile(domain, certs_dir);
  if (file.empty()) return DefaultHosts(domain);
  auto text = ReadSmallFile(file);
  if (!text.ok()) return text.status();
  return ParseHostsToml(*text, file, domain);
}

}  // namespace bulkhead::image
