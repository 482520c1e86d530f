// What all commands share: the global flags, the shape of a command line, and how results are printed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/credentials/credentials.h"
#include "cli/environment.h"
#include "cli/progress/progress_view.h"
#include "lib/base/call_context.h"
#include "lib/config/parser.h"

namespace strata::cli {

struct GlobalOptions {
  std::string builder = "127.0.0.1:7072";
  std::string store = "127.0.0.1:7071";  // only what `strata store` talks to
  std::string output = "table";
  absl::Duration timeout;        // zero: none
  std::string registry;          // of the pull command that is printed; "": the builder's host, port 5000
  std::string registry_host;     // whose user and password the variables hold

  bool json() const { return output == "json"; }
  std::string RegistryAddress() const;
};

// Adds the global flags; `with_sources` also takes them from environment and configuration file.
void AddGlobalFlags(config::Parser& parser, GlobalOptions& options, bool with_sources);

// One command being run. Outlives nothing but the call of the command.
struct Invocation {
  Environment& environment;
  GlobalOptions options;
  std::vector<std::string> arguments;  // behind the command's name

  // Deadline and interruption of this run.
  CallContext Call() const;
  // UsageError: docker's configuration or the variables are wrong.
  absl::StatusOr<std::vector<Credential>> Credentials() const;
  absl::Status Print(absl::string_view text) const { return environment.output.Write(text); }
  // A line for people, not for scripts. Never fails.
  void Tell(absl::string_view text) const;
};

// `kind` is auto, plain, json or quiet; auto is live on a terminal and plain elsewhere.
std::unique_ptr<ProgressView> MakeView(const Invocation& invocation, const std::string& kind, const std::string& title);

// The flags of one command on top of the global ones.
class CommandLine {
 public:
  CommandLine(Invocation& invocation, const std::string& name, const std::string& about, const std::string& usage);

  template <typename T>
  void Add(T* target, config::Option option) {
    parser_.Add(target, std::move(option));
  }
  void SetEpilogue(std::string text) { parser_.SetEpilogue(std::move(text)); }
  // The operands, `min` to `max` of them (max < 0: any number); nullopt when --help or --version was asked for and printed. UsageError.
  absl::StatusOr<std::optional<std::vector<std::string>>> Parse(int min, int max);

 private:
  Invocation& invocation_;
  const std::string name_;
  const std::string usage_;
  config::Parser parser_;
};

}  // namespace strata::cli
