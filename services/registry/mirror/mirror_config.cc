#include "services/registry/mirror/mirror_config.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/bytes/byte_stream.h"
#include "lib/http/headers.h"
#include "lib/json/json.h"
#include "services/registry/repository/name.h"

namespace strata::registry::mirror {
namespace {

constexpr absl::string_view kDockerHubServer = "registry-1.docker.io";
constexpr absl::string_view kDockerHubTokens = "auth.docker.io";
constexpr size_t kMaxListEntries = 1000;
constexpr size_t kMaxPasswordBytes = 64 * 1024;
constexpr absl::string_view kFields[] = {"prefix",      "namespaces",  "upstream", "repository",    "repositories",    "library", "user",
                                         "password_file", "token_hosts", "ca_file",  "allow_private", "revalidate_after"};

absl::Status Wrong(absl::string_view field, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("\"", field, "\" ", why));
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, path);
  FdSource source(fd.get());
  auto content = ReadAll(source, limit);
  if (!content.ok()) return Annotate(content.status(), path);
  return content;
}

absl::Status CheckFields(const json::Value& entry) {
  if (!entry.is_object()) return absl::InvalidArgumentError("must be an object");
  for (const auto& [key, value] : entry.items()) {
    if (std::find(std::begin(kFields), std::end(kFields), absl::string_view(key)) == std::end(kFields)) {
      return Wrong(key, "is no field of a mirror; see docs/operations/mirrors.md");
    }
  }
  return absl::OkStatus();
}

// A prefix of names, without slashes at its ends.
absl::Status CheckPrefix(absl::string_view field, const std::string& prefix) {
  if (prefix.empty()) return absl::OkStatus();
  const absl::Status status = CheckRepositoryName(prefix);
  return status.ok() ? status : Wrong(field, absl::StrCat("must be a repository name or empty: ", status.message()));
}

absl::StatusOr<http::Url> ParseUpstream(const std::string& text) {
  auto url = http::Url::Parse(text);
  if (!url.ok()) return Wrong("upstream", absl::StrCat("must be a URL such as https://registry.example: ", url.status().message()));
  if ((url->path != "/" && !url->path.empty()) || !url->query.empty()) {
    return Wrong("upstream", "must end after host and port; name a path below /v2/ with \"repository\"");
  }
  if (url->host == "docker.io" || url->host == "index.docker.io") url->host = std::string(kDockerHubServer);
  url->path = "/";
  return url;
}

absl::StatusOr<std::vector<std::string>> HostList(const json::Value& entry, absl::string_view field) {
  STRATA_ASSIGN_OR_RETURN(std::vector<std::string> hosts, json::StringListField(entry, field));
  if (hosts.size() > kMaxListEntries) return Wrong(field, "has too many entries");
  for (std::string& host : hosts) {
    host = absl::AsciiStrToLower(host);
    const auto url = http::Url::Parse(absl::StrCat("https://", host));
    if (!url.ok() || host.find_first_of("/?#@") != std::string::npos) {
      return Wrong(field, absl::StrCat("must hold hosts, with or without a port; \"", host.substr(0, 80), "\" is none"));
    }
  }
  return hosts;
}

absl::StatusOr<std::vector<glob::Pattern>> PatternList(const json::Value& entry) {
  STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> texts, json::StringListField(entry, "repositories"));
  if (texts.size() > kMaxListEntries) return Wrong("repositories", "has too many entries");
  std::vector<glob::Pattern> patterns;
  for (const std::string& text : texts) {
    auto pattern = glob::Pattern::Compile(text, glob::Syntax::kDoubleStar);
    if (!pattern.ok()) return Wrong("repositories", pattern.status().message());
    patterns.push_back(*std::move(pattern));
  }
  return patterns;
}

absl::Status CheckCredentials(const MirrorConfig& mirror) {
  if (mirror.user.empty() != mirror.password_file.empty()) return Wrong("user", "and \"password_file\" go together");
  if (absl::StrContains(mirror.user, ":") || !http::IsValidFieldValue(mirror.user)) return Wrong("user", "has characters that no user name has");
  return mirror.user.empty() ? absl::OkStatus() : ReadPassword(mirror.password_file).status();
}

absl::StatusOr<MirrorConfig> ParseMirror(const json::Value& entry) {
  STRATA_RETURN_IF_ERROR(CheckFields(entry));
  MirrorConfig mirror;
  if (json::Find(entry, "prefix") == nullptr) return Wrong("prefix", "is missing; \"\" takes the upstream's own names");
  STRATA_ASSIGN_OR_RETURN(mirror.prefix, json::StringField(entry, "prefix"));
  STRATA_RETURN_IF_ERROR(CheckPrefix("prefix", mirror.prefix));
  STRATA_ASSIGN_OR_RETURN(mirror.namespaces, HostList(entry, "namespaces"));
  STRATA_ASSIGN_OR_RETURN(const std::string upstream, json::StringField(entry, "upstream"));
  STRATA_ASSIGN_OR_RETURN(mirror.upstream, ParseUpstream(upstream));
  STRATA_ASSIGN_OR_RETURN(mirror.repository, json::StringField(entry, "repository"));
  STRATA_RETURN_IF_ERROR(CheckPrefix("repository", mirror.repository));
  STRATA_ASSIGN_OR_RETURN(mirror.repositories, PatternList(entry));
  const bool is_docker_hub = mirror.upstream.host == kDockerHubServer;
  STRATA_ASSIGN_OR_RETURN(mirror.adds_library, json::BoolField(entry, "library", is_docker_hub));
  STRATA_ASSIGN_OR_RETURN(mirror.user, json::StringField(entry, "user"));
  STRATA_ASSIGN_OR_RETURN(mirror.password_file, json::StringField(entry, "password_file"));
  STRATA_ASSIGN_OR_RETURN(mirror.token_hosts, HostList(entry, "token_hosts"));
  if (is_docker_hub) mirror.token_hosts.emplace_back(kDockerHubTokens);
  STRATA_ASSIGN_OR_RETURN(mirror.ca_file, json::StringField(entry, "ca_file"));
  if (!mirror.ca_file.empty()) STRATA_RETURN_IF_ERROR(ReadFile(mirror.ca_file, kMaxConfigBytes).status());
  STRATA_ASSIGN_OR_RETURN(mirror.allow_private, json::BoolField(entry, "allow_private"));
  STRATA_ASSIGN_OR_RETURN(const std::string after, json::StringField(entry, "revalidate_after", "5m"));
  if (!absl::ParseDuration(after, &mirror.revalidate_after) || mirror.revalidate_after < absl::ZeroDuration()) {
    return Wrong("revalidate_after", "must be a time such as \"90s\", \"5m\" or \"0\"");
  }
  STRATA_RETURN_IF_ERROR(CheckCredentials(mirror));
  return mirror;
}

}  // namespace

std::string MirrorConfig::UpstreamText() const { return absl::StrCat(upstream.scheme, "://", upstream.Authority()); }

std::optional<std::string> MirrorConfig::UpstreamName(absl::string_view rest) const {
  std::string name(rest);
  if (adds_library && !absl::StrContains(rest, "/")) name = absl::StrCat("library/", rest);
  if (!repository.empty()) name = absl::StrCat(repository, "/", name);
  if (!CheckRepositoryName(name).ok()) return std::nullopt;
  const auto matches = [&name](const glob::Pattern& pattern) { return pattern.Matches(name); };
  if (!repositories.empty() && std::none_of(repositories.begin(), repositories.end(), matches)) return std::nullopt;
  return name;
}

bool MirrorConfig::TrustsTokenServer(const http::Url& realm) const {
  if (upstream.scheme == "https" && realm.scheme != "https") return false;
  if (realm.host == upstream.host && realm.port == upstream.port && realm.scheme == upstream.scheme) return true;
  return std::find(token_hosts.begin(), token_hosts.end(), realm.Authority()) != token_hosts.end();
}

absl::StatusOr<std::vector<MirrorConfig>> ParseMirrors(absl::string_view text) {
  STRATA_ASSIGN_OR_RETURN(const json::Value document, json::Parse(text, {.max_bytes = kMaxConfigBytes, .max_depth = 8}));
  const json::Value* entries = json::Find(document, "mirrors");
  if (entries == nullptr || !entries->is_array() || document.size() != 1) {
    return absl::InvalidArgumentError("must be an object with one field, \"mirrors\", a list");
  }
  if (entries->size() > kMaxMirrors) return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxMirrors, " mirrors"));
  std::vector<MirrorConfig> mirrors;
  std::set<std::string> prefixes, namespaces;
  for (const json::Value& entry : *entries) {
    const std::string which = absl::StrCat("mirror ", mirrors.size() + 1);
    auto mirror = ParseMirror(entry);
    if (!mirror.ok()) return Annotate(mirror.status(), which);
    if (!prefixes.insert(mirror->prefix).second) return Annotate(Wrong("prefix", "is that of another mirror"), which);
    for (const std::string& name : mirror->namespaces) {
      if (!namespaces.insert(name).second) return Annotate(Wrong("namespaces", absl::StrCat("has ", name, ", as another mirror")), which);
    }
    mirrors.push_back(*std::move(mirror));
  }
  return mirrors;
}

absl::StatusOr<std::vector<MirrorConfig>> LoadMirrors(const std::string& path) {
  STRATA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigBytes));
  auto mirrors = ParseMirrors(text);
  if (!mirrors.ok()) return Annotate(mirrors.status(), path);
  return mirrors;
}

absl::StatusOr<std::string> ReadPassword(const std::string& path) {
  const auto text = ReadFile(path, kMaxPasswordBytes);
  if (!text.ok()) return absl::FailedPreconditionError(absl::StrCat("the password file cannot be read: ", text.status().message()));
  const std::string password(absl::StripSuffix(absl::string_view(*text).substr(0, text->find('\n')), "\r"));
  if (password.empty()) return absl::FailedPreconditionError(absl::StrCat("the password file ", path, " has an empty first line"));
  return password;
}

}  // namespace strata::registry::mirror
