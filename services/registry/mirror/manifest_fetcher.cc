#include "services/registry/mirror/manifest_fetcher.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/http/headers.h"
#include "lib/log/log.h"

namespace strata::registry::mirror {
namespace {

constexpr size_t kMaxMediaTypeBytes = 255;
// Spec: RFC 7234 section 5.5.
constexpr char kResting[] = "110 strata-registry \"Response is Stale\"";
constexpr char kFailed[] = "111 strata-registry \"Revalidation Failed\"";

ServedManifest Served(const ManifestRecord& record, std::string content, Outcome outcome) {
  ServedManifest served;
  served.manifest.digest = record.digest;
  served.manifest.media_type = record.media_type;
  served.manifest.size_bytes = content.size();
  served.manifest.content = std::move(content);
  served.outcome = outcome;
  return served;
}

// It becomes our Content-Type.
bool IsMediaType(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxMediaTypeBytes && http::IsValidFieldValue(text) && text.find('/') != absl::string_view::npos;
}

}  // namespace

absl::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kHit: return "hit";
    case Outcome::kMiss: return "miss";
    case Outcome::kRevalidated: return "revalidated";
    case Outcome::kStale: return "stale";
    case Outcome::kNotFound: return "not_found";
    case Outcome::kError: return "error";
  }
  return "unknown";
}

bool ManifestFetcher::IsFresh(const Origin& origin, const std::optional<TagRecord>& record) const {
  if (!record || !record->manifest) return false;
  const absl::Duration age = clock_.Now() - record->checked;
  // A record of the future was written by a clock that was wrong.
  return age >= absl::ZeroDuration() && age < origin.upstream->config().revalidate_after;
}

absl::StatusOr<ServedManifest> ManifestFetcher::Get(const CallContext& context, const Origin& origin,
                                                    const blobstore::ManifestReference& reference) {
  return reference.digest ? GetByDigest(context, origin, *reference.digest) : GetByTag(context, origin, reference.tag);
}

absl::StatusOr<ServedManifest> ManifestFetcher::GetByDigest(const CallContext& context, const Origin& origin, const Digest& digest) {
  const auto from_store = [&]() -> absl::StatusOr<ServedManifest> {
    STRATA_ASSIGN_OR_RETURN(const auto record, index_.FindManifest(context, origin.scope, digest));
    if (!record) return absl::NotFoundError("no record");
    return Serve(context, *record, Outcome::kHit);
  };
  auto held = from_store();
  if (!absl::IsNotFound(held.status())) return held;
  return flights_.Do(absl::StrCat(origin.scope, "\n", digest.ToString()), [&]() -> absl::StatusOr<ServedManifest> {
    // The one before us may have brought it just now.
    auto again = from_store();
    if (!absl::IsNotFound(again.status())) return again;
    return Fetch(context, origin, digest.ToString(), "");
  });
}

absl::StatusOr<ServedManifest> ManifestFetcher::GetByTag(const CallContext& context, const Origin& origin, const std::string& tag) {
  std::optional<TagRecord> held;
  const auto from_store = [&]() -> absl::StatusOr<ServedManifest> {
    STRATA_ASSIGN_OR_RETURN(held, index_.FindTag(context, origin.scope, tag));
    if (!IsFresh(origin, held)) return absl::NotFoundError("no fresh record");
    return Serve(context, *held->manifest, Outcome::kHit);
  };
  auto fresh = from_store();
  if (!absl::IsNotFound(fresh.status())) return fresh;
  return flights_.Do(absl::StrCat(origin.scope, "\n", tag), [&]() -> absl::StatusOr<ServedManifest> {
    auto again = from_store();
    if (!absl::IsNotFound(again.status())) return again;
    return Revalidate(context, origin, tag, held);
  });
}

absl::StatusOr<ServedManifest> ManifestFetcher::Revalidate(const CallContext& context, const Origin& origin, const std::string& tag,
                                                           const std::optional<TagRecord>& held) {
  if (held && held->manifest) {
    if (origin.upstream->is_resting()) {
      auto stale = ServeStale(context, *held->manifest, absl::OkStatus());
      if (!absl::IsNotFound(stale.status())) return stale;
    }
    const auto now = origin.upstream->DescribeManifest(context, origin.name, tag);
    if (absl::IsNotFound(now.status())) return NoteAbsence(context, origin, tag, now.status());
    if (now.ok() && now->digest == held->manifest->digest) {
      auto served = Serve(context, *held->manifest, Outcome::kRevalidated);
      if (served.ok()) {
        // Failing costs one more look at the upstream.
        index_.PutTag(context, origin.scope, tag, {held->manifest, clock_.Now()}).IgnoreError();
        return served;
      }
    }
    if (!now.ok()) {
      auto stale = ServeStale(context, *held->manifest, now.status());
      if (!absl::IsNotFound(stale.status())) return stale;
      return now.status();
    }
  }
  auto fetched = Fetch(context, origin, tag, tag);
  if (fetched.ok()) return fetched;
  if (absl::IsNotFound(fetched.status())) {
    return held ? NoteAbsence(context, origin, tag, fetched.status()) : fetched;
  }
  if (!held || !held->manifest) return fetched;
  auto stale = ServeStale(context, *held->manifest, fetched.status());
  return absl::IsNotFound(stale.status()) ? fetched : stale;
}

absl::StatusOr<ServedManifest> ManifestFetcher::Fetch(const CallContext& context, const Origin& origin, const std::string& reference,
                                                      const std::string& tag) {
  STRATA_ASSIGN_OR_RETURN(const distribution::FetchedManifest manifest, origin.upstream->FetchManifest(context, origin.name, reference));
  if (!IsMediaType(manifest.media_type)) {
    return absl::UnavailableError(absl::StrCat("manifest ", reference, " of ", origin.name, ": ", origin.upstream->config().UpstreamText(),
                                               " does not say its media type"));
  }
  if (const absl::Status kept = Keep(context, origin, tag, manifest); !kept.ok()) {
    log::Warning("a mirrored manifest is not kept", {{"repository", origin.name}, {"digest", manifest.digest.ToString()}, {"error", kept}});
  }
  return Served({manifest.digest, manifest.media_type, manifest.content.size()}, manifest.content, Outcome::kMiss);
}

absl::Status ManifestFetcher::Keep(const CallContext& context, const Origin& origin, const std::string& tag,
                                   const distribution::FetchedManifest& manifest) {
  StringSource source(manifest.content);
  STRATA_RETURN_IF_ERROR(blobstore::UploadBlob(blobs_, context, blobstore::kBuildRepository, source, manifest.digest, manifest.content.size()));
  const ManifestRecord record{manifest.digest, manifest.media_type, manifest.content.size()};
  STRATA_RETURN_IF_ERROR(index_.PutManifest(context, origin.scope, record));
  STRATA_RETURN_IF_ERROR(index_.PutRepository(context, origin.scope));
  return tag.empty() ? absl::OkStatus() : index_.PutTag(context, origin.scope, tag, {record, clock_.Now()});
}

absl::StatusOr<ServedManifest> ManifestFetcher::Serve(const CallContext& context, const ManifestRecord& record, Outcome outcome) {
  auto reader = blobs_.OpenBlob(context, "", record.digest);
  if (!reader.ok()) return absl::IsDataLoss(reader.status()) ? absl::NotFoundError(reader.status().message()) : reader.status();
  auto content = ReadAll(**reader, distribution::kMaxManifestBytes);
  // Damaged content is fetched anew.
  if (absl::IsDataLoss(content.status())) return absl::NotFoundError(content.status().message());
  if (!content.ok()) return content.status();
  return Served(record, *std::move(content), outcome);
}

absl::StatusOr<ServedManifest> ManifestFetcher::ServeStale(const CallContext& context, const ManifestRecord& record, const absl::Status& why) {
  STRATA_ASSIGN_OR_RETURN(ServedManifest served, Serve(context, record, Outcome::kStale));
  served.warning = why.ok() ? kResting : kFailed;
  served.why_stale = why.ok() ? absl::UnavailableError("it failed a moment ago, and rests") : why;
  return served;
}

absl::StatusOr<ServedManifest> ManifestFetcher::NoteAbsence(const CallContext& context, const Origin& origin, const std::string& tag,
                                                            absl::Status status) {
  if (const absl::Status noted = index_.PutTag(context, origin.scope, tag, {std::nullopt, clock_.Now()}); !noted.ok()) {
    log::Warning("a tag that is gone could not be noted", {{"repository", origin.name}, {"tag", tag}, {"error", noted}});
  }
  return status;
}

}  // namespace strata::registry::mirror
