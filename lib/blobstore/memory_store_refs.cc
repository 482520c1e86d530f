// MemoryStore's side of RefStore.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"
#include "lib/blobstore/memory_store.h"
#include "lib/oci/media_type.h"
#include "lib/oci/reference.h"

namespace strata::blobstore {

namespace {

constexpr size_t kMaxNamed = 10;

absl::Status CheckRepository(absl::string_view name) {
  return name == kBuildRepository ? absl::OkStatus() : oci::ValidateRepository(name);
}

absl::Status NoSuchRepository(absl::string_view name) {
  return absl::NotFoundError(absl::StrCat("no repository \"", name, "\""));
}

absl::Status NoSuchManifest(absl::string_view repository, const Digest& digest) {
  return absl::NotFoundError(absl::StrCat("repository \"", repository, "\" has no manifest ", digest.ToString()));
}

absl::Status NoSuchTag(absl::string_view repository, absl::string_view tag) {
  return absl::NotFoundError(absl::StrCat("repository \"", repository, "\" has no tag \"", tag, "\""));
}

absl::StatusOr<size_t> PageSize(int limit) {
  if (limit < 0) return absl::InvalidArgumentError(absl::StrCat("limit ", limit, " is negative"));
  return limit == 0 ? 1000 : std::min(limit, 10000);
}

// A registry is allowed not to hold these.
bool MayBeMissing(const oci::Descriptor& descriptor) {
  return !descriptor.urls.empty() || oci::IsNondistributable(descriptor.media_type);
}

std::vector<const oci::Descriptor*> BlobsOf(const oci::Manifest& manifest) {
  std::vector<const oci::Descriptor*> blobs;
  if (manifest.config) blobs.push_back(&*manifest.config);
  for (const oci::Descriptor& layer : manifest.layers) blobs.push_back(&layer);
  return blobs;
}

// Rows of `map` after `last` that `convert` turns into an item (absent: skipped), up to `limit`.
template <typename T, typename Map, typename Key, typename Convert>
Page<T> PageOf(const Map& map, const Key& last, size_t limit, Convert convert) {
  Page<T> page;
  for (auto row = map.upper_bound(last); row != map.end(); ++row) {
    std::optional<T> item = convert(*row);
    if (!item) continue;
    if (page.items.size() == limit) {
      page.has_more = true;
      break;
    }
    page.items.push_back(*std::move(item));
  }
  return page;
}

absl::StatusOr<Digest> LastDigest(absl::string_view last) {
  if (last.empty()) return Digest();
  return Digest::Parse(last);
}

}  // namespace

std::vector<std::string> MemoryStore::Missing(absl::string_view repository, const oci::Manifest& manifest) {
  std::vector<std::string> missing;
  for (const oci::Descriptor* blob : BlobsOf(manifest)) {
    const bool is_config = manifest.config && blob == &*manifest.config;
    if ((is_config || !MayBeMissing(*blob)) && FindBlob(repository, blob->digest) == nullptr) {
      missing.push_back(absl::StrCat("blob ", blob->digest.ToString()));
    }
  }
  const Repository* there = FindRepository(repository);
  for (const oci::Descriptor& child : manifest.manifests) {
    if (!MayBeMissing(child) && (there == nullptr || !there->manifests.contains(child.digest))) {
      missing.push_back(absl::StrCat("manifest ", child.digest.ToString()));
    }
  }
  return missing;
}

absl::StatusOr<PutManifestResult> MemoryStore::PutManifest(const CallContext& context, absl::string_view repository,
                                                           absl::string_view media_type, absl::string_view content,
                                                           const PutManifestOptions& options) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  for (const std::string& tag : options.tags) STRATA_RETURN_IF_ERROR(oci::ValidateTag(tag));
  for (const auto& [tag, condition] : options.tag_conditions) STRATA_RETURN_IF_ERROR(oci::ValidateTag(tag));
  STRATA_ASSIGN_OR_RETURN(oci::Manifest parsed, oci::ParseManifest(content, media_type));
  const Digest digest = Digest::Of(
      content, options.expected_digest ? options.expected_digest->algorithm() : DigestAlgorithm::kSha256);
  if (options.expected_digest && *options.expected_digest != digest) {
    return absl::InvalidArgumentError(absl::StrCat("the manifest hashes to ", digest.ToString(), ", not to ",
                                                   options.expected_digest->ToString()));
  }
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  std::vector<Digest> to_link;
  for (const oci::Descriptor* blob : BlobsOf(parsed)) {
    if (options.link_blobs && FindBlob("", blob->digest) != nullptr) to_link.push_back(blob->digest);
  }
  std::vector<std::string> missing = Missing(repository, parsed);
  std::erase_if(missing, [&](const std::string& what) {
    return std::any_of(to_link.begin(), to_link.end(), [&](const Digest& d) { return what == absl::StrCat("blob ", d.ToString()); });
  });
  if (!missing.empty()) {
    const size_t count = missing.size();
    missing.resize(std::min(count, kMaxNamed));
    return absl::FailedPreconditionError(absl::StrCat("repository \"", repository, "\" lacks ", count,
                                                      " of what the manifest names: ", absl::StrJoin(missing, ", "),
                                                      "; push them first"));
  }
  for (const auto& [tag, condition] : options.tag_conditions) {
    STRATA_RETURN_IF_ERROR(condition.Check(repository, tag, TagTarget(repository, tag)));
  }
  const Repository* const known = FindRepository(repository);
  if (known == nullptr || !known->manifests.contains(digest)) {
    STRATA_RETURN_IF_ERROR(CheckQuotas(repository, static_cast<int64_t>(content.size()), 1));
  }
  Repository& there = repositories_[std::string(repository)];
  for (const Digest& blob : to_link) there.links[blob] = now;
  PutManifestResult result{digest, std::nullopt};
  if (parsed.subject) result.subject = parsed.subject->digest;
  StoredManifest stored{digest, parsed.media_type, content.size(), std::string(content), now};
  there.manifests.insert_or_assign(digest, ManifestRow{std::move(stored), std::move(parsed)});
  for (const std::string& tag : options.tags) MoveTag(repository, tag, TagChange::kPush, digest);
  return result;
}

absl::StatusOr<StoredManifest> MemoryStore::GetManifest(const CallContext& context, absl::string_view repository,
                                                        const ManifestReference& reference, bool head_only) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  Digest digest;
  const Repository* there = FindRepository(repository);
  if (there == nullptr) return NoSuchRepository(repository);
  if (reference.digest) {
    digest = *reference.digest;
  } else {
    const auto tag = there->tags.find(reference.tag);
    if (tag == there->tags.end()) return NoSuchTag(repository, reference.tag);
    digest = tag->second.digest;
  }
  const auto found = there->manifests.find(digest);
  if (found == there->manifests.end()) return NoSuchManifest(repository, digest);
  StoredManifest manifest = found->second.stored;
  if (head_only) manifest.content.clear();
  return manifest;
}

absl::StatusOr<std::vector<std::string>> MemoryStore::DeleteManifest(const CallContext& context, absl::string_view repository,
                                                                     const Digest& digest) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  Repository* there = FindRepository(repository);
  if (there == nullptr || !there->manifests.contains(digest)) return NoSuchManifest(repository, digest);
  for (const auto& [parent, row] : there->manifests) {
    for (const oci::Descriptor& child : row.parsed.manifests) {
      if (child.digest != digest || parent == digest) continue;
      return absl::FailedPreconditionError(absl::StrCat("manifest ", digest.ToString(), " is part of the index ", parent.ToString(),
                                                        " in repository \"", repository, "\"; delete that first"));
    }
  }
  std::vector<std::string> tags;
  for (const auto& [name, tag] : there->tags) {
    if (tag.digest == digest) tags.push_back(name);
  }
  for (const std::string& tag : tags) MoveTag(repository, tag, TagChange::kManifestDeleted, std::nullopt);
  Orphan(*there, std::string(repository), there->manifests.at(digest), clock_.Now(), &orphans_);
  there->manifests.erase(digest);
  return tags;
}

std::optional<Digest> MemoryStore::TagTarget(absl::string_view repository, const std::string& tag) {
  const Repository* there = FindRepository(repository);
  if (there == nullptr) return std::nullopt;
  const auto found = there->tags.find(tag);
  return found == there->tags.end() ? std::nullopt : std::optional(found->second.digest);
}

void MemoryStore::RecordChange(absl::string_view repository, const std::string& tag, TagChange change,
                               const std::optional<Digest>& digest) {
  std::vector<TagHistoryEntry>& history = histories_[{std::string(repository), tag}];
  history.push_back({history.empty() ? 1 : history.back().sequence + 1, change, digest, clock_.Now()});
  if (history.size() > kHistoryEntries) history.erase(history.begin());
}

void MemoryStore::MoveTag(absl::string_view repository, const std::string& tag, TagChange change,
                          const std::optional<Digest>& digest) {
  if (TagTarget(repository, tag) != digest) RecordChange(repository, tag, change, digest);
  std::map<std::string, TagEntry>& tags = FindRepository(repository)->tags;
  if (digest) {
    tags[tag] = TagEntry{tag, *digest, clock_.Now()};
  } else {
    tags.erase(tag);
  }
}

absl::Status MemoryStore::SetTag(const CallContext& context, absl::string_view repository, absl::string_view tag,
                                 const Digest& digest, const TagCondition& condition) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_RETURN_IF_ERROR(oci::ValidateTag(tag));
  MutexLock lock(mutex_);
  const Repository* there = FindRepository(repository);
  if (there == nullptr || !there->manifests.contains(digest)) return NoSuchManifest(repository, digest);
  STRATA_RETURN_IF_ERROR(condition.Check(repository, tag, TagTarget(repository, std::string(tag))));
  MoveTag(repository, std::string(tag), TagChange::kSet, digest);
  return absl::OkStatus();
}

absl::StatusOr<Digest> MemoryStore::DeleteTag(const CallContext& context, absl::string_view repository, absl::string_view tag,
                                              const TagCondition& condition) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  if (FindRepository(repository) == nullptr) return NoSuchRepository(repository);
  const std::optional<Digest> digest = TagTarget(repository, std::string(tag));
  if (!digest) return NoSuchTag(repository, tag);
  STRATA_RETURN_IF_ERROR(condition.Check(repository, tag, digest));
  MoveTag(repository, std::string(tag), TagChange::kDelete, std::nullopt);
  return *digest;
}

absl::StatusOr<Page<TagHistoryEntry>> MemoryStore::ListTagHistory(const CallContext& context, absl::string_view repository,
                                                                  absl::string_view tag, uint64_t before, int limit) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  STRATA_RETURN_IF_ERROR(oci::ValidateTag(tag));
  STRATA_ASSIGN_OR_RETURN(const size_t page_size, PageSize(limit));
  MutexLock lock(mutex_);
  const auto found = histories_.find({std::string(repository), std::string(tag)});
  if (found == histories_.end()) return NoSuchTag(repository, tag);
  Page<TagHistoryEntry> page;
  for (auto entry = found->second.rbegin(); entry != found->second.rend(); ++entry) {
    if (before != 0 && entry->sequence >= before) continue;
    page.has_more = page.items.size() == page_size;
    if (page.has_more) break;
    page.items.push_back(*entry);
  }
  return page;
}

absl::StatusOr<Page<TagEntry>> MemoryStore::ListTags(const CallContext& context, absl::string_view repository,
                                                     absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_ASSIGN_OR_RETURN(const size_t page_size, PageSize(limit));
  MutexLock lock(mutex_);
  const Repository* there = FindRepository(repository);
  if (there == nullptr) return NoSuchRepository(repository);
  return PageOf<TagEntry>(there->tags, std::string(last), page_size, [](const auto& row) { return std::optional(row.second); });
}

absl::StatusOr<Page<std::string>> MemoryStore::ListRepositories(const CallContext& context, absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_ASSIGN_OR_RETURN(const size_t page_size, PageSize(limit));
  MutexLock lock(mutex_);
  return PageOf<std::string>(repositories_, std::string(last), page_size, [](const auto& row) {
    return row.first.front() == '_' ? std::nullopt : std::optional(row.first);
  });
}

absl::StatusOr<Page<ManifestEntry>> MemoryStore::ListManifests(const CallContext& context, absl::string_view repository,
                                                               absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_ASSIGN_OR_RETURN(const size_t page_size, PageSize(limit));
  STRATA_ASSIGN_OR_RETURN(const Digest after, LastDigest(last));
  MutexLock lock(mutex_);
  const Repository* there = FindRepository(repository);
  if (there == nullptr) return NoSuchRepository(repository);
  return PageOf<ManifestEntry>(there->manifests, after, page_size, [](const auto& row) {
    const StoredManifest& stored = row.second.stored;
    return std::optional(ManifestEntry{stored.digest, stored.media_type, stored.size_bytes, stored.pushed});
  });
}

absl::StatusOr<Page<Referrer>> MemoryStore::ListReferrers(const CallContext& context, absl::string_view repository,
                                                          const Digest& subject, absl::string_view artifact_type,
                                                          absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_ASSIGN_OR_RETURN(const size_t page_size, PageSize(limit));
  STRATA_ASSIGN_OR_RETURN(const Digest after, LastDigest(last));
  MutexLock lock(mutex_);
  const Repository* there = FindRepository(repository);
  if (there == nullptr) return Page<Referrer>();
  return PageOf<Referrer>(there->manifests, after, page_size, [&](const auto& row) -> std::optional<Referrer> {
    const oci::Manifest& manifest = row.second.parsed;
    if (!manifest.subject || manifest.subject->digest != subject) return std::nullopt;
    if (!artifact_type.empty() && manifest.EffectiveArtifactType() != artifact_type) return std::nullopt;
    const StoredManifest& stored = row.second.stored;
    return Referrer{stored.digest, stored.media_type, stored.size_bytes, manifest.EffectiveArtifactType(), manifest.annotations};
  });
}

}  // namespace strata::blobstore
