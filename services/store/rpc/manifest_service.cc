#include <map>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/rpc/call.h"
#include "lib/rpc/status.h"
#include "lib/rpc/timestamp.h"
#include "proto/strata/store/v1/manifest.grpc.pb.h"
#include "services/store/rpc/services.h"

namespace strata::store {

namespace {

using grpc::ServerContext;
using rpc::ServerCall;
using rpc::ToGrpc;

// A page ends early rather than outgrow a message; the caller goes on from its last item.
constexpr size_t kMaxPageBytes = 4 * 1024 * 1024;

absl::StatusOr<std::optional<Digest>> ParseOptional(const std::string& text) {
  if (text.empty()) return std::optional<Digest>();
  STRATA_ASSIGN_OR_RETURN(Digest digest, Digest::Parse(text));
  return std::optional<Digest>(std::move(digest));
}

constexpr int kMaxConditions = 1000;

absl::StatusOr<std::map<std::string, blobstore::TagCondition>> ParseConditions(const v1::PutManifestRequest& request) {
  if (request.tag_conditions_size() > kMaxConditions) {
    return absl::InvalidArgumentError(absl::StrCat(request.tag_conditions_size(), " tag conditions in one call; at most ",
                                                   kMaxConditions, " are taken"));
  }
  std::map<std::string, blobstore::TagCondition> conditions;
  for (const v1::TagCondition& from : request.tag_conditions()) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<Digest> digest, ParseOptional(from.digest()));
    if (from.absent() == digest.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat("the condition on tag \"", from.tag().substr(0, 128),
                                                     "\" wants a digest or that it is absent, one of the two"));
    }
    const blobstore::TagCondition condition = from.absent() ? blobstore::TagCondition::Absent() : blobstore::TagCondition(digest);
    if (!conditions.emplace(from.tag(), condition).second) {
      return absl::InvalidArgumentError(absl::StrCat("two conditions on tag \"", from.tag().substr(0, 128), "\""));
    }
  }
  return conditions;
}

// Moves items into `add(item)`, which returns the bytes it added, as far as a message may grow. Returns has_more.
template <typename T, typename Add>
bool FillPage(blobstore::Page<T>& page, Add add) {
  size_t bytes = 0;
  for (size_t i = 0; i < page.items.size(); ++i) {
    bytes += add(page.items[i]);
    if (bytes > kMaxPageBytes && i + 1 < page.items.size()) return true;
  }
  return page.has_more;
}

class ManifestService final : public v1::ManifestService::Service {
 public:
  ManifestService(blobstore::RefStore& refs, rpc::CallWatcher& watcher) : refs_(refs), watcher_(watcher) {}

  grpc::Status PutManifest(ServerContext* server, const v1::PutManifestRequest* request,
                           v1::PutManifestResponse* response) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      blobstore::PutManifestOptions options;
      STRATA_ASSIGN_OR_RETURN(options.expected_digest, ParseOptional(request->digest()));
      options.tags.assign(request->tags().begin(), request->tags().end());
      options.link_blobs = request->link_blobs();
      STRATA_ASSIGN_OR_RETURN(options.tag_conditions, ParseConditions(*request));
      STRATA_ASSIGN_OR_RETURN(const blobstore::PutManifestResult result,
                              refs_.PutManifest(call.context(), request->repository(), request->media_type(),
                                                request->content(), options));
      response->set_digest(result.digest.ToString());
      if (result.subject) response->set_subject_digest(result.subject->ToString());
      return absl::OkStatus();
    }());
  }

  grpc::Status GetManifest(ServerContext* server, const v1::GetManifestRequest* request,
                           v1::GetManifestResponse* response) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      blobstore::ManifestReference reference;
      if (request->reference_case() == v1::GetManifestRequest::REFERENCE_NOT_SET) {
        return absl::InvalidArgumentError("neither a tag nor a digest was given");
      }
      if (request->has_digest()) {
        STRATA_ASSIGN_OR_RETURN(reference.digest, Digest::Parse(request->digest()));
      }
      if (request->has_tag()) reference.tag = request->tag();
      STRATA_ASSIGN_OR_RETURN(blobstore::StoredManifest manifest,
                              refs_.GetManifest(call.context(), request->repository(), reference, request->head_only()));
      response->set_digest(manifest.digest.ToString());
      response->set_media_type(manifest.media_type);
      response->set_size_bytes(static_cast<int64_t>(manifest.size_bytes));
      response->set_content(std::move(manifest.content));
      rpc::SetTimestamp(manifest.pushed, response->mutable_pushed());
      return absl::OkStatus();
    }());
  }

  grpc::Status DeleteManifest(ServerContext* server, const v1::DeleteManifestRequest* request,
                              v1::DeleteManifestResponse* response) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(request->digest()));
      STRATA_ASSIGN_OR_RETURN(const auto tags, refs_.DeleteManifest(call.context(), request->repository(), digest));
      for (const std::string& tag : tags) response->add_tags(tag);
      return absl::OkStatus();
    }());
  }

  grpc::Status SetTag(ServerContext* server, const v1::SetTagRequest* request, v1::SetTagResponse*) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(request->digest()));
      STRATA_ASSIGN_OR_RETURN(const std::optional<Digest> expected, ParseOptional(request->expected_digest()));
      if (expected && request->expect_absent()) {
        return absl::InvalidArgumentError("the tag cannot both be absent and point to a digest; give one condition");
      }
      const blobstore::TagCondition condition =
          request->expect_absent() ? blobstore::TagCondition::Absent() : blobstore::TagCondition(expected);
      return refs_.SetTag(call.context(), request->repository(), request->tag(), digest, condition);
    }());
  }

  grpc::Status DeleteTag(ServerContext* server, const v1::DeleteTagRequest* request,
                         v1::DeleteTagResponse* response) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const std::optional<Digest> expected, ParseOptional(request->expected_digest()));
      STRATA_ASSIGN_OR_RETURN(const Digest digest,
                              refs_.DeleteTag(call.context(), request->repository(), request->tag(), expected));
      response->set_digest(digest.ToString());
      return absl::OkStatus();
    }());
  }

  grpc::Status ListTagHistory(ServerContext* server, const v1::ListTagHistoryRequest* request,
                              v1::ListTagHistoryResponse* response) override {
    const ServerCall call(watcher_, *server);
    auto page = refs_.ListTagHistory(call.context(), request->repository(), request->tag(), request->before(), request->limit());
    if (!page.ok()) return ToGrpc(page.status());
    response->set_has_more(FillPage(*page, [&](const blobstore::TagHistoryEntry& from) {
      v1::ListTagHistoryResponse::Entry& entry = *response->add_entries();
      entry.set_sequence(from.sequence);
      entry.set_change(static_cast<v1::TagChange>(from.change));
      if (from.digest) entry.set_digest(from.digest->ToString());
      rpc::SetTimestamp(from.at, entry.mutable_at());
      return entry.ByteSizeLong();
    }));
    return grpc::Status::OK;
  }

  grpc::Status ListTags(ServerContext* server, const v1::ListTagsRequest* request, v1::ListTagsResponse* response) override {
    const ServerCall call(watcher_, *server);
    auto page = refs_.ListTags(call.context(), request->repository(), request->last(), request->limit());
    if (!page.ok()) return ToGrpc(page.status());
    response->set_has_more(FillPage(*page, [&](const blobstore::TagEntry& entry) {
      v1::ListTagsResponse::Tag& tag = *response->add_tags();
      tag.set_name(entry.name);
      tag.set_digest(entry.digest.ToString());
      rpc::SetTimestamp(entry.updated, tag.mutable_updated());
      return tag.ByteSizeLong();
    }));
    return grpc::Status::OK;
  }

  grpc::Status ListRepositories(ServerContext* server, const v1::ListRepositoriesRequest* request,
                                v1::ListRepositoriesResponse* response) override {
    const ServerCall call(watcher_, *server);
    auto page = refs_.ListRepositories(call.context(), request->last(), request->limit());
    if (!page.ok()) return ToGrpc(page.status());
    response->set_has_more(FillPage(*page, [&](std::string& name) {
      response->add_repositories(std::move(name));
      return response->repositories().rbegin()->size();
    }));
    return grpc::Status::OK;
  }

  grpc::Status ListManifests(ServerContext* server, const v1::ListManifestsRequest* request,
                             v1::ListManifestsResponse* response) override {
    const ServerCall call(watcher_, *server);
    auto page = refs_.ListManifests(call.context(), request->repository(), request->last(), request->limit());
    if (!page.ok()) return ToGrpc(page.status());
    response->set_has_more(FillPage(*page, [&](const blobstore::ManifestEntry& entry) {
      v1::ListManifestsResponse::Manifest& manifest = *response->add_manifests();
      manifest.set_digest(entry.digest.ToString());
      manifest.set_media_type(entry.media_type);
      manifest.set_size_bytes(static_cast<int64_t>(entry.size_bytes));
      rpc::SetTimestamp(entry.pushed, manifest.mutable_pushed());
      return manifest.ByteSizeLong();
    }));
    return grpc::Status::OK;
  }

  grpc::Status ListReferrers(ServerContext* server, const v1::ListReferrersRequest* request,
                             v1::ListReferrersResponse* response) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const Digest subject, Digest::Parse(request->digest()));
      STRATA_ASSIGN_OR_RETURN(auto page,
                              refs_.ListReferrers(call.context(), request->repository(), subject, request->artifact_type(),
                                                  request->last(), request->limit()));
      response->set_has_more(FillPage(page, [&](const blobstore::Referrer& entry) {
        v1::ListReferrersResponse::Referrer& referrer = *response->add_referrers();
        referrer.set_digest(entry.digest.ToString());
        referrer.set_media_type(entry.media_type);
        referrer.set_size_bytes(static_cast<int64_t>(entry.size_bytes));
        referrer.set_artifact_type(entry.artifact_type);
        for (const auto& [key, value] : entry.annotations) {
          v1::ListReferrersResponse::Referrer::Annotation& annotation = *referrer.add_annotations();
          annotation.set_key(key);
          annotation.set_value(value);
        }
        return referrer.ByteSizeLong();
      }));
      return absl::OkStatus();
    }());
  }

 private:
  blobstore::RefStore& refs_;
  rpc::CallWatcher& watcher_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewManifestService(blobstore::RefStore& refs, rpc::CallWatcher& watcher) {
  return std::make_unique<ManifestService>(refs, watcher);
}

}  // namespace strata::store
