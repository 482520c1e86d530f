#include "services/store/engine/manifests.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"
#include "lib/oci/manifest.h"
#include "lib/oci/media_type.h"
#include "lib/oci/reference.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/manifest_removal.h"
#include "services/store/engine/manifest_table.h"
#include "services/store/engine/repository_table.h"

namespace strata::store {

namespace {

using blobstore::PutManifestOptions;
using blobstore::StoredManifest;

constexpr size_t kMaxNamedMissing = 10;
constexpr size_t kMaxTagsACall = 1000;

bool IsHeldElsewhere(const oci::Descriptor& descriptor) {
  return !descriptor.urls.empty() || oci::IsNondistributable(descriptor.media_type);
}

// What must be in the repository for the manifest to be accepted, in order of digest.
std::vector<ManifestTarget> TargetsOf(const oci::Manifest& manifest) {
  std::set<ManifestTarget> targets;
  if (manifest.config) targets.insert({ManifestTarget::Kind::kBlob, manifest.config->digest});
  for (const oci::Descriptor& layer : manifest.layers) {
    if (!IsHeldElsewhere(layer)) targets.insert({ManifestTarget::Kind::kBlob, layer.digest});
  }
  for (const oci::Descriptor& child : manifest.manifests) {
    if (!IsHeldElsewhere(child)) targets.insert({ManifestTarget::Kind::kManifest, child.digest});
  }
  return std::vector<ManifestTarget>(targets.begin(), targets.end());
}

absl::Status NoSuchManifest(absl::string_view repository, absl::string_view reference) {
  return absl::NotFoundError(absl::StrCat("repository \"", repository, "\" has no manifest ", reference));
}

class MissingTargets {
 public:
  void Add(const ManifestTarget& target) {
    ++count_;
    if (named_.size() >= kMaxNamedMissing) return;
    const bool is_blob = target.kind == ManifestTarget::Kind::kBlob;
    named_.push_back(absl::StrCat(is_blob ? "blob " : "manifest ", target.digest.ToString()));
  }
  absl::Status ToStatus(absl::string_view repository) const {
    if (count_ == 0) return absl::OkStatus();
    const std::string more = count_ > named_.size() ? absl::StrCat(" and ", count_ - named_.size(), " more") : "";
    return absl::FailedPreconditionError(absl::StrCat("repository \"", repository, "\" lacks what the manifest names: ",
                                                      absl::StrJoin(named_, ", "), more, "; push these first"));
  }

 private:
  size_t count_ = 0;
  std::vector<std::string> named_;
};

// One PutManifest: everything known about it, and the steps of its transaction.
class Push {
 public:
  Push(const Core& core, absl::string_view repository, Digest digest, absl::string_view content, const oci::Manifest& manifest,
       const PutManifestOptions& options)
      : core_(core), repository_(repository), digest_(std::move(digest)), content_(content), manifest_(manifest),
        options_(options) {
    row_.media_type = manifest.media_type;
    row_.size_bytes = content.size();
    row_.targets = TargetsOf(manifest);
    if (manifest.subject) row_.subject = manifest.subject->digest;
  }

  absl::Status Run(Transaction& transaction) {
    row_.pushed = core_.clock.Now();
    STRATA_RETURN_IF_ERROR(EnterRepository(core_, transaction, repository_));
    STRATA_ASSIGN_OR_RETURN(const std::optional<ManifestRow> before,
                            LockManifest(transaction, repository_, digest_, LockMode::kExclusive));
    STRATA_RETURN_IF_ERROR(RequireTargets(transaction));
    if (before) STRATA_RETURN_IF_ERROR(RemoveReferences(transaction, *before));
    if (!before) {
      STRATA_RETURN_IF_ERROR(CountManifest(core_, transaction, repository_, row_.size_bytes, 1));
    }
    STRATA_RETURN_IF_ERROR(PutRows(transaction));
    return PointTags(transaction);
  }

 private:
  absl::Status RequireTargets(Transaction& transaction) {
    MissingTargets missing;
    for (const ManifestTarget& target : row_.targets) {
      if (target.kind != ManifestTarget::Kind::kManifest) continue;
      STRATA_ASSIGN_OR_RETURN(const auto child, LockManifest(transaction, repository_, target.digest, LockMode::kShared));
      if (!child) missing.Add(target);
    }
    for (const ManifestTarget& target : row_.targets) {
      if (target.kind != ManifestTarget::Kind::kBlob) continue;
      STRATA_ASSIGN_OR_RETURN(const bool is_held, RequireBlob(transaction, target.digest));
      if (!is_held) missing.Add(target);
    }
    return missing.ToStatus(repository_);
  }

  absl::Status PointTags(Transaction& transaction) {
    std::map<std::string, bool> tags;  // in the order in which everybody locks them; whether it moves
    for (const auto& [tag, condition] : options_.tag_conditions) tags[tag] = false;
    for (const std::string& tag : options_.tags) tags[tag] = true;
    for (const auto& [tag, moves] : tags) {
      STRATA_ASSIGN_OR_RETURN(const std::optional<TagRow> before, LockTag(transaction, repository_, tag));
      const auto condition = options_.tag_conditions.find(tag);
      if (condition != options_.tag_conditions.end()) {
        STRATA_RETURN_IF_ERROR(
            condition->second.Check(repository_, tag, before ? std::optional(before->digest) : std::nullopt));
      }
      if (!moves) continue;
      STRATA_RETURN_IF_ERROR(PointTag(core_, transaction, repository_, tag, before, blobstore::TagChange::kPush, digest_));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> RequireBlob(Transaction& transaction, const Digest& digest) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, LockBlob(transaction, digest, LockMode::kShared));
    if (!IsServed(blob)) return false;
    STRATA_ASSIGN_OR_RETURN(const bool is_linked, LockLink(transaction, repository_, digest));
    if (is_linked) return true;
    if (!options_.link_blobs) return false;
    STRATA_RETURN_IF_ERROR(AddLink(core_, transaction, repository_, digest));
    return true;
  }

  absl::Status RemoveReferences(Transaction& transaction, const ManifestRow& before) {
    for (const ManifestTarget& target : before.targets) {
      STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, ManifestEdge(repository_, target, digest_)));
    }
    if (!before.subject) return absl::OkStatus();
    return transaction.Delete(Table::kFacts, keys::Referrer(repository_, *before.subject, digest_));
  }

  absl::Status PutRows(Transaction& transaction) {
    STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::Manifest(repository_, digest_), row_.Encode()));
    STRATA_RETURN_IF_ERROR(transaction.Put(Table::kContent, keys::ManifestContent(repository_, digest_), content_));
    for (const ManifestTarget& target : row_.targets) {
      STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, ManifestEdge(repository_, target, digest_), ""));
    }
    if (!row_.subject) return absl::OkStatus();
    ReferrerRow referrer;
    referrer.media_type = row_.media_type;
    referrer.size_bytes = row_.size_bytes;
    referrer.artifact_type = manifest_.EffectiveArtifactType();
    referrer.annotations = manifest_.annotations;
    return transaction.Put(Table::kFacts, keys::Referrer(repository_, *row_.subject, digest_), referrer.Encode());
  }

  const Core& core_;
  const absl::string_view repository_;
  const Digest digest_;
  const absl::string_view content_;
  const oci::Manifest& manifest_;
  const PutManifestOptions& options_;
  ManifestRow row_;
};

absl::Status CheckDigest(absl::string_view content, const std::optional<Digest>& expected, Digest* digest) {
  *digest = Digest::Of(content, expected ? expected->algorithm() : DigestAlgorithm::kSha256);
  if (!expected || *expected == *digest) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the manifest of ", content.size(), " bytes hashes to ", digest->ToString(),
                                                 ", but ", expected->ToString(), " was declared; send it again"));
}

absl::Status CheckTags(const PutManifestOptions& options) {
  const size_t count = std::max(options.tags.size(), options.tag_conditions.size());
  if (count > kMaxTagsACall) {
    return absl::InvalidArgumentError(absl::StrCat(count, " tags in one call; at most ", kMaxTagsACall, " are taken"));
  }
  for (const std::string& tag : options.tags) STRATA_RETURN_IF_ERROR(oci::ValidateTag(tag));
  for (const auto& [tag, condition] : options.tag_conditions) STRATA_RETURN_IF_ERROR(oci::ValidateTag(tag));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<blobstore::PutManifestResult> Manifests::Put(absl::string_view repository, absl::string_view media_type,
                                                            absl::string_view content, const PutManifestOptions& options) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  STRATA_RETURN_IF_ERROR(CheckTags(options));
  if (content.size() > oci::kMaxManifestBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the manifest has ", content.size(), " bytes; at most ", oci::kMaxManifestBytes, " are taken"));
  }
  Digest digest;
  STRATA_RETURN_IF_ERROR(CheckDigest(content, options.expected_digest, &digest));
  STRATA_ASSIGN_OR_RETURN(const oci::Manifest manifest, oci::ParseManifest(content, media_type));
  STRATA_RETURN_IF_ERROR(core_.extents.CheckSpace());
  Push push(core_, repository, digest, content, manifest, options);
  STRATA_RETURN_IF_ERROR(
      InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) { return push.Run(transaction); }));
  core_.AtCommitPoint("manifest.committed");
  blobstore::PutManifestResult result;
  result.digest = digest;
  if (manifest.subject) result.subject = manifest.subject->digest;
  return result;
}

absl::StatusOr<StoredManifest> Manifests::Get(absl::string_view repository, const blobstore::ManifestReference& reference,
                                              bool head_only) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  if (reference.digest) return Read(repository, *reference.digest, reference.digest->ToString(), head_only);
  const std::string asked = absl::StrCat("tagged \"", reference.tag.substr(0, 128), "\"");
  std::optional<Digest> before;
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<TagRow> tag, FindTag(core_.kv, repository, reference.tag));
    if (!tag) return NoSuchManifest(repository, asked);
    core_.AtCommitPoint("manifest.tag_read");
    absl::StatusOr<StoredManifest> stored = Read(repository, tag->digest, asked, head_only);
    // When the tag was moved and its old manifest deleted since, the tag never was without a manifest: look again. A tag that still
    // names the manifest that is not there is damage.
    if (!absl::IsNotFound(stored.status()) || before == tag->digest) return stored;
    before = tag->digest;
  }
}

absl::StatusOr<StoredManifest> Manifests::Read(absl::string_view repository, const Digest& digest, const std::string& asked,
                                               bool head_only) {
  StoredManifest stored;
  stored.digest = digest;
  STRATA_ASSIGN_OR_RETURN(std::optional<ManifestRow> row, FindManifest(core_.kv, repository, stored.digest));
  if (!row) return NoSuchManifest(repository, asked);
  stored.media_type = std::move(row->media_type);
  stored.size_bytes = row->size_bytes;
  stored.pushed = row->pushed;
  if (head_only) return stored;
  STRATA_ASSIGN_OR_RETURN(std::optional<std::string> content,
                          core_.kv.Get(Table::kContent, keys::ManifestContent(repository, stored.digest)));
  // Deleted since its row was read.
  if (!content) return NoSuchManifest(repository, asked);
  if (Digest::Of(*content, stored.digest.algorithm()) != stored.digest) {
    return absl::DataLossError(absl::StrCat("the stored manifest ", asked, " of repository \"", repository,
                                            "\" is damaged; push it again"));
  }
  stored.content = *std::move(content);
  return stored;
}

absl::StatusOr<std::vector<std::string>> Manifests::Delete(absl::string_view repository, const Digest& digest) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  std::vector<std::string> tags;
  STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    tags.clear();
    STRATA_ASSIGN_OR_RETURN(const std::optional<ManifestRow> row,
                            LockManifest(transaction, repository, digest, LockMode::kExclusive));
    if (!row) return NoSuchManifest(repository, digest.ToString());
    const std::string parents = keys::EdgesTo(keys::Edge::kToChild, repository, digest);
    const std::unique_ptr<Cursor> parent = transaction.Scan(Table::kFacts, parents);
    STRATA_RETURN_IF_ERROR(parent->status());
    if (parent->valid()) {
      STRATA_ASSIGN_OR_RETURN(const Digest index, keys::DigestBehind(parents, parent->key()));
      return absl::FailedPreconditionError(absl::StrCat("manifest ", digest.ToString(), " is part of index ", index.ToString(),
                                                        " of repository \"", repository, "\"; delete that first"));
    }
    return RemoveManifest(core_, transaction, repository, digest, *row, &tags);
  }));
  core_.AtCommitPoint("manifest.deleted");
  return tags;
}

}  // namespace strata::store
