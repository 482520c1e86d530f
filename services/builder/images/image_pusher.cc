#include "services/builder/images/image_pusher.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/oci/manifest.h"
#include "lib/oci/media_type.h"

namespace strata::images {

namespace {

constexpr size_t kBlobsAtOnce = 4;
constexpr int kTries = 3;  // of one blob, when the network fails

// Tells of the bytes that pass, and stops when nobody wants them any more.
class ReportingSource final : public ByteSource {
 public:
  ReportingSource(const CallContext& context, ByteSource& inner, std::function<void(int64_t)> report)
      : context_(context), inner_(inner), report_(std::move(report)) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    STRATA_RETURN_IF_ERROR(context_.Check());
    STRATA_ASSIGN_OR_RETURN(const size_t n, inner_.Read(buffer, size));
    bytes_ += static_cast<int64_t>(n);
    report_(bytes_);
    return n;
  }

 private:
  const CallContext& context_;
  ByteSource& inner_;
  std::function<void(int64_t)> report_;
  int64_t bytes_ = 0;
};

}  // namespace

// One Push call.
class ImagePusher::Transfer {
 public:
  Transfer(ImagePusher& pusher, const CallContext& context, distribution::RegistryClient& registry, const ImageName& image,
           const distribution::RemoteRepository& remote, const source::TransferReport& report)
      : pusher_(pusher), context_(context), registry_(registry), image_(image), remote_(remote), report_(report) {}

  absl::StatusOr<Digest> Run(const std::string& tag) {
    STRATA_RETURN_IF_ERROR(Collect(image_.digest));
    STRATA_RETURN_IF_ERROR(PushBlobs());
    for (const blobstore::StoredManifest& manifest : manifests_) {
      const bool is_top = &manifest == &manifests_.back();
      STRATA_RETURN_IF_ERROR(registry_.PushManifest(context_, remote_, is_top ? tag : manifest.digest.ToString(), manifest.media_type,
                                                    manifest.content).status());
    }
    return image_.digest;
  }

 private:
  // Children before the index that names them.
  absl::Status Collect(const Digest& digest) {
    auto stored = pusher_.refs_.GetManifest(context_, image_.repository, {.digest = digest});
    if (!stored.ok()) return stored.status();
    STRATA_ASSIGN_OR_RETURN(const oci::Manifest manifest, oci::ParseManifest(stored->content, stored->media_type));
    for (const oci::Descriptor& child : manifest.manifests) {
      if (!seen_.insert(child.digest).second) continue;
      const absl::Status collected = Collect(child.digest);
      // A child that the store was allowed not to hold.
      if (!collected.ok() && !(absl::IsNotFound(collected) && !child.urls.empty())) return collected;
    }
    for (const oci::Descriptor& layer : manifest.layers) AddBlob(layer);
    if (manifest.config) AddBlob(*manifest.config);
    manifests_.push_back(*std::move(stored));
    return absl::OkStatus();
  }

  void AddBlob(const oci::Descriptor& blob) {
    // Such layers are fetched from their URLs by whoever needs them.
    if (oci::IsNondistributable(blob.media_type) && !blob.urls.empty()) return;
    if (seen_.insert(blob.digest).second) blobs_.push_back(blob);
  }

  absl::Status PushBlobs() {
    std::atomic<size_t> next{0};
    Mutex mutex;
    absl::Status failure;
    const auto work = [&] {
      for (size_t i = next++; i < blobs_.size(); i = next++) {
        const absl::Status status = PushBlob(blobs_[i]);
        if (status.ok()) continue;
        MutexLock lock(mutex);
        if (failure.ok()) failure = status;
        next = blobs_.size();
      }
    };
    std::vector<std::thread> workers;
    for (size_t i = 1; i < std::min(kBlobsAtOnce, blobs_.size()); ++i) workers.emplace_back(work);
    work();
    for (std::thread& worker : workers) worker.join();
    return failure;
  }

  absl::Status PushBlob(const oci::Descriptor& blob) {
    STRATA_ASSIGN_OR_RETURN(const bool is_there, registry_.HasBlob(context_, remote_, blob.digest));
    if (is_there) {
      report_(blob.digest, "already exists", blob.size_bytes, blob.size_bytes);
      return absl::OkStatus();
    }
    absl::Status status;
    for (int i = 0; i < kTries; ++i) {
      status = SendBlob(blob);
      if (!absl::IsUnavailable(status)) break;
      STRATA_RETURN_IF_ERROR(context_.Check());
    }
    return status;
  }

  absl::Status SendBlob(const oci::Descriptor& blob) {
    STRATA_ASSIGN_OR_RETURN(const auto reader, pusher_.blobs_.OpenBlob(context_, image_.repository, blob.digest));
    const auto size = static_cast<int64_t>(reader->size_bytes());
    ReportingSource source(context_, *reader, [&](int64_t bytes) { report_(blob.digest, "pushing", bytes, size); });
    STRATA_RETURN_IF_ERROR(registry_.PushBlob(context_, remote_, blob.digest, reader->size_bytes(), source).status());
    report_(blob.digest, "done", size, size);
    return absl::OkStatus();
  }

  ImagePusher& pusher_;
  const CallContext& context_;
  distribution::RegistryClient& registry_;
  const ImageName& image_;
  const distribution::RemoteRepository& remote_;
  const source::TransferReport& report_;
  std::vector<blobstore::StoredManifest> manifests_;
  std::vector<oci::Descriptor> blobs_;
  std::set<Digest> seen_;
};

absl::StatusOr<Digest> ImagePusher::Push(const CallContext& context, distribution::RegistryClient& registry, const ImageName& image,
                                         const distribution::RemoteRepository& remote, const std::string& tag,
                                         const source::TransferReport& report) {
  auto pushed = Transfer(*this, context, registry, image, remote, report).Run(tag);
  if (!pushed.ok()) return Annotate(pushed.status(), absl::StrCat("pushing ", image.ToString(), " to ", remote.ToString(), ":", tag));
  return pushed;
}

}  // namespace strata::images
