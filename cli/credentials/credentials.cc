#include "cli/credentials/credentials.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/exit_code.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/bytes/byte_stream.h"
#include "lib/json/json.h"

namespace strata::cli {
namespace {

// What the builder takes for a password that is a refresh token; see lib/distribution/authenticator.h.
constexpr char kRefreshTokenUser[] = "<token>";
constexpr size_t kMaxConfigBytes = 1024 * 1024;

// "https://index.docker.io/v1/" and "quay.example/v2/" are keys of old; hosts is what they mean.
std::string HostOfKey(absl::string_view key) {
  if (!absl::ConsumePrefix(&key, "https://")) absl::ConsumePrefix(&key, "http://");
  const std::string host(key.substr(0, key.find('/')));
  return host == "index.docker.io" || host == "registry-1.docker.io" ? "docker.io" : host;
}

absl::Status AddEntry(const std::string& key, const json::Value& entry, std::vector<Credential>& credentials) {
  Credential credential;
  credential.host = HostOfKey(key);
  STRATA_ASSIGN_OR_RETURN(const std::string packed, json::StringField(entry, "auth"));
  STRATA_ASSIGN_OR_RETURN(credential.user, json::StringField(entry, "username"));
  STRATA_ASSIGN_OR_RETURN(credential.password, json::StringField(entry, "password"));
  if (!packed.empty()) {
    std::string plain;
    const size_t colon = absl::Base64Unescape(packed, &plain) ? plain.find(':') : std::string::npos;
    if (colon == std::string::npos) return absl::InvalidArgumentError("\"auth\" is not base64 of user:password; log in again");
    credential.user = plain.substr(0, colon);
    credential.password = plain.substr(colon + 1);
    // docker pads what it writes with NUL bytes.
    while (!credential.password.empty() && credential.password.back() == '\0') credential.password.pop_back();
  }
  STRATA_ASSIGN_OR_RETURN(const std::string identity_token, json::StringField(entry, "identitytoken"));
  if (!identity_token.empty()) credential = {.host = credential.host, .user = kRefreshTokenUser, .password = identity_token};
  if (!credential.user.empty()) credentials.push_back(std::move(credential));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Credential>> ReadDockerConfig(const std::string& path) {
  const UniqueFd fd(path.empty() ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid() && (path.empty() || errno == ENOENT || errno == ENOTDIR)) return std::vector<Credential>();
  if (!fd.is_valid()) return ErrnoStatus(errno, "opening it");
  FdSource source(fd.get());
  STRATA_ASSIGN_OR_RETURN(const std::string text, ReadAll(source, kMaxConfigBytes));
  return ParseDockerConfig(text);
}

}  // namespace

absl::StatusOr<std::vector<Credential>> ParseDockerConfig(absl::string_view text) {
  std::vector<Credential> credentials;
  if (absl::StripAsciiWhitespace(text).empty()) return credentials;
  STRATA_ASSIGN_OR_RETURN(const json::Value config, json::Parse(text));
  const json::Value* auths = json::Find(config, "auths");
  if (auths == nullptr) return credentials;
  if (!auths->is_object()) return absl::InvalidArgumentError("\"auths\" is not an object");
  for (const auto& [key, entry] : auths->items()) {
    if (entry.is_null()) continue;
    const absl::Status status = entry.is_object() ? AddEntry(key, entry, credentials) : absl::InvalidArgumentError("not an object");
    if (!status.ok()) return Annotate(status, absl::StrCat("auths, \"", key, "\""));
  }
  return credentials;
}

absl::StatusOr<std::vector<Credential>> LoadCredentials(const CredentialSources& sources) {
  auto credentials = ReadDockerConfig(sources.docker_config);
  if (!credentials.ok()) {
    return UsageError(absl::StrCat("docker configuration \"", sources.docker_config, "\": ", credentials.status().message()));
  }
  if (sources.user.empty() && sources.password.empty()) return credentials;
  if (sources.user.empty() || sources.password.empty()) {
    return UsageError("STRATA_REGISTRY_USER and STRATA_REGISTRY_PASSWORD must be set together");
  }
  if (sources.host.empty()) {
    return UsageError("STRATA_REGISTRY_USER is set, but not for which registry; give --registry-host HOST or STRATA_REGISTRY_HOST");
  }
  std::erase_if(*credentials, [&](const Credential& credential) { return credential.host == sources.host; });
  credentials->push_back({.host = sources.host, .user = sources.user, .password = sources.password});
  return credentials;
}

}  // namespace strata::cli
