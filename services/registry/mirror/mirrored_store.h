// The store that the routes see when a request names a mirrored repository: reads are those of the mirror, writes are refused.
//
// Lives for one request. Of the repository that its calls name it makes no use: there is only one.
#pragma once

#include <string>

#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/http/headers.h"
#include "services/registry/mirror/mirrors.h"

namespace strata::registry::mirror {

class MirroredStore final : public blobstore::BlobStore, public blobstore::RefStore {
 public:
  // `headers` are those of the answer: a stale one gets a Warning. All outlive this object.
  MirroredStore(Mirrors& mirrors, const Match& match, http::Headers& headers);
  ~MirroredStore() override;  // counts what became of the request

  // "hit", "miss"...; "" when nothing was read.
  absl::string_view outcome() const { return outcome_ ? OutcomeName(*outcome_) : ""; }

  absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> OpenBlob(const CallContext& context, absl::string_view repository, const Digest& digest,
                                                                  uint64_t offset_bytes, std::optional<uint64_t> length_bytes) override;
  absl::StatusOr<std::vector<std::optional<uint64_t>>> StatBlobs(const CallContext& context, absl::string_view repository,
                                                                 absl::Span<const Digest> digests) override;
  absl::StatusOr<blobstore::StoredManifest> GetManifest(const CallContext& context, absl::string_view repository,
                                                        const blobstore::ManifestReference& reference, bool head_only) override;
  // Those of the upstream, asked for each time.
  absl::StatusOr<blobstore::Page<blobstore::TagEntry>> ListTags(const CallContext& context, absl::string_view repository,
                                                                absl::string_view last, int limit) override;
  // kNotFound, which makes clients look for the tag that stands for a list of referrers; that one is mirrored.
  absl::StatusOr<blobstore::Page<blobstore::Referrer>> ListReferrers(const CallContext&, absl::string_view, const Digest&, absl::string_view,
                                                                     absl::string_view, int) override;

  // kPermissionDenied, all of them.
  absl::StatusOr<std::string> StartUpload(const CallContext&, absl::string_view, DigestAlgorithm) override { return ReadOnly(); }
  absl::StatusOr<blobstore::UploadInfo> GetUpload(const CallContext&, absl::string_view, absl::string_view) override { return ReadOnly(); }
  absl::Status CancelUpload(const CallContext&, absl::string_view, absl::string_view) override { return ReadOnly(); }
  absl::StatusOr<std::unique_ptr<blobstore::UploadWriter>> OpenUpload(const CallContext&, absl::string_view, absl::string_view,
                                                                      std::optional<uint64_t>, uint64_t) override {
    return ReadOnly();
  }
  absl::Status LinkBlobs(const CallContext&, absl::string_view, absl::string_view, absl::Span<const Digest>) override { return ReadOnly(); }
  absl::Status UnlinkBlob(const CallContext&, absl::string_view, const Digest&) override { return ReadOnly(); }
  absl::StatusOr<blobstore::PutManifestResult> PutManifest(const CallContext&, absl::string_view, absl::string_view, absl::string_view,
                                                           const blobstore::PutManifestOptions&) override {
    return ReadOnly();
  }
  absl::StatusOr<std::vector<std::string>> DeleteManifest(const CallContext&, absl::string_view, const Digest&) override { return ReadOnly(); }
  absl::Status SetTag(const CallContext&, absl::string_view, absl::string_view, const Digest&, const blobstore::TagCondition&) override {
    return ReadOnly();
  }
  absl::StatusOr<Digest> DeleteTag(const CallContext&, absl::string_view, absl::string_view, const blobstore::TagCondition&) override {
    return ReadOnly();
  }
  absl::StatusOr<blobstore::Page<blobstore::TagHistoryEntry>> ListTagHistory(const CallContext&, absl::string_view, absl::string_view, uint64_t,
                                                                             int) override {
    return ReadOnly();
  }
  absl::StatusOr<blobstore::Page<std::string>> ListRepositories(const CallContext&, absl::string_view, int) override { return ReadOnly(); }
  absl::StatusOr<blobstore::Page<blobstore::ManifestEntry>> ListManifests(const CallContext&, absl::string_view, absl::string_view, int) override {
    return ReadOnly();
  }

  absl::Status ReadOnly() const;

 private:
  // kNotFound: the mirror does not offer the repository.
  absl::Status CheckOffered() const;
  // The same of blobs. By the empty prefix, names of what people are about to push here are not told to the upstream.
  absl::Status CheckBlobsOffered(const CallContext& context);
  absl::StatusOr<uint64_t> StatBlob(const CallContext& context, const Digest& digest);
  template <typename T>
  absl::StatusOr<T> Failed(const absl::Status& status);

  Mirrors& mirrors_;
  const Match& match_;
  http::Headers& headers_;
  const Origin origin_;
  std::optional<Outcome> outcome_;
};

}  // namespace strata::registry::mirror
