#include "services/registry/mirror/upstream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/log/log.h"

namespace strata::registry::mirror {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
constexpr absl::Duration kProgressTimeout = absl::Seconds(20);

// All that clients of today read, so that one copy serves every client whatever it accepts.
const std::vector<std::string>& Accept() {
  static const auto& types = *new std::vector<std::string>{
      "application/vnd.oci.image.index.v1+json",
      "application/vnd.docker.distribution.manifest.list.v2+json",
      "application/vnd.oci.image.manifest.v1+json",
      "application/vnd.docker.distribution.manifest.v2+json",
      "application/vnd.oci.artifact.manifest.v1+json",
  };
  return types;
}

http::ClientOptions HttpOptions(const MirrorConfig& config) {
  http::ClientOptions options;
  options.connect_timeout = kConnectTimeout;
  options.min_progress_timeout = kProgressTimeout;
  options.ca_file = config.ca_file;
  options.user_agent = "strata-registry";
  options.allow_private_addresses = config.allow_private;
  return options;
}

distribution::RegistryClientOptions ClientOptions(const MirrorConfig& config) {
  distribution::RegistryClientOptions options;
  options.server = config.upstream;
  if (config.user.empty()) return options;
  // Read anew for each token, so that a changed password needs no restart.
  options.credentials = [user = config.user, file = config.password_file](const std::string&) -> std::optional<distribution::Credentials> {
    auto password = ReadPassword(file);
    if (password.ok()) return distribution::Credentials{user, *std::move(password)};
    log::Error("upstream is asked without credentials", {{"error", password.status()}});
    return std::nullopt;
  };
  options.realm_check = [config](const http::Url& realm) {
    if (config.TrustsTokenServer(realm)) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("it sends us to the token server ", realm.Authority(), ", which may not see the password of ",
                                                      config.UpstreamText(), "; list it in \"token_hosts\" if it may"));
  };
  return options;
}

bool IsAbsence(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
}

}  // namespace

// Counts the bytes, and gives failures the codes of Upstream.
class Upstream::Source final : public ByteSource {
 public:
  Source(Upstream& upstream, std::unique_ptr<ByteSource> inner) : upstream_(upstream), inner_(std::move(inner)) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    STRATA_ASSIGN_OR_RETURN(const size_t n, upstream_.Noted(inner_->Read(buffer, size)));
    upstream_.bytes_.Add(n);
    return n;
  }

 private:
  Upstream& upstream_;
  const std::unique_ptr<ByteSource> inner_;
};

Upstream::Upstream(MirrorConfig config, const Clock& clock, metrics::Registry& metrics)
    : config_(std::move(config)),
      clock_(clock),
      http_(HttpOptions(config_)),
      client_(http_, ClientOptions(config_)),
      errors_(metrics.AddCounter("strata_registry_mirror_upstream_errors_total", "Requests to an upstream registry that failed.",
                                 {{"upstream", config_.UpstreamText()}})),
      bytes_(metrics.AddCounter("strata_registry_mirror_upstream_bytes_total", "Content fetched from an upstream registry.",
                                {{"upstream", config_.UpstreamText()}})) {}

absl::Status Upstream::Noted(const absl::Status& status) {
  const bool is_answer = status.ok() || IsAbsence(status);
  {
    MutexLock lock(mutex_);
    if (is_answer) failed_ = absl::InfinitePast();
    if (!is_answer) failed_ = clock_.Now();
  }
  if (status.ok()) return status;
  if (is_answer) return absl::NotFoundError(status.message());
  errors_.Add();
  if (absl::IsResourceExhausted(status) || absl::IsUnavailable(status)) return status;
  return absl::UnavailableError(status.message());
}

bool Upstream::is_resting() const {
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  return now - failed_ < kRest;
}

absl::StatusOr<distribution::FetchedManifest> Upstream::FetchManifest(const CallContext& context, const std::string& name,
                                                                      const std::string& reference) {
  auto manifest = Noted(client_.FetchManifest(context, At(name), reference, Accept()));
  if (manifest.ok()) bytes_.Add(manifest->content.size());
  return manifest;
}

absl::StatusOr<distribution::ManifestDescription> Upstream::DescribeManifest(const CallContext& context, const std::string& name,
                                                                             const std::string& reference) {
  return Noted(client_.DescribeManifest(context, At(name), reference, Accept()));
}

absl::StatusOr<UpstreamBlob> Upstream::FetchBlob(const CallContext& context, const std::string& name, const Digest& digest) {
  UpstreamBlob blob;
  STRATA_ASSIGN_OR_RETURN(auto source, Noted(client_.FetchBlob(context, At(name), digest, -1, &blob.declared_bytes)));
  blob.source = std::make_unique<Source>(*this, std::move(source));
  return blob;
}

absl::StatusOr<std::optional<uint64_t>> Upstream::DescribeBlob(const CallContext& context, const std::string& name, const Digest& digest) {
  return Noted(client_.DescribeBlob(context, At(name), digest));
}

absl::StatusOr<std::vector<std::string>> Upstream::ListTags(const CallContext& context, const std::string& name) {
  return Noted(client_.ListTags(context, At(name)));
}

}  // namespace strata::registry::mirror
