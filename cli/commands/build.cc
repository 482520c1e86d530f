#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/build/build_session.h"
#include "cli/commands/commands.h"
#include "cli/commands/registry_credentials.h"
#include "cli/context/build_input.h"
#include "cli/exit_code.h"
#include "cli/output/human.h"
#include "lib/base/status.h"
#include "lib/fs/atomic_file.h"
#include "lib/json/json.h"
#include "lib/oci/platform.h"
#include "lib/oci/reference.h"

namespace strata::cli {
namespace {

using builder::v1::BuildResult;
using builder::v1::BuildStart;

struct BuildFlags {
  std::vector<std::string> tags, build_args, platforms, labels;
  std::string file, target, iidfile, metadata_file;
  std::string format = "oci";
  std::string progress = "auto";
  bool no_cache = false, pull = false, push = false, quiet = false;
};

void AddFlags(CommandLine& line, BuildFlags& flags) {
  line.Add(&flags.tags, {.flag = "tag", .short_flag = 't', .value_name = "NAME[:TAG]", .help = "Name of the result."});
  line.Add(&flags.file, {.flag = "file", .short_flag = 'f', .value_name = "FILE|-", .help = "The Dockerfile; CONTEXT/Dockerfile unless given."});
  line.Add(&flags.target, {.flag = "target", .value_name = "STAGE", .help = "Build up to this stage; the last unless given."});
  line.Add(&flags.build_args, {.flag = "build-arg", .value_name = "K=V|K", .help = "A value for ARG; K alone takes it from the environment."});
  line.Add(&flags.platforms, {.flag = "platform", .value_name = "OS/ARCH[,...]", .help = "What to build for; the builder's own unless given."});
  line.Add(&flags.labels, {.flag = "label", .value_name = "K=V", .help = "A label for the image."});
  line.Add(&flags.no_cache, {.flag = "no-cache", .help = "Run every step anew."});
  line.Add(&flags.pull, {.flag = "pull", .help = "Ask the registries for newer bases."});
  line.Add(&flags.push, {.flag = "push", .help = "Also push to the other registries that the names carry."});
  line.Add(&flags.format, {.flag = "format", .value_name = "FORMAT", .help = "Media types of the result.", .one_of = {"oci", "docker"}});
  line.Add(&flags.progress, {.flag = "progress", .value_name = "KIND", .help = "How progress is shown.", .one_of = {"auto", "plain", "json", "quiet"}});
  line.Add(&flags.quiet, {.flag = "quiet", .short_flag = 'q', .help = "The same as --progress quiet."});
  line.Add(&flags.iidfile, {.flag = "iidfile", .value_name = "FILE", .help = "Write the image id there."});
  line.Add(&flags.metadata_file, {.flag = "metadata-file", .value_name = "FILE", .help = "Write the result there, as JSON."});
  line.SetEpilogue(
      "CONTEXT is one of\n"
      "  FOLDER                                  a folder of this machine\n"
      "  https://HOST/PATH.git[#REF[:FOLDER]]    a git repository; also git@HOST:PATH, git://, ssh://, file://\n"
      "  -                                       standard input: a tar (plain or compressed) or a Dockerfile\n"
      "Only what the Dockerfile needs and .dockerignore allows is sent. SOURCE_DATE_EPOCH in the environment\n"
      "clamps the times in the result.\n"
      "\n"
      "Exit codes: 0 built; 2 wrong usage; 3 builder not reachable; 4 context or Dockerfile not found;\n"
      "5 the Dockerfile, something it names, or a RUN is to blame; 130 interrupted; 1 anything else.");
}

absl::Status AddTags(const BuildFlags& flags, BuildStart& start) {
  for (const std::string& tag : flags.tags) {
    const auto reference = oci::Reference::Parse(tag);
    if (!reference.ok()) return UsageError(absl::StrCat("--tag: ", reference.status().message()));
    if (reference->digest.has_value()) return UsageError(absl::StrCat("--tag ", tag, ": a name cannot carry a digest"));
    start.add_tags(tag);
  }
  return absl::OkStatus();
}

absl::Status AddPlatforms(const BuildFlags& flags, BuildStart& start) {
  for (const std::string& list : flags.platforms) {
    for (const absl::string_view text : absl::StrSplit(list, ',', absl::SkipEmpty())) {
      const auto platform = oci::Platform::Parse(text);
      if (!platform.ok()) return UsageError(absl::StrCat("--platform: ", platform.status().message()));
      start.add_platforms(platform->ToString());
    }
  }
  return absl::OkStatus();
}

absl::Status AddNamedValues(const BuildFlags& flags, const Environment& environment, BuildStart& start) {
  for (const std::string& text : flags.build_args) {
    const size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    if (name.empty()) return UsageError(absl::StrCat("--build-arg ", text, ": the name is missing; write NAME=VALUE"));
    const char* inherited = equals == std::string::npos ? environment.get_variable(name.c_str()) : nullptr;
    // A variable that is not set leaves the Dockerfile's default alone.
    if (equals == std::string::npos && inherited == nullptr) continue;
    auto* arg = start.add_build_args();
    arg->set_name(name);
    arg->set_value(equals == std::string::npos ? inherited : text.substr(equals + 1));
  }
  for (const std::string& text : flags.labels) {
    const size_t equals = text.find('=');
    if (equals == 0 || text.empty()) return UsageError(absl::StrCat("--label ", text, ": the name is missing; write NAME=VALUE"));
    auto* label = start.add_labels();
    label->set_name(text.substr(0, equals));
    label->set_value(equals == std::string::npos ? "" : text.substr(equals + 1));
  }
  return absl::OkStatus();
}

absl::Status AddSourceDate(const Environment& environment, BuildStart& start) {
  const std::string text = environment.Variable("SOURCE_DATE_EPOCH");
  if (text.empty()) return absl::OkStatus();
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(text, &seconds) || seconds < 0) {
    return UsageError(absl::StrCat("SOURCE_DATE_EPOCH=\"", text, "\" is not a number of seconds since 1970"));
  }
  start.set_source_date_epoch(seconds);
  return absl::OkStatus();
}

absl::StatusOr<BuildStart> StartOf(const BuildFlags& flags, const Invocation& invocation) {
  BuildStart start;
  STRATA_RETURN_IF_ERROR(AddTags(flags, start));
  STRATA_RETURN_IF_ERROR(AddPlatforms(flags, start));
  STRATA_RETURN_IF_ERROR(AddNamedValues(flags, invocation.environment, start));
  STRATA_RETURN_IF_ERROR(AddSourceDate(invocation.environment, start));
  STRATA_RETURN_IF_ERROR(AddCredentials(invocation, "", *start.mutable_credentials()));
  start.set_target(flags.target);
  start.set_no_cache(flags.no_cache);
  start.set_pull(flags.pull);
  start.set_push(flags.push);
  start.set_format(flags.format == "docker" ? builder::v1::IMAGE_FORMAT_DOCKER : builder::v1::IMAGE_FORMAT_OCI);
  return start;
}

absl::StatusOr<BuildSession> SessionOf(BuildStart start, BuildInput& input, const std::string& address) {
  BuildSession session;
  auto ignore = glob::IgnoreMatcher::Parse(input.dockerignore);
  // The ignore file is part of what is built, like the Dockerfile.
  if (!ignore.ok()) return WithExitCode(Annotate(ignore.status(), "the .dockerignore file"), ExitCode::kBuildFailed);
  session.ignore = *std::move(ignore);
  start.set_dockerfile(std::move(input.dockerfile));
  start.set_dockerfile_name(input.dockerfile_name);
  start.set_dockerignore(input.dockerignore);
  start.set_no_context(input.context == nullptr);
  session.start = std::move(start);
  session.context = input.context.get();
  session.address = address;
  return session;
}

// What docker calls the image id; of several platforms, the index.
const std::string& IdOf(const BuildResult& result) { return result.config_digest().empty() ? result.digest() : result.config_digest(); }

double SecondsOf(const BuildResult& result) {
  return static_cast<double>(result.elapsed().seconds()) + static_cast<double>(result.elapsed().nanos()) / 1e9;
}

json::Value ToJson(const BuildResult& result) {
  return {{"digest", result.digest()},
          {"media_type", result.media_type()},
          {"size_bytes", result.size_bytes()},
          {"config_digest", result.config_digest()},
          {"names", std::vector<std::string>(result.names().begin(), result.names().end())},
          {"pull_references", std::vector<std::string>(result.pull_references().begin(), result.pull_references().end())},
          {"layers", result.layers()},
          {"compressed_bytes", result.compressed_bytes()},
          {"seconds", SecondsOf(result)},
          {"steps_cached", result.steps_cached()},
          {"steps_run", result.steps_run()}};
}

// The keys that buildx writes come first: scripts look for them.
std::string MetadataOf(const BuildResult& result) {
  json::Value value = {{"containerimage.digest", result.digest()},
                       {"containerimage.config.digest", result.config_digest()},
                       {"image.name", absl::StrJoin(result.names(), ",")}};
  value["strata.result"] = ToJson(result);
  return absl::StrCat(json::DumpPretty(value), "\n");
}

// "docker pull host:5000/app:1", or "" for a name that cannot be pulled.
std::string PullCommand(const std::string& name, const std::string& registry) {
  const auto reference = oci::Reference::Parse(name);
  if (!reference.ok()) return "";
  return absl::StrCat("docker pull ", registry, "/", reference->StoreRepository({registry}), ":", reference->TagOrLatest());
}

void Summarise(const Invocation& invocation, const BuildResult& result) {
  std::string text = absl::StrCat("Built ", result.names().empty() ? "an image without a name" : absl::StrJoin(result.names(), ", "), " in ",
                                  HumanDuration(absl::Seconds(SecondsOf(result))), ": ", result.layers(), result.layers() == 1 ? " layer" : " layers",
                                  ", ", HumanSize(result.compressed_bytes()), "; ", result.steps_run(), " steps run, ", result.steps_cached(), " cached\n");
  if (!result.names().empty()) {
    // The builder knows what its registry is called, unless this side was told better.
    const bool is_told = !invocation.options.registry.empty();
    const std::string command = is_told || result.pull_references().empty()
                                    ? PullCommand(result.names(0), invocation.options.RegistryAddress())
                                    : absl::StrCat("docker pull ", result.pull_references(0));
    if (!command.empty()) absl::StrAppend(&text, "  ", command, "\n");
  }
  invocation.Tell(text);
}

absl::Status WriteResultFiles(const BuildFlags& flags, const BuildResult& result) {
  if (!flags.iidfile.empty()) {
    const absl::Status written = fs::WriteFileAtomically(flags.iidfile, IdOf(result));
    if (!written.ok()) return Annotate(written, "the image was built, but --iidfile could not be written");
  }
  if (flags.metadata_file.empty()) return absl::OkStatus();
  return Annotate(fs::WriteFileAtomically(flags.metadata_file, MetadataOf(result)), "the image was built, but --metadata-file could not be written");
}

}  // namespace

absl::Status RunBuildCommand(Invocation& invocation) {
  BuildFlags flags;
  CommandLine line(invocation, "build", "Builds an image from a Dockerfile on the builder.", "CONTEXT");
  AddFlags(line, flags);
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(1, 1));
  if (!operands.has_value()) return absl::OkStatus();
  const Environment& environment = invocation.environment;
  const CallContext call = invocation.Call();
  STRATA_ASSIGN_OR_RETURN(BuildStart start, StartOf(flags, invocation));
  const BuildInputOptions where = {.context = operands->front(),
                                   .file = flags.file,
                                   .input_is_terminal = environment.input_is_terminal,
                                   .temp_base = environment.Variable("TMPDIR")};
  STRATA_ASSIGN_OR_RETURN(BuildInput input, OpenBuildInput(call, where, environment.input));
  STRATA_ASSIGN_OR_RETURN(BuildSession session, SessionOf(std::move(start), input, invocation.options.builder));

  const std::string progress = flags.quiet ? "quiet" : flags.progress;
  const auto view = MakeView(invocation, progress, "Building");
  const auto result = RunBuild(call, std::move(session), *view);
  view->Finish();
  if (!result.ok()) return result.status();
  STRATA_RETURN_IF_ERROR(WriteResultFiles(flags, *result));
  if (progress == "auto" || progress == "plain") Summarise(invocation, *result);
  if (invocation.options.json()) return invocation.Print(absl::StrCat(json::Dump(ToJson(*result)), "\n"));
  return invocation.Print(absl::StrCat(result->digest(), "\n"));
}

}  // namespace strata::cli
