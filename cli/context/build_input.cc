#include "cli/context/build_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/context/folder_context.h"
#include "cli/context/git_source.h"
#include "cli/context/tar_context.h"
#include "cli/exit_code.h"
#include "lib/base/status.h"
#include "lib/compress/decompressing_source.h"
#include "lib/glob/ignore.h"

namespace strata::cli {
namespace {

constexpr size_t kTarHeadBytes = 512;

// What was read of a source already, then the rest of it.
class ResumedSource final : public ByteSource {
 public:
  ResumedSource(absl::string_view head, ByteSource& rest) : head_(head), rest_(rest) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    if (head_.empty()) return rest_.Read(buffer, size);
    const size_t taken = std::min(size, head_.size());
    std::copy_n(head_.data(), taken, buffer);
    head_.remove_prefix(taken);
    return taken;
  }

 private:
  absl::string_view head_;
  ByteSource& rest_;
};

absl::StatusOr<std::string> ReadHead(ByteSource& source, size_t size) {
  std::string head(size, '\0');
  size_t filled = 0;
  while (filled < size) {
    STRATA_ASSIGN_OR_RETURN(const size_t got, source.Read(head.data() + filled, size - filled));
    if (got == 0) break;
    filled += got;
  }
  head.resize(filled);
  return head;
}

absl::StatusOr<std::optional<std::string>> ReadLocalFile(const std::string& path, size_t limit_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid() && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("opening \"", path, "\""));
  FdSource source(fd.get());
  auto text = ReadAll(source, limit_bytes);
  if (!text.ok()) return Annotate(text.status(), absl::StrCat("reading \"", path, "\""));
  return *std::move(text);
}

absl::Status NoDockerfile(const std::string& name, const std::string& where) {
  return absl::NotFoundError(absl::StrCat("there is no \"", name, "\" in ", where, "; give the path of the Dockerfile with --file"));
}

// Of files inside the context: the Dockerfile under its usual names or the one asked for, and its ignore file.
absl::Status ReadFromContext(const std::string& file, const std::string& where, BuildInput& input) {
  std::vector<std::string> names = {file};
  if (file.empty()) names = {"Dockerfile", "dockerfile"};
  for (const std::string& name : names) {
    STRATA_ASSIGN_OR_RETURN(auto text, input.context->ReadFile(name, kMaxDockerfileBytes));
    if (!text.has_value()) continue;
    input.dockerfile = *std::move(text);
    input.dockerfile_name = name;
    STRATA_ASSIGN_OR_RETURN(const auto ignore, input.context->ReadFile(absl::StrCat(name, ".dockerignore"), glob::kMaxIgnoreBytes));
    if (ignore.has_value()) input.dockerignore = *ignore;
    return absl::OkStatus();
  }
  return NoDockerfile(names.front(), where);
}

absl::Status ReadDockerfile(const BuildInputOptions& options, const std::string& where, ByteSource& standard_input, BuildInput& input) {
  if (options.file == "-") {
    if (options.input_is_terminal) return UsageError("--file - takes the Dockerfile from standard input, which is a terminal");
    STRATA_ASSIGN_OR_RETURN(input.dockerfile, ReadAll(standard_input, kMaxDockerfileBytes));
    input.dockerfile_name = "Dockerfile";
    return absl::OkStatus();
  }
  if (options.file.empty()) return ReadFromContext("", where, input);
  // A path on the command line means what it means to the shell; inside the context is the second guess.
  STRATA_ASSIGN_OR_RETURN(auto text, ReadLocalFile(options.file, kMaxDockerfileBytes));
  if (!text.has_value()) return ReadFromContext(options.file, absl::StrCat("the current folder or in ", where), input);
  input.dockerfile = *std::move(text);
  input.dockerfile_name = options.file;
  STRATA_ASSIGN_OR_RETURN(const auto ignore, ReadLocalFile(absl::StrCat(options.file, ".dockerignore"), glob::kMaxIgnoreBytes));
  if (ignore.has_value()) input.dockerignore = *ignore;
  return absl::OkStatus();
}

absl::Status AddRootIgnore(BuildInput& input) {
  if (!input.dockerignore.empty()) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(const auto ignore, input.context->ReadFile(".dockerignore", glob::kMaxIgnoreBytes));
  if (ignore.has_value()) input.dockerignore = *ignore;
  return absl::OkStatus();
}

absl::StatusOr<BuildInput> FromStandardInput(const CallContext& call, const BuildInputOptions& options, ByteSource& source) {
  if (options.file == "-") return UsageError("CONTEXT and --file cannot both be standard input");
  if (options.input_is_terminal) {
    return UsageError("CONTEXT - takes a tar or a Dockerfile from standard input, which is a terminal; try: strata build - < Dockerfile");
  }
  STRATA_ASSIGN_OR_RETURN(const auto plain, compress::DecompressingSource::Open(source));
  STRATA_ASSIGN_OR_RETURN(const std::string head, ReadHead(*plain, kTarHeadBytes));
  if (head.empty()) return absl::InvalidArgumentError("standard input is empty; a tar or a Dockerfile is needed there");
  ResumedSource content(head, *plain);
  BuildInput input;
  if (LooksLikeTar(head)) {
    auto context = TarContext::Read(call, content, options.temp_base);
    if (!context.ok()) return Annotate(context.status(), "the build context on standard input");
    input.context = *std::move(context);
    STRATA_RETURN_IF_ERROR(ReadFromContext(options.file, "the tar on standard input", input));
    STRATA_RETURN_IF_ERROR(AddRootIgnore(input));
    return input;
  }
  if (plain->format() != compress::Format::kPlain) {
    return absl::InvalidArgumentError(absl::StrCat("standard input is ", compress::FormatName(plain->format()), " data, but no tar is in it"));
  }
  if (!options.file.empty()) {
    return UsageError("--file names a file of a tar, but standard input is no tar; a bare Dockerfile needs no --file");
  }
  auto text = ReadAll(content, kMaxDockerfileBytes);
  if (!text.ok()) return Annotate(text.status(), "the Dockerfile on standard input");
  if (text->find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("standard input is neither a tar (plain, gzip, zstd, bzip2 or xz) nor the text of a Dockerfile");
  }
  input.dockerfile = *std::move(text);
  input.dockerfile_name = "Dockerfile";
  return input;
}

absl::StatusOr<BuildInput> FromGit(const CallContext& call, const BuildInputOptions& options, ByteSource& standard_input) {
  STRATA_ASSIGN_OR_RETURN(const GitAddress address, ParseGitAddress(options.context));
  STRATA_ASSIGN_OR_RETURN(TempDir checkout, TempDir::Create(options.temp_base));
  STRATA_RETURN_IF_ERROR(FetchGit(call, address, checkout.path()));
  BuildInput input;
  auto context = FolderContext::OpenBelow(checkout.path(), address.subdir);
  if (!context.ok()) {
    return absl::NotFoundError(absl::StrCat("the repository has no folder \"", address.subdir, "\" that could be the build context"));
  }
  input.checkout.emplace(std::move(checkout));
  input.context = *std::move(context);
  if (options.file == "-") {
    STRATA_RETURN_IF_ERROR(ReadDockerfile(options, "", standard_input, input));
  } else {
    STRATA_RETURN_IF_ERROR(ReadFromContext(options.file, "the git repository", input));
  }
  STRATA_RETURN_IF_ERROR(AddRootIgnore(input));
  return input;
}

}  // namespace

absl::StatusOr<BuildInput> OpenBuildInput(const CallContext& call, const BuildInputOptions& options, ByteSource& input) {
  if (options.context == "-") return FromStandardInput(call, options, input);
  if (IsGitAddress(options.context)) return FromGit(call, options, input);
  BuildInput result;
  STRATA_ASSIGN_OR_RETURN(result.context, FolderContext::Open(options.context));
  STRATA_RETURN_IF_ERROR(ReadDockerfile(options, absl::StrCat("the context \"", options.context, "\""), input, result));
  STRATA_RETURN_IF_ERROR(AddRootIgnore(result));
  return result;
}

}  // namespace strata::cli
