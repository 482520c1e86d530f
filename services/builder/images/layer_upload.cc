#include "services/builder/images/layer_upload.h"

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "lib/base/status.h"

namespace strata::images {

namespace {

// Stops when nobody wants the layer any more.
class CheckingSink final : public ByteSink {
 public:
  CheckingSink(const CallContext& context, ByteSink& inner) : context_(context), inner_(inner) {}
  absl::Status Write(absl::string_view data) override {
    STRATA_RETURN_IF_ERROR(context_.Check());
    return inner_.Write(data);
  }

 private:
  const CallContext& context_;
  ByteSink& inner_;
};

absl::StatusOr<layer::LayerResult> WriteLayer(const CallContext& context, blobstore::BlobStore& blobs,
                                              const layer::LayerSinkOptions& options, const std::string& upload_id,
                                              const std::function<absl::Status(ByteSink& tar)>& produce) {
  STRATA_ASSIGN_OR_RETURN(const auto writer, blobs.OpenUpload(context, blobstore::kBuildRepository, upload_id, 0));
  CheckingSink checked(context, *writer);
  layer::LayerSink pipeline(checked, options);
  STRATA_RETURN_IF_ERROR(produce(pipeline));
  STRATA_ASSIGN_OR_RETURN(layer::LayerResult result, pipeline.Finish());
  STRATA_RETURN_IF_ERROR(writer->Commit(result.blob_digest, result.blob_size));
  return result;
}

}  // namespace

absl::StatusOr<snapshot::Layer> UploadLayer(const CallContext& context, blobstore::BlobStore& blobs, const layer::LayerSinkOptions& options,
                                            const std::function<absl::Status(ByteSink& tar)>& produce) {
  STRATA_ASSIGN_OR_RETURN(const std::string upload_id,
                          blobs.StartUpload(context, blobstore::kBuildRepository, DigestAlgorithm::kSha256));
  auto written = WriteLayer(context, blobs, options, upload_id, produce);
  if (!written.ok()) {
    // The session would expire by itself; its bytes go now. The call may be cancelled already, so this gets a context of its own.
    const CallContext cleanup{.deadline = absl::Now() + absl::Seconds(5)};
    blobs.CancelUpload(cleanup, blobstore::kBuildRepository, upload_id).IgnoreError();
    return written.status();
  }
  snapshot::Layer layer;
  layer.diff_id = std::move(written->diff_id);
  layer.blob = std::move(written->blob_digest);
  layer.size_bytes = static_cast<int64_t>(written->blob_size);
  layer.media_type = std::string(layer::LayerMediaType(options.compression));
  return layer;
}

}  // namespace strata::images
