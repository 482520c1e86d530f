#include "services/builder/source/image_puller.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/oci/media_type.h"

namespace strata::source {

namespace {

constexpr size_t kBlobsAtOnce = 4;
constexpr int kMaxIndexDepth = 3;
constexpr int kMaxManifests = 1000;  // of one image, indexes within indexes included

const std::vector<std::string>& ManifestTypes() {
  static const auto& types = *new std::vector<std::string>{oci::kOciManifest, oci::kOciIndex, oci::kDockerManifest,
                                                           oci::kDockerManifestList};
  return types;
}

// Tells of the bytes that pass.
class ReportingSource final : public ByteSource {
 public:
  ReportingSource(ByteSource& inner, std::function<void(int64_t)> report) : inner_(inner), report_(std::move(report)) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    STRATA_ASSIGN_OR_RETURN(const size_t n, inner_.Read(buffer, size));
    bytes_ += static_cast<int64_t>(n);
    report_(bytes_);
    return n;
  }

 private:
  ByteSource& inner_;
  std::function<void(int64_t)> report_;
  int64_t bytes_ = 0;
};

}  // namespace

// One Pull call.
class ImagePuller::Transfer {
 public:
  Transfer(ImagePuller& puller, const CallContext& context, distribution::RegistryClient& registry, const PullRequest& request,
           const TransferReport& report)
      : puller_(puller), context_(context), registry_(registry), request_(request), report_(report) {}

  absl::StatusOr<Digest> Run() {
    STRATA_ASSIGN_OR_RETURN(auto fetched, registry_.FetchManifest(context_, request_.remote, request_.reference, ManifestTypes()));
    STRATA_ASSIGN_OR_RETURN(oci::Manifest manifest, oci::ParseManifest(fetched.content, fetched.media_type));
    if (manifest.is_index && request_.platform) {
      const oci::Descriptor* child = oci::SelectPlatform(manifest, *request_.platform);
      if (child == nullptr) {
        return absl::NotFoundError(absl::StrCat(request_.remote.ToString(), " has no variant for ", request_.platform->ToString()));
      }
      STRATA_ASSIGN_OR_RETURN(fetched, registry_.FetchManifest(context_, request_.remote, child->digest.ToString(), ManifestTypes()));
      STRATA_ASSIGN_OR_RETURN(manifest, oci::ParseManifest(fetched.content, fetched.media_type));
    }
    return Store(fetched, manifest, request_.tag, 0);
  }

 private:
  // Children and blobs first: the store refuses a manifest that names what it lacks.
  absl::StatusOr<Digest> Store(const distribution::FetchedManifest& fetched, const oci::Manifest& manifest, const std::string& tag,
                               int depth) {
    if (depth > kMaxIndexDepth) return absl::InvalidArgumentError("indexes nest too deep");
    if (++manifests_ > kMaxManifests) {
      return absl::InvalidArgumentError(absl::StrCat(request_.remote.ToString(), " has more than ", kMaxManifests,
                                                     " manifests in its index; pull one platform of it"));
    }
    for (const oci::Descriptor& child : manifest.manifests) {
      STRATA_ASSIGN_OR_RETURN(const auto child_fetched,
                              registry_.FetchManifest(context_, request_.remote, child.digest.ToString(), ManifestTypes()));
      STRATA_ASSIGN_OR_RETURN(const auto child_manifest, oci::ParseManifest(child_fetched.content, child_fetched.media_type));
      STRATA_RETURN_IF_ERROR(Store(child_fetched, child_manifest, "", depth + 1).status());
    }
    std::vector<oci::Descriptor> blobs = manifest.layers;
    if (manifest.config) blobs.push_back(*manifest.config);
    STRATA_RETURN_IF_ERROR(FetchAll(std::move(blobs)));
    blobstore::PutManifestOptions options;
    options.expected_digest = fetched.digest;
    if (!tag.empty()) options.tags = {tag};
    auto stored = puller_.refs_.PutManifest(context_, request_.repository, fetched.media_type, fetched.content, options);
    if (!stored.ok()) return Annotate(stored.status(), absl::StrCat("storing the manifest of ", request_.remote.ToString()));
    return stored->digest;
  }

  absl::Status FetchAll(std::vector<oci::Descriptor> blobs) {
    std::atomic<size_t> next{0};
    Mutex mutex;
    absl::Status failure;
    const auto work = [&] {
      for (size_t i = next++; i < blobs.size(); i = next++) {
        const absl::Status status = FetchBlob(blobs[i]);
        if (status.ok()) continue;
        MutexLock lock(mutex);
        if (failure.ok()) failure = status;
        next = blobs.size();
      }
    };
    std::vector<std::thread> workers;
    for (size_t i = 1; i < std::min(kBlobsAtOnce, blobs.size()); ++i) workers.emplace_back(work);
    work();
    for (std::thread& worker : workers) worker.join();
    return failure;
  }

  absl::Status FetchBlob(const oci::Descriptor& blob) {
    if (oci::IsNondistributable(blob.media_type) && !blob.urls.empty()) return absl::OkStatus();
    std::unique_ptr<solver::Flights::Ticket> ticket;
    while (ticket == nullptr) {
      const std::vector<Digest> digests = {blob.digest};
      STRATA_ASSIGN_OR_RETURN(const auto held, puller_.blobs_.StatBlobs(context_, "", digests));
      if (held[0]) {
        report_(blob.digest, "already exists", blob.size_bytes, blob.size_bytes);
        return puller_.blobs_.LinkBlobs(context_, request_.repository, "", digests);
      }
      STRATA_ASSIGN_OR_RETURN(ticket, puller_.flights_.Join(context_, absl::StrCat("pull ", blob.digest.ToString())));
    }
    STRATA_ASSIGN_OR_RETURN(const auto content, registry_.FetchBlob(context_, request_.remote, blob.digest, blob.size_bytes));
    ReportingSource source(*content, [&](int64_t bytes) { report_(blob.digest, "downloading", bytes, blob.size_bytes); });
    STRATA_RETURN_IF_ERROR(blobstore::UploadBlob(puller_.blobs_, context_, request_.repository, source, blob.digest,
                                                 static_cast<uint64_t>(blob.size_bytes)));
    report_(blob.digest, "done", blob.size_bytes, blob.size_bytes);
    return absl::OkStatus();
  }

  ImagePuller& puller_;
  const CallContext& context_;
  distribution::RegistryClient& registry_;
  const PullRequest& request_;
  const TransferReport& report_;
  int manifests_ = 0;
};

absl::StatusOr<Digest> ImagePuller::Pull(const CallContext& context, distribution::RegistryClient& registry,
                                         const PullRequest& request, const TransferReport& report) {
  return Transfer(*this, context, registry, request, report).Run();
}

}  // namespace strata::source
