#include "services/registry/mirror/mirrors.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"

namespace strata::registry::mirror {

absl::StatusOr<std::unique_ptr<Mirrors>> Mirrors::Open(std::vector<MirrorConfig> configs, Stores stores, const Clock& clock,
                                                       metrics::Registry& metrics, BlobFetcherOptions options) {
  BlobFlight trial;
  if (const absl::Status writable = trial.Begin(options.spool_folder, std::nullopt); !writable.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("the spool folder ", options.spool_folder, " cannot be used: ", writable.message()));
  }
  return std::unique_ptr<Mirrors>(new Mirrors(std::move(configs), stores, clock, metrics, std::move(options)));
}

Mirrors::Mirrors(std::vector<MirrorConfig> configs, Stores stores, const Clock& clock, metrics::Registry& metrics, BlobFetcherOptions options)
    : stores_(stores), index_(stores_.cache), manifests_(stores_.blobs, index_, clock), blobs_(stores_.blobs, index_, std::move(options)) {
  std::sort(configs.begin(), configs.end(),
            [](const MirrorConfig& a, const MirrorConfig& b) { return a.prefix.size() > b.prefix.size(); });
  for (MirrorConfig& config : configs) {
    Counted mirror;
    for (size_t i = 0; i < kOutcomes; ++i) {
      mirror.outcomes[i] = &metrics.AddCounter(
          "strata_registry_mirror_requests_total", "Requests for mirrored manifests and blobs.",
          {{"upstream", config.UpstreamText()}, {"outcome", std::string(OutcomeName(static_cast<Outcome>(i)))}});
    }
    mirror.upstream = std::make_unique<Upstream>(std::move(config), clock, metrics);
    mirrors_.push_back(std::move(mirror));
  }
}

std::optional<Match> Mirrors::Find(absl::string_view repository, absl::string_view ns) const {
  const std::string wanted = absl::AsciiStrToLower(ns);
  if (!wanted.empty()) {
    for (const Counted& mirror : mirrors_) {
      const MirrorConfig& config = mirror.upstream->config();
      if (std::find(config.namespaces.begin(), config.namespaces.end(), wanted) == config.namespaces.end()) continue;
      const std::string local = config.prefix.empty() ? std::string(repository) : absl::StrCat(config.prefix, "/", repository);
      return Match{mirror.upstream.get(), local, config.UpstreamName(repository), wanted, false};
    }
  }
  for (const Counted& mirror : mirrors_) {
    const MirrorConfig& config = mirror.upstream->config();
    absl::string_view rest = repository;
    const bool is_empty = config.prefix.empty();
    if (!is_empty && !(absl::ConsumePrefix(&rest, config.prefix) && absl::ConsumePrefix(&rest, "/"))) continue;
    std::optional<std::string> name = config.UpstreamName(rest);
    if (is_empty && !name) return std::nullopt;
    return Match{mirror.upstream.get(), std::string(repository), std::move(name), "", is_empty};
  }
  return std::nullopt;
}

absl::StatusOr<bool> Mirrors::ExistsHere(const CallContext& context, const Match& match) const {
  const absl::Status found = stores_.refs.ListTags(context, match.local_name, "", 1).status();
  if (absl::IsNotFound(found)) return false;
  STRATA_RETURN_IF_ERROR(found);
  return true;
}

void Mirrors::Count(const Upstream& upstream, Outcome outcome) {
  for (const Counted& mirror : mirrors_) {
    if (mirror.upstream.get() == &upstream) mirror.outcomes[static_cast<size_t>(outcome)]->Add();
  }
}

}  // namespace strata::registry::mirror
