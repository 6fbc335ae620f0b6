#include "shim/network/bandwidth.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::network {
namespace {

constexpr double kLowest = 1e3;
constexpr double kHighest = 1e15;
// A token bucket below some segments of 64 KiB throttles far below its rate; the plugin refuses
// more than 4 GiB, and the kubelet's world has always used the largest int32 at most.
constexpr uint64_t kLowestBurst = 4 * 64 * 1024 * 8;
constexpr uint64_t kHighestBurst = std::numeric_limits<int32_t>::max();

// Suffixes of a Kubernetes quantity that reach into the range, with their factors.
constexpr std::array<std::pair<std::string_view, double>, 12> kSuffixes = {{
    {"", 1},
    {"k", 1e3},
    {"M", 1e6},
    {"G", 1e9},
    {"T", 1e12},
    {"P", 1e15},
    {"m", 1e-3},
    {"Ki", 0x1p10},
    {"Mi", 0x1p20},
    {"Gi", 0x1p30},
    {"Ti", 0x1p40},
    {"Pi", 0x1p50},
}};

// Not a number for what is no quantity.
double ParseQuantity(const std::string& text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view suffix = std::string_view(text).substr(digits);
  const auto* found = std::find_if(kSuffixes.begin(), kSuffixes.end(),
                                   [&](const auto& entry) { return entry.first == suffix; });
  double number = 0;
  if (found == kSuffixes.end() || !absl::SimpleAtod(text.substr(0, digits), &number)) {
    return std::nan("");
  }
  return number * found->second;
}

// 0 when the annotation is not there.
absl::StatusOr<uint64_t> ReadRate(const std::map<std::string, std::string>& annotations,
                                  const std::string& name) {
  const auto annotation = annotations.find(name);
  if (annotation == annotations.end()) return 0;
  const double rate = ParseQuantity(annotation->second);
  if (rate >= kLowest && rate <= kHighest) return static_cast<uint64_t>(rate);
  return absl::InvalidArgumentError(
      absl::StrCat("annotation ", name, ": \"", annotation->second,
                   "\" is not a quantity of bits per second from 1k to 1P"));
}

uint64_t BurstOf(uint64_t rate) {
  return rate == 0 ? 0 : std::clamp(rate / 10, kLowestBurst, kHighestBurst);
}

}  // namespace

absl::StatusOr<std::optional<Bandwidth>> ReadBandwidth(
    const std::map<std::string, std::string>& annotations) {
  const absl::StatusOr<uint64_t> ingress = ReadRate(annotations, "kubernetes.io/ingress-bandwidth");
  if (!ingress.ok()) return ingress.status();
  const absl::StatusOr<uint64_t> egress = ReadRate(annotations, "kubernetes.io/egress-bandwidth");
  if (!egress.ok()) return egress.status();
  if (*ingress == 0 && *egress == 0) return std::nullopt;
  return Bandwidth{.ingress_rate = *ingress,
                   .ingress_burst = BurstOf(*ingress),
                   .egress_rate = *egress,
                   .egress_burst = BurstOf(*egress)};
}

}  // namespace bulkhead::network
