#include "shim/ctl/ctl.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "shim/config/flags.h"
#include "shim/config/version.h"
#include "shim/ctl/check_commands.h"
#include "shim/ctl/config_commands.h"
#include "shim/ctl/image_commands.h"
#include "shim/ctl/isolation_commands.h"
#include "shim/ctl/log_commands.h"

namespace bulkhead::ctl {
namespace {

// The command line: each command puts its outcome into `status_` when the parser calls it.
class CommandLine {
 public:
  explicit CommandLine(std::ostream& out) : out_(out) {
    app_.fallthrough();
    flags_.AddTo(app_);
    AddCheck();
    AddConfig();
    AddImage();
    AddIsolation();
    AddLogVerbosity();
    app_.add_subcommand("version", "Print the version of this program")->callback([this] {
      out_ << "bulkheadctl " << Version() << "\n";
    });
  }

  CLI::App& app() { return app_; }
  const absl::Status& status() const { return status_; }

 private:
  void AddCheck() {
    CLI::App* check = app_.add_subcommand("check", "Check whether this host is fit to run pods");
    check->add_flag("--json", json_, "As JSON");
    check->callback([this] { status_ = CheckThisHost(flags_, json_, out_); });
  }

  void AddConfig() {
    CLI::App* config = app_.add_subcommand("config", "The daemon's configuration");
    config->add_subcommand("default", "Print the default configuration, explained")
        ->callback([this] { status_ = PrintDefaultConfig(out_); });
    config->add_subcommand("show", "Print the configuration that is in force, all files merged")
        ->callback([this] { status_ = ShowConfig(flags_, out_); });
    CLI::App* validate = config->add_subcommand("validate", "Check the files, or one file");
    validate->add_option("FILE", file_, "Check this file alone");
    validate->callback([this] { status_ = ValidateConfig(flags_, file_, out_); });
  }

  void AddImage() {
    CLI::App* image = app_.add_subcommand("image", "The images of this node");
    CLI::App* archive = image->add_subcommand(
        "import", "Import a docker-archive, an oci-archive or an OCI layout folder");
    archive->add_option("PATH", path_, "The archive or folder")->required();
    archive->add_option("--name", names_, "A name for the image, where the archive has none");
    archive->callback([this] { status_ = ImportImage(flags_, path_, names_, out_); });
    CLI::App* list = image->add_subcommand("list", "List the images");
    list->add_option("IMAGE", path_, "Only this reference");
    list->add_flag("--json", json_, "As JSON");
    list->callback([this] { status_ = ListImages(flags_, path_, json_, out_); });
    CLI::App* remove = image->add_subcommand("remove", "Remove images by name or id");
    remove->add_option("IMAGE", names_, "Name, id or the start of an id")->required();
    remove->callback([this] { status_ = RemoveImages(flags_, names_, out_); });
  }

  void AddIsolation() {
    CLI::App* isolation =
        app_.add_subcommand("isolation", "Show the isolation that a running container really has");
    isolation->add_option("CONTAINER", path_, "Its id, or the start of it")->required();
    isolation->add_flag("--json", json_, "As JSON");
    isolation->callback([this] { status_ = PrintIsolation(flags_, path_, json_, out_); });
  }

  void AddLogVerbosity() {
    CLI::App* verbosity = app_.add_subcommand(
        "log-verbosity", "Change how much the running daemon logs, until it is restarted");
    verbosity->add_option("LEVEL", level_, "0 to 10")->required()->check(CLI::Range(0, 10));
    verbosity->callback([this] { status_ = SetLogVerbosity(flags_, level_); });
  }

  CLI::App app_{"The operator's tool for bulkheadd, a Kubernetes container runtime", "bulkheadctl"};
  std::ostream& out_;
  config::Flags flags_;
  std::string file_;
  std::string path_;
  std::vector<std::string> names_;
  bool json_ = false;
  int level_ = 0;
  absl::Status status_;
};

// The command that was given without the further one that it needs, or null. Not left to CLI11's
// require_subcommand, which hides that a word was misspelt.
CLI::App* Incomplete(CLI::App& app) {
  const std::vector<CLI::App*> given = app.get_subcommands();
  if (!given.empty()) return Incomplete(*given.front());
  return app.get_subcommands([](CLI::App*) { return true; }).empty() ? nullptr : &app;
}

}  // namespace

int Run(int argc, const char* const* argv, std::ostream& out, std::ostream& error) {
  CommandLine line(out);
  try {
    line.app().parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return line.app().exit(problem, out, error) == 0 ? 0 : kUsage;
  }
  if (CLI::App* command = Incomplete(line.app())) {
    error << command->help();
    return kUsage;
  }
  if (line.status().ok()) return 0;
  error << "bulkheadctl: " << line.status().message() << "\n";
  return kFailed;
}

}  // namespace bulkhead::ctl
