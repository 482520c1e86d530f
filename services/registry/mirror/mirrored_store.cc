#include "services/registry/mirror/mirrored_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/log/log.h"

namespace strata::registry::mirror {
namespace {

constexpr int kMostTags = 10'000;

Origin OriginOf(const Match& match) {
  const std::string name = match.upstream_name.value_or("");
  return {match.upstream, name, ScopeOf(match.upstream->config(), name)};
}

}  // namespace

MirroredStore::MirroredStore(Mirrors& mirrors, const Match& match, http::Headers& headers)
    : mirrors_(mirrors), match_(match), headers_(headers), origin_(OriginOf(match)) {}

MirroredStore::~MirroredStore() {
  if (outcome_) mirrors_.Count(*match_.upstream, *outcome_);
}

absl::Status MirroredStore::ReadOnly() const {
  const std::string& prefix = match_.upstream->config().prefix;
  return absl::PermissionDeniedError(absl::StrCat(
      "repository \"", match_.local_name, "\" mirrors ", match_.upstream->config().UpstreamText(), " and takes nothing; ",
      prefix.empty() ? "push without ?ns=" : absl::StrCat("push to a name that does not begin with \"", prefix, "/\"")));
}

absl::Status MirroredStore::CheckOffered() const {
  if (match_.upstream_name) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("the mirror of ", match_.upstream->config().UpstreamText(), " does not offer repository \"", match_.local_name, "\""));
}

absl::Status MirroredStore::CheckBlobsOffered(const CallContext& context) {
  STRATA_RETURN_IF_ERROR(CheckOffered());
  if (!match_.yields_to_local) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(const bool is_known, mirrors_.index().FindRepository(context, origin_.scope));
  if (is_known) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("no manifest of repository \"", match_.local_name, "\" was asked for yet"));
}

template <typename T>
absl::StatusOr<T> MirroredStore::Failed(const absl::Status& status) {
  outcome_ = absl::IsNotFound(status) ? Outcome::kNotFound : Outcome::kError;
  return status;
}

absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> MirroredStore::OpenBlob(const CallContext& context, absl::string_view,
                                                                               const Digest& digest, uint64_t offset_bytes,
                                                                               std::optional<uint64_t> length_bytes) {
  using Reader = std::unique_ptr<blobstore::BlobReader>;
  if (const absl::Status offered = CheckBlobsOffered(context); !offered.ok()) return Failed<Reader>(offered);
  STRATA_ASSIGN_OR_RETURN(const auto held, mirrors_.index().FindBlob(context, origin_.scope, digest));
  if (held) {
    auto reader = mirrors_.stores().blobs.OpenBlob(context, "", digest, offset_bytes, length_bytes);
    // Dropped between the two calls: fetched again.
    if (!absl::IsNotFound(reader.status())) {
      if (!outcome_) outcome_ = Outcome::kHit;
      return reader;
    }
  }
  const auto flight = mirrors_.blobs().Fetch(context, origin_, digest);
  if (!flight.ok()) return Failed<Reader>(flight.status());
  const absl::StatusOr<bool> is_arriving = (*flight)->WaitForStart(context);
  if (!is_arriving.ok()) return Failed<Reader>(is_arriving.status());
  outcome_ = *is_arriving ? Outcome::kMiss : Outcome::kHit;
  if (!*is_arriving) return mirrors_.stores().blobs.OpenBlob(context, "", digest, offset_bytes, length_bytes);
  return OpenFlight(context, *flight, offset_bytes, length_bytes);
}

absl::StatusOr<uint64_t> MirroredStore::StatBlob(const CallContext& context, const Digest& digest) {
  STRATA_ASSIGN_OR_RETURN(const auto held, mirrors_.index().FindBlob(context, origin_.scope, digest));
  outcome_ = held ? Outcome::kHit : Outcome::kMiss;
  if (held) return *held;
  STRATA_ASSIGN_OR_RETURN(const auto declared, match_.upstream->DescribeBlob(context, origin_.name, digest));
  if (declared) return *declared;
  STRATA_ASSIGN_OR_RETURN(const auto reader, OpenBlob(context, "", digest, 0, std::nullopt));
  return reader->size_bytes();
}

absl::StatusOr<std::vector<std::optional<uint64_t>>> MirroredStore::StatBlobs(const CallContext& context, absl::string_view,
                                                                              absl::Span<const Digest> digests) {
  using Sizes = std::vector<std::optional<uint64_t>>;
  Sizes sizes;
  const absl::Status offered = CheckBlobsOffered(context);
  if (!offered.ok() && !absl::IsNotFound(offered)) return offered;
  for (const Digest& digest : digests) {
    const absl::StatusOr<uint64_t> size = offered.ok() ? StatBlob(context, digest) : offered;
    if (!size.ok()) {
      if (!absl::IsNotFound(size.status())) return Failed<Sizes>(size.status());
      outcome_ = Outcome::kNotFound;
    }
    sizes.push_back(size.ok() ? std::optional<uint64_t>(*size) : std::nullopt);
  }
  return sizes;
}

absl::StatusOr<blobstore::StoredManifest> MirroredStore::GetManifest(const CallContext& context, absl::string_view,
                                                                     const blobstore::ManifestReference& reference, bool) {
  using Manifest = blobstore::StoredManifest;
  if (const absl::Status offered = CheckOffered(); !offered.ok()) return Failed<Manifest>(offered);
  auto served = mirrors_.manifests().Get(context, origin_, reference);
  if (!served.ok()) return Failed<Manifest>(served.status());
  outcome_ = served->outcome;
  if (match_.yields_to_local) STRATA_RETURN_IF_ERROR(mirrors_.index().FindRepository(context, origin_.scope).status());  // it is in use
  if (!served->warning.empty()) {
    headers_.Set("Warning", served->warning);
    log::Warning("an old manifest is served, the upstream cannot be asked", {{"repository", match_.local_name},
                                                                             {"tag", reference.tag},
                                                                             {"upstream", match_.upstream->config().UpstreamText()},
                                                                             {"request_id", context.request_id},
                                                                             {"error", served->why_stale}});
  }
  return std::move(served->manifest);
}

absl::StatusOr<blobstore::Page<blobstore::TagEntry>> MirroredStore::ListTags(const CallContext& context, absl::string_view,
                                                                             absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(CheckOffered());
  STRATA_ASSIGN_OR_RETURN(std::vector<std::string> tags, match_.upstream->ListTags(context, origin_.name));
  std::sort(tags.begin(), tags.end());
  tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
  auto next = last.empty() ? tags.begin() : std::upper_bound(tags.begin(), tags.end(), std::string(last));
  const auto most = static_cast<ptrdiff_t>(limit <= 0 || limit > kMostTags ? kMostTags : limit);
  blobstore::Page<blobstore::TagEntry> page;
  page.has_more = tags.end() - next > most;
  for (const auto end = page.has_more ? next + most : tags.end(); next != end; ++next) page.items.push_back({*next, Digest(), absl::Time()});
  return page;
}

absl::StatusOr<blobstore::Page<blobstore::Referrer>> MirroredStore::ListReferrers(const CallContext&, absl::string_view, const Digest& subject,
                                                                                  absl::string_view, absl::string_view, int) {
  return absl::NotFoundError(absl::StrCat("a mirror lists no referrers; those of ", subject.ToString(), " may be under the tag of that name"));
}

}  // namespace strata::registry::mirror
