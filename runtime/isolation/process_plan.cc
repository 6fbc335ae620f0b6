#include "runtime/isolation/process_plan.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/plan_root.h"

namespace bulkhead::isolation {
namespace {

constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr uint32_t kUmask = 022;

// An environment in which a later value takes the place of an earlier one.
class Environment {
 public:
  void Set(const std::string& name, const std::string& value) {
    const auto [it, added] = index_.try_emplace(name, variables_.size());
    if (added) {
      variables_.emplace_back(name, value);
    } else {
      variables_[it->second].second = value;
    }
  }
  void SetDefault(const std::string& name, const std::string& value) {
    if (!index_.contains(name)) Set(name, value);
  }
  const std::vector<std::pair<std::string, std::string>>& variables() const { return variables_; }

 private:
  std::vector<std::pair<std::string, std::string>> variables_;
  std::map<std::string, size_t> index_;
};

bool HasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

// Errors name the position only: names and values may be secret.
absl::Status CheckEnv(const spec::ContainerSpec& spec) {
  for (size_t i = 0; i < spec.env.size(); ++i) {
    const auto& [name, value] = spec.env[i];
    if (name.empty() || name.find('=') != std::string::npos || HasNul(name) || HasNul(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("envs[", i, "]: an empty name, or one with '=', or a NUL"));
    }
  }
  return absl::OkStatus();
}

Environment MakeEnvironment(const spec::ContainerSpec& spec, const spec::PodSpec& pod,
                            const spec::ImageConfig& image, const ResolvedUser& user,
                            bool terminal) {
  Environment environment;
  for (const std::string& variable : image.env) {
    const size_t equals = variable.find('=');
    if (equals == 0 || equals == std::string::npos || HasNul(variable)) continue;
    environment.Set(variable.substr(0, equals), variable.substr(equals + 1));
  }
  for (const auto& [name, value] : spec.env) environment.Set(name, value);
  environment.SetDefault("PATH", kDefaultPath);
  if (!pod.hostname.empty()) environment.SetDefault("HOSTNAME", pod.hostname);
  environment.SetDefault("HOME", user.home);
  if (terminal) environment.SetDefault("TERM", "xterm");
  return environment;
}

}  // namespace

std::vector<std::string> ContainerArgs(const spec::ContainerSpec& spec,
                                       const spec::ImageConfig& image) {
  std::vector<std::string> args = spec.command.empty() ? image.entrypoint : spec.command;
  const bool image_cmd = spec.args.empty() && spec.command.empty();
  const std::vector<std::string>& rest = image_cmd ? image.cmd : spec.args;
  args.insert(args.end(), rest.begin(), rest.end());
  return args;
}

absl::StatusOr<plan::Process> PlanProcess(const spec::ContainerSpec& spec, const spec::PodSpec& pod,
                                          const spec::ImageConfig& image, const ResolvedUser& user,
                                          const std::vector<std::string>& args, bool terminal) {
  if (args.empty() || args[0].empty()) {
    return absl::InvalidArgumentError("command: neither the container nor its image names one");
  }
  if (absl::Status status = CheckEnv(spec); !status.ok()) return status;
  absl::StatusOr<std::string> directory = WorkingDirectory(spec, image);
  if (!directory.ok()) return directory.status();
  plan::Process process;
  for (size_t i = 0; i < args.size(); ++i) {
    if (HasNul(args[i])) {
      return absl::InvalidArgumentError(absl::StrCat("args[", i, "]: holds a NUL"));
    }
    process.add_args(args[i]);
  }
  const Environment environment = MakeEnvironment(spec, pod, image, user, terminal);
  for (const auto& [name, value] : environment.variables()) {
    process.add_env(absl::StrCat(name, "=", value));
  }
  process.set_working_directory(*directory);
  process.set_umask(kUmask);
  process.set_terminal(terminal);
  return process;
}

}  // namespace bulkhead::isolation
