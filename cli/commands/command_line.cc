#include "cli/commands/command_line.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/exit_code.h"
#include "lib/base/status.h"
#include "lib/service/version.h"

namespace strata::cli {

std::string GlobalOptions::RegistryAddress() const {
  if (!registry.empty()) return registry;
  if (absl::StartsWith(builder, "unix:")) return "127.0.0.1:5000";
  return absl::StrCat(builder.substr(0, builder.rfind(':')), ":5000");
}

void AddGlobalFlags(config::Parser& parser, GlobalOptions& options, bool with_sources) {
  const auto env = [&](const char* name) { return std::string(with_sources ? name : ""); };
  parser.Add(&options.builder,
             {.flag = "builder", .env = env("STRATA_BUILDER"), .value_name = "ADDRESS", .help = "The builder, HOST:PORT or unix:/path."});
  parser.Add(&options.store, {.flag = "store",
                              .env = env("STRATA_STORE"),
                              .value_name = "ADDRESS",
                              .help = "The store that \"strata store\" looks after, HOST:PORT or unix:/path."});
  parser.Add(&options.output,
             {.flag = "output", .env = env("STRATA_OUTPUT"), .value_name = "FORMAT", .help = "Form of the result.", .one_of = {"table", "json"}});
  parser.Add(&options.timeout, {.flag = "timeout", .env = env("STRATA_TIMEOUT"), .help = "Give up after this long; 0 is never."});
  parser.Add(&options.registry, {.flag = "registry",
                                 .env = env("STRATA_REGISTRY"),
                                 .value_name = "ADDRESS",
                                 .help = "Our registry, as the pull command that is printed names it; the builder's host and port 5000 unless given."});
  parser.Add(&options.registry_host, {.flag = "registry-host",
                                      .env = env("STRATA_REGISTRY_HOST"),
                                      .value_name = "HOST",
                                      .help = "The registry that STRATA_REGISTRY_USER and STRATA_REGISTRY_PASSWORD are for."});
}

CallContext Invocation::Call() const {
  CallContext call;
  call.cancellation = &environment.interrupted;
  if (options.timeout > absl::ZeroDuration()) call.deadline = absl::Now() + options.timeout;
  return call;
}

absl::StatusOr<std::vector<Credential>> Invocation::Credentials() const {
  CredentialSources sources;
  const std::string folder = environment.Variable("DOCKER_CONFIG");
  const std::string home = environment.Variable("HOME");
  if (!folder.empty()) {
    sources.docker_config = absl::StrCat(folder, "/config.json");
  } else if (!home.empty()) {
    sources.docker_config = absl::StrCat(home, "/.docker/config.json");
  }
  sources.host = options.registry_host;
  sources.user = environment.Variable("STRATA_REGISTRY_USER");
  sources.password = environment.Variable("STRATA_REGISTRY_PASSWORD");
  return LoadCredentials(sources);
}

void Invocation::Tell(absl::string_view text) const { environment.error.Write(text).IgnoreError(); }

std::unique_ptr<ProgressView> MakeView(const Invocation& invocation, const std::string& kind, const std::string& title) {
  const Environment& environment = invocation.environment;
  if (kind == "quiet") return MakeQuietView();
  if (kind == "json") return MakeJsonView(environment.error, environment.clock);
  if (kind == "plain" || !environment.error_is_terminal || environment.Variable("TERM") == "dumb") {
    return MakePlainView(environment.error, environment.clock);
  }
  std::string locale = environment.Variable("LC_ALL");
  if (locale.empty()) locale = environment.Variable("LC_CTYPE");
  if (locale.empty()) locale = environment.Variable("LANG");
  absl::AsciiStrToLower(&locale);
  const bool utf8 = absl::StrContains(locale, "utf-8") || absl::StrContains(locale, "utf8");
  return MakeLiveView(environment.error, environment.clock,
                      {.title = title, .utf8 = utf8, .terminal_size = environment.terminal_size});
}

CommandLine::CommandLine(Invocation& invocation, const std::string& name, const std::string& about, const std::string& usage)
    : invocation_(invocation), name_(absl::StrCat("strata ", name)), usage_(usage), parser_(name_, about) {
  parser_.SetUsage(absl::StrCat("[flags] ", usage));
}

absl::StatusOr<std::optional<std::vector<std::string>>> CommandLine::Parse(int min, int max) {
  AddGlobalFlags(parser_, invocation_.options, /*with_sources=*/false);
  auto parsed = parser_.Parse(invocation_.arguments);
  if (!parsed.ok()) return UsageError(absl::StrCat(parsed.status().message(), " (see ", name_, " --help)"));
  if (parsed->wants_help) {
    STRATA_RETURN_IF_ERROR(invocation_.Print(parser_.Help()));
    return std::nullopt;
  }
  if (parsed->wants_version) {
    STRATA_RETURN_IF_ERROR(invocation_.Print(absl::StrCat("strata ", service::kVersion, "\n")));
    return std::nullopt;
  }
  const int count = static_cast<int>(parsed->positional.size());
  if (count < min) return UsageError(absl::StrCat("too few arguments; the command is: ", name_, " [flags] ", usage_));
  if (max >= 0 && count > max) {
    return UsageError(absl::StrCat("one argument too many, \"", parsed->positional[max], "\"; the command is: ", name_, " [flags] ", usage_));
  }
  return std::move(parsed->positional);
}

}  // namespace strata::cli
