// StoreClient's side of RefStore.
#include "lib/blobstore/store_client_stubs.h"
#include "lib/oci/manifest.h"
#include "lib/rpc/timestamp.h"

namespace strata::blobstore {

namespace v1 = store::v1;
using Manifests = v1::ManifestService::Stub;

absl::StatusOr<PutManifestResult> StoreClient::PutManifest(const CallContext& context, absl::string_view repository,
                                                           absl::string_view media_type, absl::string_view content,
                                                           const PutManifestOptions& options) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the media type", media_type));
  if (content.size() > oci::kMaxManifestBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a manifest of ", content.size(), " bytes; at most ", oci::kMaxManifestBytes, " are taken"));
  }
  v1::PutManifestRequest request;
  request.set_repository(std::string(repository));
  request.set_media_type(std::string(media_type));
  request.set_content(std::string(content));
  if (options.expected_digest) request.set_digest(options.expected_digest->ToString());
  for (const std::string& tag : options.tags) {
    STRATA_RETURN_IF_ERROR(CheckText("the tag", tag));
    request.add_tags(tag);
  }
  request.set_link_blobs(options.link_blobs);
  for (const auto& [tag, condition] : options.tag_conditions) {
    STRATA_RETURN_IF_ERROR(CheckText("the tag", tag));
    if (condition.is_any()) continue;
    v1::TagCondition& wanted = *request.add_tag_conditions();
    wanted.set_tag(tag);
    wanted.set_absent(condition.is_absent());
    if (!condition.is_absent()) wanted.set_digest(condition.digest().ToString());
  }
  v1::PutManifestResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->manifests, &Manifests::PutManifest, request, &response));
  PutManifestResult result;
  STRATA_ASSIGN_OR_RETURN(result.digest, ReceivedDigest(response.digest(), stubs_->peer));
  if (!response.subject_digest().empty()) {
    STRATA_ASSIGN_OR_RETURN(result.subject, ReceivedDigest(response.subject_digest(), stubs_->peer));
  }
  return result;
}

absl::StatusOr<StoredManifest> StoreClient::GetManifest(const CallContext& context, absl::string_view repository,
                                                        const ManifestReference& reference, bool head_only) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the tag", reference.tag));
  v1::GetManifestRequest request;
  request.set_repository(std::string(repository));
  if (reference.digest) {
    request.set_digest(reference.digest->ToString());
  } else {
    request.set_tag(reference.tag);
  }
  request.set_head_only(head_only);
  v1::GetManifestResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->manifests, &Manifests::GetManifest, request, &response));
  StoredManifest manifest;
  STRATA_ASSIGN_OR_RETURN(manifest.digest, ReceivedDigest(response.digest(), stubs_->peer));
  manifest.media_type = std::move(*response.mutable_media_type());
  manifest.size_bytes = static_cast<uint64_t>(response.size_bytes());
  manifest.content = std::move(*response.mutable_content());
  manifest.pushed = rpc::ToTime(response.pushed());
  return manifest;
}

absl::StatusOr<std::vector<std::string>> StoreClient::DeleteManifest(const CallContext& context, absl::string_view repository,
                                                                     const Digest& digest) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  v1::DeleteManifestRequest request;
  request.set_repository(std::string(repository));
  request.set_digest(digest.ToString());
  v1::DeleteManifestResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->manifests, &Manifests::DeleteManifest, request, &response));
  return std::vector<std::string>(response.tags().begin(), response.tags().end());
}

absl::Status StoreClient::SetTag(const CallContext& context, absl::string_view repository, absl::string_view tag,
                                 const Digest& digest, const TagCondition& condition) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the tag", tag));
  v1::SetTagRequest request;
  request.set_repository(std::string(repository));
  request.set_tag(std::string(tag));
  request.set_digest(digest.ToString());
  request.set_expect_absent(condition.is_absent());
  if (!condition.digest().is_empty()) request.set_expected_digest(condition.digest().ToString());
  v1::SetTagResponse response;
  return Call(context, stubs_->peer, *stubs_->manifests, &Manifests::SetTag, request, &response);
}

absl::StatusOr<Digest> StoreClient::DeleteTag(const CallContext& context, absl::string_view repository, absl::string_view tag,
                                              const TagCondition& condition) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the tag", tag));
  v1::DeleteTagRequest request;
  request.set_repository(std::string(repository));
  request.set_tag(std::string(tag));
  // A tag that must not exist cannot be deleted either: the store says NOT_FOUND or, sent a digest that no tag has, where it is.
  if (condition.is_absent()) request.set_expected_digest(Digest::Of("").ToString());
  if (!condition.digest().is_empty()) request.set_expected_digest(condition.digest().ToString());
  v1::DeleteTagResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->manifests, &Manifests::DeleteTag, request, &response));
  return ReceivedDigest(response.digest(), stubs_->peer);
}

absl::StatusOr<Page<TagHistoryEntry>> StoreClient::ListTagHistory(const CallContext& context, absl::string_view repository,
                                                                  absl::string_view tag, uint64_t before, int limit) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the tag", tag));
  v1::ListTagHistoryRequest request;
  request.set_repository(std::string(repository));
  request.set_tag(std::string(tag));
  request.set_before(before);
  request.set_limit(limit);
  v1::ListTagHistoryResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->manifests, &Manifests::ListTagHistory, request, &response));
  Page<TagHistoryEntry> page;
  page.has_more = response.has_more();
  for (const v1::ListTagHistoryResponse::Entry& from : response.entries()) {
    TagHistoryEntry& entry = page.items.emplace_back();
    entry.sequence = from.sequence();
    entry.change = static_cast<TagChange>(from.change());
    entry.at = rpc::ToTime(from.at());
    if (from.digest().empty()) continue;
    STRATA_ASSIGN_OR_RETURN(entry.digest, ReceivedDigest(from.digest(), stubs_->peer));
  }
  return page;
}

absl::StatusOr<Page<TagEntry>> StoreClient::ListTags(const CallContext& context, absl::string_view repository,
                                                     absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the last tag", last));
  v1::ListTagsRequest request;
  request.set_repository(std::string(repository));
  request.set_last(std::string(last));
  request.set_limit(limit);
  v1::ListTagsResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->manifests, &Manifests::ListTags, request, &response));
  Page<TagEntry> page;
  page.has_more = response.has_more();
  for (v1::ListTagsResponse::Tag& tag : *response.mutable_tags()) {
    STRATA_ASSIGN_OR_RETURN(Digest digest, ReceivedDigest(tag.digest(), stubs_->peer));
    page.items.push_back({std::move(*tag.mutable_name()), std::move(digest), rpc::ToTime(tag.updated())});
  }
  return page;
}

absl::StatusOr<Page<std::string>> StoreClient::ListRepositories(const CallContext& context, absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(CheckText("the last repository", last));
  v1::ListRepositoriesRequest request;
  request.set_last(std::string(last));
  request.set_limit(limit);
  v1::ListRepositoriesResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->manifests, &Manifests::ListRepositories, request, &response));
  return Page<std::string>{{response.repositories().begin(), response.repositories().end()}, response.has_more()};
}

absl::StatusOr<Page<ManifestEntry>> StoreClient::ListManifests(const CallContext& context, absl::string_view repository,
                                                               absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the last digest", last));
  v1::ListManifestsRequest request;
  request.set_repository(std::string(repository));
  request.set_last(std::string(last));
  request.set_limit(limit);
  v1::ListManifestsResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->manifests, &Manifests::ListManifests, request, &response));
  Page<ManifestEntry> page;
  page.has_more = response.has_more();
  for (v1::ListManifestsResponse::Manifest& manifest : *response.mutable_manifests()) {
    STRATA_ASSIGN_OR_RETURN(Digest digest, ReceivedDigest(manifest.digest(), stubs_->peer));
    page.items.push_back({std::move(digest), std::move(*manifest.mutable_media_type()),
                          static_cast<uint64_t>(manifest.size_bytes()), rpc::ToTime(manifest.pushed())});
  }
  return page;
}

absl::StatusOr<Page<Referrer>> StoreClient::ListReferrers(const CallContext& context, absl::string_view repository,
                                                          const Digest& subject, absl::string_view artifact_type,
                                                          absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the artifact type", artifact_type));
  STRATA_RETURN_IF_ERROR(CheckText("the last digest", last));
  v1::ListReferrersRequest request;
  request.set_repository(std::string(repository));
  request.set_digest(subject.ToString());
  request.set_artifact_type(std::string(artifact_type));
  request.set_last(std::string(last));
  request.set_limit(limit);
  v1::ListReferrersResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->manifests, &Manifests::ListReferrers, request, &response));
  Page<Referrer> page;
  page.has_more = response.has_more();
  for (v1::ListReferrersResponse::Referrer& from : *response.mutable_referrers()) {
    Referrer& referrer = page.items.emplace_back();
    STRATA_ASSIGN_OR_RETURN(referrer.digest, ReceivedDigest(from.digest(), stubs_->peer));
    referrer.media_type = std::move(*from.mutable_media_type());
    referrer.size_bytes = static_cast<uint64_t>(from.size_bytes());
    referrer.artifact_type = std::move(*from.mutable_artifact_type());
    for (v1::ListReferrersResponse::Referrer::Annotation& annotation : *from.mutable_annotations()) {
      referrer.annotations.emplace_back(std::move(*annotation.mutable_key()), std::move(*annotation.mutable_value()));
    }
  }
  return page;
}

}  // namespace strata::blobstore
