#include "shim/network/cni_result.h"

#include <arpa/inet.h>

#include <array>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bulkhead::network {
namespace {

using nlohmann::json;

// Null when it is not there or `object` is none.
json At(const json& object, const char* key) {
  const auto value = object.find(key);
  return value == object.end() ? json() : *value;
}

std::string StringAt(const json& object, const char* key) {
  const json value = At(object, key);
  return value.is_string() ? value.get<std::string>() : "";
}

std::vector<std::string> StringsAt(const json& object, const char* key) {
  std::vector<std::string> strings;
  for (const json& value : At(object, key)) {
    if (value.is_string()) strings.push_back(value);
  }
  return strings;
}

bool IsPodInterface(const json& interface, const std::string& name) {
  return StringAt(interface, "name") == name && !StringAt(interface, "sandbox").empty();
}

// Whether an entry of "ips" is the pod's: "interface" is an index into "interfaces".
bool IsPodAddress(const json& ip, const json& interfaces, const std::string& name) {
  const json index = At(ip, "interface");
  if (!index.is_number_integer()) return true;
  const auto number = index.get<int64_t>();
  return number >= 0 && static_cast<size_t>(number) < interfaces.size() &&
         IsPodInterface(interfaces[static_cast<size_t>(number)], name);
}

// "10.1.2.3/24" without the prefix length; empty when it is no address.
std::string AddressOf(const json& ip) {
  std::string address = StringAt(ip, "address");
  address = address.substr(0, address.find('/'));
  std::array<char, sizeof(in6_addr)> parsed;
  const bool valid = inet_pton(AF_INET, address.c_str(), parsed.data()) == 1 ||
                     inet_pton(AF_INET6, address.c_str(), parsed.data()) == 1;
  return valid ? address : "";
}

DnsConfig ReadDns(const json& dns) {
  if (!dns.is_object()) return {};
  return {.nameservers = StringsAt(dns, "nameservers"),
          .domain = StringAt(dns, "domain"),
          .searches = StringsAt(dns, "search"),
          .options = StringsAt(dns, "options")};
}

}  // namespace

absl::StatusOr<PodNetworkResult> ReadCniResult(const json& result, const std::string& interface) {
  if (!result.is_object()) {
    return absl::InternalError("the CNI plugins' result is not a JSON object");
  }
  PodNetworkResult network;
  const json interfaces = At(result, "interfaces");
  if (!interfaces.is_null() && !interfaces.is_array()) {
    return absl::InternalError("the CNI plugins' result has \"interfaces\" that are no array");
  }
  for (const json& entry : interfaces) {
    if (!entry.is_object() || !IsPodInterface(entry, interface)) continue;
    const std::string mac = StringAt(entry, "mac");
    if (!mac.empty()) network.macs.push_back(mac);
  }
  for (const json& ip : At(result, "ips")) {
    if (!ip.is_object() || !IsPodAddress(ip, interfaces, interface)) continue;
    const std::string address = AddressOf(ip);
    if (address.empty()) {
      return absl::InternalError(absl::StrCat("the CNI plugins' result has the address \"",
                                              StringAt(ip, "address"),
                                              "\", which is none of IPv4 or IPv6"));
    }
    network.ips.push_back(address);
  }
  if (network.ips.empty()) {
    return absl::InternalError(
        absl::StrCat("the CNI plugins' result has no address for ", interface));
  }
  network.dns = ReadDns(At(result, "dns"));
  network.result = result.dump();
  return network;
}

}  // namespace bulkhead::network
