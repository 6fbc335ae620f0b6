#include "runtime/isolation/mount_comparison.h"

#include <linux/capability.h>
#include <sys/mount.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "runtime/kernel/path.h"

namespace bulkhead::isolation {
namespace {

constexpr char kCgroup[] = "/sys/fs/cgroup";

std::vector<std::string> OptionsOf(uint64_t attributes) {
  static constexpr std::pair<uint64_t, const char*> kNames[] = {{MOUNT_ATTR_RDONLY, "ro"},
                                                                {MOUNT_ATTR_NOSUID, "nosuid"},
                                                                {MOUNT_ATTR_NODEV, "nodev"},
                                                                {MOUNT_ATTR_NOEXEC, "noexec"}};
  std::vector<std::string> options;
  for (const auto& [bit, name] : kNames) {
    if ((attributes & bit) != 0) options.emplace_back(name);
  }
  return options;
}

// What a mount has to be; an empty type is any.
struct Expected {
  std::string type;
  std::vector<std::string> options;
  plan::Mount::Propagation propagation = plan::Mount::PRIVATE;
};

Expected ExpectedOf(const plan::Mount& mount) {
  Expected expected{.options = OptionsOf(mount.attributes()), .propagation = mount.propagation()};
  if (mount.has_filesystem()) expected.type = mount.filesystem().type();
  if (mount.has_image()) expected.type = "overlay";
  if (mount.bind().id_mapped()) expected.options.emplace_back("idmapped");
  return expected;
}

std::string Text(const Expected& expected) {
  std::vector<std::string> words = expected.options;
  if (!expected.type.empty()) words.insert(words.begin(), expected.type);
  if (expected.propagation == plan::Mount::SLAVE) words.emplace_back("slave");
  if (expected.propagation == plan::Mount::SHARED) words.emplace_back("shared");
  return words.empty() ? "mounted" : absl::StrJoin(words, ",");
}

std::string Text(const MountReport& mount) {
  std::vector<std::string> words = {mount.type, mount.options};
  if (mount.propagation != "private") words.push_back(mount.propagation);
  return absl::StrJoin(words, ",");
}

bool HasOptions(const MountReport& mount, const std::vector<std::string>& options) {
  const std::vector<std::string> found = absl::StrSplit(mount.options, ',');
  return std::ranges::all_of(options, [&](const std::string& option) {
    return std::ranges::find(found, option) != found.end();
  });
}

// Of a mount that events come from (slave) or go to and come from (shared); less is tighter.
Verdict ComparePropagation(plan::Mount::Propagation planned, const std::string& actual) {
  const bool shared = absl::StrContains(actual, "shared:");
  const bool slave = absl::StrContains(actual, "master:");
  switch (planned) {
    case plan::Mount::SHARED:
      return shared ? Verdict::kAsPlanned : Verdict::kByItself;
    case plan::Mount::SLAVE:
      // Of a source without peers a slave is private.
      return shared ? Verdict::kDiffers : Verdict::kAsPlanned;
    default:
      return shared || slave ? Verdict::kDiffers : Verdict::kAsPlanned;
  }
}

bool IsReadOnly(const MountReport& mount) { return HasOptions(mount, {"ro"}); }

// An empty tmpfs over a directory, the null device over a file.
bool IsMask(const MountReport& mount) {
  return mount.root == "/null" || (mount.type == "tmpfs" && IsReadOnly(mount));
}

class MountComparer {
 public:
  MountComparer(const plan::ContainerPlan& plan, const IsolationReport& actual)
      : plan_(plan), actual_(actual) {
    for (const plan::Mount& mount : plan.root().mounts()) planned_.push_back(&mount);
    for (const plan::Mount& mount : plan.launch().late_mounts().mounts()) {
      planned_.push_back(&mount);
    }
  }

  std::vector<Comparison> Run() && {
    const plan::LateMountsPlan& late = plan_.launch().late_mounts();
    Expected root{.type = "overlay"};
    if (late.read_only_root()) root.options = {"ro"};
    Add("/", root);
    for (const plan::Mount& mount : plan_.root().mounts()) AddPlanned(mount);
    if (late.proc()) Add("/proc", {.type = "proc", .options = {"nosuid", "nodev", "noexec"}});
    if (late.cgroup_size() > 0) AddCgroup(late);
    for (const plan::Mount& mount : late.mounts()) AddPlanned(mount);
    for (const std::string& path : late.masked_paths()) AddCover("masked", path, &IsMask);
    for (const std::string& path : late.read_only_paths()) AddCover("read-only", path, &IsReadOnly);
    for (const std::string& path : plan_.hook_mounts()) AddOfHooks(path);
    AddUnplanned();
    return std::move(result_);
  }

 private:
  // The mount that is at a path, whatever links lead there; null when there is none.
  const MountReport* At(const std::string& path) {
    // Where the process itself was meant when the mount was made.
    constexpr std::string_view kSelf = "/proc/self";
    if (IsAtOrBelow(path, kSelf)) {
      return Known(FindMount(actual_.mounts, absl::StrCat("/proc/", actual_.credentials.own_pid,
                                                          path.substr(kSelf.size()))));
    }
    const auto place = actual_.places.find(path);
    if (place == actual_.places.end() || !place->second.is_mount) return nullptr;
    for (const MountReport& mount : actual_.mounts) {
      if (mount.id == place->second.mount_id) return Known(&mount);
    }
    return nullptr;
  }

  const MountReport* Known(const MountReport* mount) {
    if (mount != nullptr) known_.insert(mount->id);
    return mount;
  }

  // Returns the mount that is there, or null.
  const MountReport* Add(const std::string& destination, const Expected& expected) {
    const std::string path = CleanPath(destination);
    Comparison one{.mechanism = absl::StrCat("mount ", path), .planned = Text(expected)};
    const MountReport* mount = At(path);
    if (mount == nullptr) {
      one.actual = "none";
      one.verdict = Verdict::kDiffers;
    } else {
      one.actual = Text(*mount);
      one.verdict = ComparePropagation(expected.propagation, mount->propagation);
      if (!HasOptions(*mount, expected.options) ||
          (!expected.type.empty() && mount->type != expected.type)) {
        one.verdict = Verdict::kDiffers;
      }
    }
    result_.push_back(std::move(one));
    return mount;
  }

  // One that a later one lies over cannot be seen.
  void AddPlanned(const plan::Mount& mount) {
    if (IsCovered(mount)) return;
    const MountReport* found = Add(mount.destination(), ExpectedOf(mount));
    if (!mount.has_bind() || found == nullptr) return;
    volumes_.push_back(found->destination);
    if (!IsOfAnotherSource(mount, *found)) return;
    Comparison& one = result_.back();
    one.actual += " of another source";
    one.verdict = std::max(one.verdict, MayMount() ? Verdict::kByItself : Verdict::kDiffers);
  }

  bool IsCovered(const plan::Mount& mount) const {
    const std::string path = CleanPath(mount.destination());
    const auto self = std::ranges::find(planned_, &mount);
    return std::any_of(std::next(self), planned_.end(),
                       [&](const plan::Mount* later) {
                         return IsAtOrBelow(path, CleanPath(later->destination()));
                       }) ||
           std::ranges::any_of(plan_.hook_mounts(),
                               [&](const std::string& hooks) { return IsAtOrBelow(path, hooks); });
  }

  // Of a volume that takes mounts from the host the host may mount another over the source.
  bool IsOfAnotherSource(const plan::Mount& mount, const MountReport& found) const {
    const auto place = actual_.places.find(CleanPath(mount.destination()));
    if (place == actual_.places.end() || mount.propagation() != plan::Mount::PRIVATE) return false;
    const Place& actual = place->second;
    if (mount.bind().inode() == 0 || actual.inode == 0 || actual.mount_id != found.id) return false;
    return actual.device != mount.bind().device() || actual.inode != mount.bind().inode();
  }

  bool MayMount() const {
    return (plan_.launch().credentials().bounding() >> CAP_SYS_ADMIN & 1) != 0;
  }

  void AddCgroup(const plan::LateMountsPlan& late) {
    Expected expected{.options = {"nosuid", "nodev", "noexec"}};
    if (late.cgroup_read_only()) expected.options.insert(expected.options.begin(), "ro");
    Add(kCgroup, expected);
    for (const plan::CgroupMount& hierarchy : late.cgroup()) {
      if (hierarchy.directory().empty()) continue;
      expected.type = hierarchy.v1_options().empty() ? "cgroup2" : "cgroup";
      Add(absl::StrCat(kCgroup, "/", hierarchy.directory()), expected);
    }
  }

  // Of several at one path the topmost is seen.
  void AddOfHooks(const std::string& path) {
    Add(path, {});
    for (const MountReport& mount : actual_.mounts) {
      if (mount.destination == path) known_.insert(mount.id);
    }
  }

  // A path that is not there needs no cover.
  void AddCover(const char* kind, const std::string& path,
                bool (*covers)(const MountReport& mount)) {
    Comparison one{.mechanism = absl::StrCat(kind, " ", path), .planned = "covered"};
    const std::string normal = CleanPath(path);
    const MountReport* mount = At(normal);
    if (mount != nullptr) {
      one.actual = Text(*mount);
      one.verdict = covers(*mount) ? Verdict::kAsPlanned : Verdict::kDiffers;
    } else if (actual_.places.contains(normal)) {
      one.actual = "not covered";
      one.verdict = Verdict::kDiffers;
    } else {
      one.actual = "no such path";
    }
    result_.push_back(std::move(one));
  }

  // What came with a volume, or into it since, is the volume's.
  bool IsOfAVolume(const std::string& destination) const {
    return std::ranges::any_of(
        volumes_, [&](const std::string& volume) { return IsAtOrBelow(destination, volume); });
  }

  void AddUnplanned() {
    if (MayMount()) return;
    for (const MountReport& mount : actual_.mounts) {
      const bool console =
          plan_.launch().process().terminal() && mount.destination == "/dev/console";
      if (known_.contains(mount.id) || console || IsOfAVolume(mount.destination)) continue;
      result_.push_back({.mechanism = absl::StrCat("mount ", mount.destination),
                         .planned = "none",
                         .actual = Text(mount),
                         .verdict = Verdict::kDiffers});
    }
  }

  const plan::ContainerPlan& plan_;
  const IsolationReport& actual_;
  std::vector<const plan::Mount*> planned_;  // In the order in which they are made.
  std::set<uint64_t> known_;                 // The ids of planned mounts.
  std::vector<std::string> volumes_;         // Where bind mounts are, whatever links lead there.
  std::vector<Comparison> result_;
};

}  // namespace

std::vector<std::string> MountPaths(const plan::ContainerPlan& plan) {
  const plan::LateMountsPlan& late = plan.launch().late_mounts();
  std::vector<std::string> paths = {"/", "/proc", kCgroup};
  for (const plan::Mount& mount : plan.root().mounts()) paths.push_back(mount.destination());
  for (const plan::CgroupMount& hierarchy : late.cgroup()) {
    paths.push_back(absl::StrCat(kCgroup, "/", hierarchy.directory()));
  }
  for (const plan::Mount& mount : late.mounts()) paths.push_back(mount.destination());
  paths.insert(paths.end(), late.masked_paths().begin(), late.masked_paths().end());
  paths.insert(paths.end(), late.read_only_paths().begin(), late.read_only_paths().end());
  paths.insert(paths.end(), plan.hook_mounts().begin(), plan.hook_mounts().end());
  for (std::string& path : paths) path = CleanPath(path);
  return paths;
}

std::set<std::string> VolumePaths(const plan::ContainerPlan& plan) {
  std::set<std::string> paths;
  const auto add = [&](const auto& mounts) {
    for (const plan::Mount& mount : mounts) {
      if (mount.bind().inode() != 0) paths.insert(CleanPath(mount.destination()));
    }
  };
  add(plan.root().mounts());
  add(plan.launch().late_mounts().mounts());
  return paths;
}

std::vector<Comparison> CompareMounts(const plan::ContainerPlan& plan,
                                      const IsolationReport& actual) {
  return MountComparer(plan, actual).Run();
}

}  // namespace bulkhead::isolation
