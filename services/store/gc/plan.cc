#include "services/store/gc/plan.h"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "lib/base/status.h"
#include "lib/blobstore/blob_store.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/manifest_removal.h"
#include "services/store/engine/manifest_table.h"

namespace strata::store {

namespace {

using blobstore::GarbageReport;
using keys::Review;

constexpr size_t kMaxObjects = 1'000'000;

// The steps of a run, each on what the steps before would have removed.
class Plan {
 public:
  Plan(const Core& core, const CallContext& context) : core_(core), context_(context), now_(core.clock.Now()) {}

  absl::StatusOr<GarbageReport> Make() {
    STRATA_RETURN_IF_ERROR(ForEach(Review::Kind::kManifest, now_, [&](const Review& review) { return LookAtManifests(review); }));
    for (const Name& link : leases_ended_) {
      STRATA_ASSIGN_OR_RETURN(const bool is_needed, IsNeeded(link));
      if (!is_needed) TakeLink(link);
    }
    // As Collector::RunNow() looks at them: the grace period may have been longer when they were put into the queue.
    const absl::Time last_due = absl::InfiniteFuture();
    STRATA_RETURN_IF_ERROR(ForEach(Review::Kind::kLink, last_due, [&](const Review& review) { return LookAtLink(review); }));
    STRATA_RETURN_IF_ERROR(ForEach(Review::Kind::kBlob, last_due, [&](const Review& review) {
      blobs_.insert(review.digest);
      return absl::OkStatus();
    }));
    for (const Digest& digest : blobs_) STRATA_RETURN_IF_ERROR(LookAtBlob(digest));
    return report_;
  }

 private:
  using Name = std::pair<std::string, Digest>;  // a manifest or a link: repository and digest

  absl::Status ForEach(Review::Kind kind, absl::Time last_due, const std::function<absl::Status(const Review&)>& look) {
    const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, keys::Reviews());
    for (; cursor->valid(); cursor->Next()) {
      STRATA_ASSIGN_OR_RETURN(const Review review, keys::ParseReview(cursor->key()));
      if (review.due > last_due) break;
      if (review.kind != kind) continue;
      STRATA_RETURN_IF_ERROR(context_.Check());
      ++report_.objects_examined;
      STRATA_RETURN_IF_ERROR(look(review));
      if (manifests_.size() + links_.size() + blobs_.size() > kMaxObjects) {
        return absl::ResourceExhaustedError("more than 1000000 objects are about to go, too many for a dry run; collect them");
      }
    }
    return cursor->status();
  }

  absl::Status LookAtManifests(const Review& review) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<ManifestRow> row, FindManifest(core_.kv, review.repository, review.digest));
    if (row) return LookAtManifest(review.repository, review.digest, *row);
    const std::string prefix = keys::Referrers(review.repository, review.digest);
    const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, prefix);
    for (; cursor->valid(); cursor->Next()) {
      STRATA_ASSIGN_OR_RETURN(const Digest referrer, keys::DigestBehind(prefix, cursor->key()));
      STRATA_ASSIGN_OR_RETURN(const std::optional<ManifestRow> there, FindManifest(core_.kv, review.repository, referrer));
      if (there) STRATA_RETURN_IF_ERROR(LookAtManifest(review.repository, referrer, *there));
    }
    return cursor->status();
  }

  absl::Status LookAtManifest(const std::string& repository, const Digest& digest, const ManifestRow& row) {
    STRATA_ASSIGN_OR_RETURN(const bool may_go, MayCollectManifest(core_, core_.kv, repository, digest, row));
    if (!may_go || !manifests_.insert({repository, digest}).second) return absl::OkStatus();
    ++report_.manifests_removed;
    for (const ManifestTarget& target : row.targets) {
      if (target.kind == ManifestTarget::Kind::kBlob) leases_ended_.insert({repository, target.digest});
    }
    return absl::OkStatus();
  }

  // Whether anything but manifests that go needs the link.
  absl::StatusOr<bool> IsNeeded(const Name& link) {
    const auto& [repository, digest] = link;
    if (!leases_ended_.contains(link)) return IsLinkNeeded(core_.kv, repository, digest);
    const std::string prefix = keys::EdgesTo(keys::Edge::kToBlob, repository, digest);
    const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, prefix);
    for (; cursor->valid(); cursor->Next()) {
      STRATA_ASSIGN_OR_RETURN(const Digest manifest, keys::DigestBehind(prefix, cursor->key()));
      if (!manifests_.contains({repository, manifest})) return true;
    }
    STRATA_RETURN_IF_ERROR(cursor->status());
    return repository == blobstore::kBuildRepository ? HasRows(core_.kv, keys::CacheNeeds(digest)) : absl::StatusOr<bool>(false);
  }

  absl::Status LookAtLink(const Review& review) {
    const Name link(review.repository, review.digest);
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                            core_.kv.Get(Table::kFacts, keys::Link(review.repository, review.digest)));
    if (!bytes) return absl::OkStatus();
    STRATA_ASSIGN_OR_RETURN(const LinkRow row, LinkRow::Decode(*bytes));
    STRATA_ASSIGN_OR_RETURN(const bool is_needed, IsNeeded(link));
    if (is_needed) return absl::OkStatus();
    if (row.linked + core_.options.grace <= now_) TakeLink(link);
    if (review.due <= now_ || links_.contains(link)) return absl::OkStatus();
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, FindBlob(core_.kv, review.digest));
    ++report_.blobs_later;
    if (blob) report_.bytes_later += static_cast<int64_t>(blob->size_bytes);
    return absl::OkStatus();
  }

  void TakeLink(const Name& link) {
    links_.insert(link);
    blobs_.insert(link.second);
  }

  absl::Status LookAtBlob(const Digest& digest) {
    STRATA_RETURN_IF_ERROR(context_.Check());
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, FindBlob(core_.kv, digest));
    STRATA_ASSIGN_OR_RETURN(const bool is_needed, HasRows(core_.kv, keys::CacheNeeds(digest)));
    if (!blob || is_needed) return absl::OkStatus();
    const std::string prefix = keys::LinksOfBlob(digest);
    const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, prefix);
    for (; cursor->valid(); cursor->Next()) {
      if (!links_.contains({keys::TextBehind(prefix, cursor->key()), digest})) return absl::OkStatus();
    }
    STRATA_RETURN_IF_ERROR(cursor->status());
    ++report_.blobs_removed;
    report_.bytes_reclaimed += static_cast<int64_t>(blob->size_bytes);
    return absl::OkStatus();
  }

  const Core& core_;
  const CallContext& context_;
  const absl::Time now_;
  GarbageReport report_;
  std::set<Name> manifests_;      // that go
  std::set<Name> leases_ended_;   // links of blobs that these name
  std::set<Name> links_;          // that go
  std::set<Digest> blobs_;        // that may go
};

}  // namespace

absl::StatusOr<GarbageReport> PlanCollection(const Core& core, const CallContext& context) { return Plan(core, context).Make(); }

}  // namespace strata::store
