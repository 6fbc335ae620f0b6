#include "shim/config/flags.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "shim/config/load.h"

namespace bulkhead::config {
namespace {

struct KeyFlag {
  const char* flag;
  const char* key;
  const char* help;
};

constexpr std::array<KeyFlag, 4> kTextFlags = {{
    {"--socket", "daemon.socket", "Unix socket of the CRI"},
    {"--state-dir", "daemon.state_dir", "Folder for records of running pods"},
    {"--data-dir", "daemon.data_dir", "Folder for images and writable layers"},
    {"--supervisor", "daemon.supervisor", "Program that holds a pod"},
}};

}  // namespace

void Flags::AddTo(CLI::App& app) {
  app.add_option("--config", file_, absl::StrCat("Configuration file [", kDefaultFile, "]"));
  app.add_option("--config-dir", directory_,
                 absl::StrCat("Folder of more configuration files [", kDefaultDirectory, "]"));
  for (const KeyFlag& flag : kTextFlags) {
    const auto set = [this, key = flag.key](const std::string& text) { keys_[key] = text; };
    app.add_option_function<std::string>(flag.flag, set, flag.help);
  }
  app.add_option_function<int64_t>(
      "--log-verbosity", [this](int64_t level) { keys_["daemon.log_verbosity"] = level; },
      "0 to 10; higher logs more");
}

absl::StatusOr<std::vector<std::string>> Flags::Files() const {
  if (file_.empty() && directory_.empty()) return FindFiles(kDefaultFile, kDefaultDirectory);
  absl::StatusOr<std::vector<std::string>> files =
      FindFiles(file_.empty() ? kDefaultFile : "", directory_);
  // A file that was asked for has to be there, which Load sees to.
  if (files.ok() && !file_.empty()) files->insert(files->begin(), file_);
  return files;
}

absl::StatusOr<Config> Flags::Load() const {
  const absl::StatusOr<std::vector<std::string>> files = Files();
  if (!files.ok()) return files.status();
  absl::StatusOr<Config> config = config::Load(*files);
  for (const auto& [key, value] : keys_) {
    if (!config.ok()) break;
    const absl::Status status = Set(key, value, *config);
    if (!status.ok()) return status;
  }
  return config;
}

}  // namespace bulkhead::config
