#include "services/registry/routes/manifests.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "services/registry/repository/name.h"
#include "services/registry/routes/conditional.h"
#include "services/registry/routes/errors.h"

namespace strata::registry {
namespace {

constexpr int kTagsAtOnce = 10'000;

// A malformed digest is the client's mistake. A malformed tag just names nothing, so reading it is a plain 404.
absl::StatusOr<Reference> ExistingReference(const Exchange& exchange) {
  const absl::string_view text = exchange.route.last;
  if (LooksLikeDigest(text)) return About(Subject::kDigest, ParseReference(text));
  auto reference = ParseReference(text);
  if (reference.ok()) return reference;
  return About(Subject::kManifest, absl::NotFoundError(reference.status().message()));
}

absl::StatusOr<Reference> NewReference(absl::string_view text) {
  return About(LooksLikeDigest(text) ? Subject::kDigest : Subject::kTag, ParseReference(text));
}

void DescribeManifest(http::Headers& headers, const blobstore::StoredManifest& manifest) {
  headers.Set("Content-Type", manifest.media_type);
  headers.Set("Docker-Content-Digest", manifest.digest.ToString());
  headers.Set("ETag", EntityTag(manifest.digest.ToString()));
}

absl::Status TooLarge() {
  return About(Subject::kSize, absl::ResourceExhaustedError(absl::StrCat(
                                   "the manifest is larger than ", kMaxManifestBytes, " bytes, the most we store")));
}

absl::StatusOr<std::string> ReadManifest(const http::Request& request) {
  if (request.content_length && *request.content_length > kMaxManifestBytes) return TooLarge();
  auto content = ReadAll(request.body, kMaxManifestBytes);
  if (absl::IsResourceExhausted(content.status())) return TooLarge();
  if (!content.ok()) return Annotate(content.status(), "receiving the manifest");
  return content;
}

// Content-Type without parameters.
absl::StatusOr<std::string> MediaType(const http::Request& request) {
  const absl::string_view value = request.headers.Get("Content-Type");
  std::string type = absl::AsciiStrToLower(absl::StripAsciiWhitespace(value.substr(0, value.find(';'))));
  if (!type.empty()) return type;
  return About(Subject::kManifest, absl::InvalidArgumentError("a manifest needs a Content-Type that says its media type"));
}

absl::Status AddTags(const http::QueryParameters& query, std::vector<std::string>& tags) {
  const auto wanted = query.FindAll("tag");
  if (wanted.size() > kMaxTagsPerPut) {
    return About(Subject::kTagCount, absl::ResourceExhaustedError(absl::StrCat(
                                         wanted.size(), " tag parameters; at most ", kMaxTagsPerPut, " go with one manifest")));
  }
  for (const absl::string_view tag : wanted) {
    STRATA_RETURN_IF_ERROR(About(Subject::kTag, CheckTag(tag)));
    tags.emplace_back(tag);
  }
  return absl::OkStatus();
}

absl::Status CheckDigest(const std::optional<Digest>& expected, absl::string_view content) {
  if (!expected) return absl::OkStatus();
  const Digest actual = Digest::Of(content, expected->algorithm());
  if (actual == *expected) return absl::OkStatus();
  return About(Subject::kDigest, absl::InvalidArgumentError(absl::StrCat(
                                     "the manifest received hashes to ", actual.ToString(), ", but the request names ",
                                     expected->ToString(), "; send the manifest again")));
}

absl::StatusOr<std::shared_ptr<const blobstore::StoredManifest>> Find(const Exchange& exchange, const Reference& reference) {
  const blobstore::ManifestReference wanted{reference.tag, reference.digest};
  if (exchange.services.manifests != nullptr) {
    return exchange.services.manifests->Get(exchange.context, exchange.route.repository, wanted, exchange.is_head());
  }
  STRATA_ASSIGN_OR_RETURN(blobstore::StoredManifest manifest, exchange.services.refs.GetManifest(
                                                                  exchange.context, exchange.route.repository, wanted,
                                                                  exchange.is_head()));
  return std::make_shared<const blobstore::StoredManifest>(std::move(manifest));
}

// For tags that not everybody may move: denied when one would, and conditions so that none does between this look and the change.
absl::Status KeepImmutableTags(const Exchange& exchange, const Digest& digest, blobstore::PutManifestOptions& options) {
  const std::string& repository = exchange.route.repository;
  for (const std::string& tag : options.tags) {
    if (!exchange.services.access.IsImmutableTag(repository, tag)) continue;
    const absl::Status may_move = exchange.Authorize(Action::kPush, repository, tag);
    if (may_move.ok()) continue;
    const auto there = exchange.services.refs.GetManifest(exchange.context, repository, {tag, std::nullopt}, true);
    if (absl::IsNotFound(there.status())) {
      options.tag_conditions[tag] = blobstore::TagCondition::Absent();
      continue;
    }
    STRATA_RETURN_IF_ERROR(there.status());
    // Pushing the same once more moves nothing.
    if (there->digest != digest) return may_move;
    options.tag_conditions[tag] = digest;
  }
  return absl::OkStatus();
}

// Somebody else made the tag meanwhile: the answer is what it would have been a moment later.
absl::Status DeniedIfMade(const Exchange& exchange, const absl::Status& stored, const blobstore::PutManifestOptions& options) {
  if (!absl::IsAborted(stored) || options.tag_conditions.empty()) return stored;
  const absl::Status denied = exchange.Authorize(Action::kPush, exchange.route.repository, options.tag_conditions.begin()->first);
  return denied.ok() ? stored : denied;
}

// A manifest that goes takes its tags with it.
absl::Status MayRemoveTagsOf(const Exchange& exchange, const Digest& digest) {
  const std::string& repository = exchange.route.repository;
  if (!exchange.services.access.HasImmutableTags(repository)) return absl::OkStatus();
  std::string last;
  while (true) {
    const auto page = exchange.services.refs.ListTags(exchange.context, repository, last, kTagsAtOnce);
    if (absl::IsNotFound(page.status())) return absl::OkStatus();
    STRATA_RETURN_IF_ERROR(page.status());
    for (const blobstore::TagEntry& tag : page->items) {
      if (tag.digest != digest || !exchange.services.access.IsImmutableTag(repository, tag.name)) continue;
      STRATA_RETURN_IF_ERROR(exchange.Authorize(Action::kDelete, repository, tag.name));
    }
    if (!page->has_more || page->items.empty()) return absl::OkStatus();
    last = page->items.back().name;
  }
}

absl::Status MayRemoveTag(const Exchange& exchange, const std::string& tag) {
  if (!exchange.services.access.IsImmutableTag(exchange.route.repository, tag)) return absl::OkStatus();
  return exchange.Authorize(Action::kDelete, exchange.route.repository, tag);
}

}  // namespace

absl::Status GetManifest(const Exchange& exchange) {
  STRATA_ASSIGN_OR_RETURN(const Reference reference, ExistingReference(exchange));
  STRATA_ASSIGN_OR_RETURN(const auto found, About(Subject::kManifest, Find(exchange, reference)));
  const blobstore::StoredManifest& manifest = *found;
  http::ResponseWriter& response = exchange.response;
  DescribeManifest(response.headers(), manifest);
  if (NoneMatchNames(exchange.request.headers, manifest.digest.ToString())) {
    response.SetStatus(304);
    return response.SendEmpty();
  }
  if (!exchange.is_head()) return response.SendBytes(manifest.content);
  response.headers().Set("Content-Length", absl::StrCat(manifest.size_bytes));
  return response.SendEmpty();
}

absl::Status PutManifest(const Exchange& exchange) {
  STRATA_ASSIGN_OR_RETURN(const Reference reference, NewReference(exchange.route.last));
  STRATA_ASSIGN_OR_RETURN(const std::string media_type, MediaType(exchange.request));
  blobstore::PutManifestOptions options;
  options.expected_digest = reference.digest;
  if (!reference.tag.empty()) options.tags.push_back(reference.tag);
  STRATA_RETURN_IF_ERROR(AddTags(exchange.request.query, options.tags));
  STRATA_ASSIGN_OR_RETURN(const std::string content, ReadManifest(exchange.request));
  STRATA_RETURN_IF_ERROR(CheckDigest(reference.digest, content));
  STRATA_RETURN_IF_ERROR(KeepImmutableTags(exchange, reference.digest.value_or(Digest::Of(content)), options));
  const absl::StatusOr<blobstore::PutManifestResult> put =
      exchange.services.refs.PutManifest(exchange.context, exchange.route.repository, media_type, content, options);
  if (!put.ok()) return About(Subject::kManifest, DeniedIfMade(exchange, put.status(), options));
  const blobstore::PutManifestResult& stored = *put;

  http::Headers& headers = exchange.response.headers();
  headers.Set("Location", ManifestLocation(exchange.route.repository, stored.digest.ToString()));
  headers.Set("Docker-Content-Digest", stored.digest.ToString());
  if (stored.subject) headers.Set("OCI-Subject", stored.subject->ToString());
  for (const absl::string_view tag : exchange.request.query.FindAll("tag")) headers.Add("OCI-Tag", tag);
  exchange.response.SetStatus(201);
  return exchange.response.SendEmpty();
}

absl::Status DeleteManifest(const Exchange& exchange) {
  STRATA_ASSIGN_OR_RETURN(const Reference reference, ExistingReference(exchange));
  blobstore::RefStore& refs = exchange.services.refs;
  STRATA_RETURN_IF_ERROR(reference.digest ? MayRemoveTagsOf(exchange, *reference.digest) : MayRemoveTag(exchange, reference.tag));
  const absl::Status deleted =
      reference.digest ? refs.DeleteManifest(exchange.context, exchange.route.repository, *reference.digest).status()
                       : refs.DeleteTag(exchange.context, exchange.route.repository, reference.tag).status();
  // A manifest that an index needs is refused as such, not as a manifest with missing blobs.
  STRATA_RETURN_IF_ERROR(About(absl::IsFailedPrecondition(deleted) ? Subject::kRequest : Subject::kManifest, deleted));
  exchange.response.SetStatus(202);
  return exchange.response.SendEmpty();
}

}  // namespace strata::registry
