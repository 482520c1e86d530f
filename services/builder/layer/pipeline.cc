#include "services/builder/layer/pipeline.h"

#include <optional>

#include "lib/base/status.h"
#include "lib/compress/gzip.h"
#include "lib/compress/zstd.h"
#include "lib/digest/hasher.h"
#include "services/builder/layer/background_hasher.h"

namespace strata::layer {
namespace {

// Hashes and counts what passes.
class BlobTap final : public ByteSink {
 public:
  explicit BlobTap(ByteSink& inner) : inner_(inner) {}
  absl::Status Write(absl::string_view data) override {
    hasher_.Update(data);
    return inner_.Write(data);
  }
  Digest digest() const { return hasher_.Finish(); }
  uint64_t size() const { return hasher_.bytes_hashed(); }

 private:
  ByteSink& inner_;
  Hasher hasher_;
};

}  // namespace

absl::string_view LayerMediaType(Compression compression) {
  switch (compression) {
    case Compression::kNone: return "application/vnd.oci.image.layer.v1.tar";
    case Compression::kGzip: return "application/vnd.oci.image.layer.v1.tar+gzip";
    case Compression::kZstd: return "application/vnd.oci.image.layer.v1.tar+zstd";
  }
  return "application/vnd.oci.image.layer.v1.tar";
}

class LayerSink::Impl {
 public:
  Impl(ByteSink& blob_out, const LayerSinkOptions& options) : blob_out_(blob_out), tap_(blob_out) {
    if (options.compression == Compression::kGzip) {
      gzip_.emplace(tap_, compress::GzipOptions{.threads = options.compression_threads});
    } else if (options.compression == Compression::kZstd) {
      zstd_.emplace(tap_, compress::ZstdOptions{.level = options.zstd_level, .threads = options.compression_threads});
    }
  }

  absl::Status Write(absl::string_view data) {
    if (!failure_.ok()) return failure_;
    tar_size_ += data.size();
    diff_id_.Update(data);
    failure_ = gzip_.has_value() ? gzip_->Write(data) : zstd_.has_value() ? zstd_->Write(data) : blob_out_.Write(data);
    return failure_;
  }

  absl::StatusOr<LayerResult> Finish() {
    if (!failure_.ok()) return failure_;
    if (gzip_.has_value()) STRATA_RETURN_IF_ERROR(gzip_->Finish());
    if (zstd_.has_value()) STRATA_RETURN_IF_ERROR(zstd_->Finish());
    LayerResult result{.diff_id = diff_id_.Finish(), .tar_size = tar_size_};
    const bool is_compressed = gzip_.has_value() || zstd_.has_value();
    result.blob_digest = is_compressed ? tap_.digest() : result.diff_id;
    result.blob_size = is_compressed ? tap_.size() : tar_size_;
    return result;
  }

 private:
  ByteSink& blob_out_;
  BackgroundHasher diff_id_;
  BlobTap tap_;
  std::optional<compress::GzipSink> gzip_;
  std::optional<compress::ZstdSink> zstd_;
  uint64_t tar_size_ = 0;
  absl::Status failure_;
};

LayerSink::LayerSink(ByteSink& blob_out, const LayerSinkOptions& options) : impl_(std::make_unique<Impl>(blob_out, options)) {}
LayerSink::~LayerSink() = default;
absl::Status LayerSink::Write(absl::string_view data) { return impl_->Write(data); }
absl::StatusOr<LayerResult> LayerSink::Finish() { return impl_->Finish(); }

}  // namespace strata::layer
