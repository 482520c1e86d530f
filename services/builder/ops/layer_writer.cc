#include "services/builder/ops/layer_writer.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "services/builder/layer/pack.h"
#include "services/builder/layer/pipeline.h"

namespace strata::ops {

namespace {

// Passes bytes on to the upload, tells how many, and stops when nobody wants them any more.
class ReportingSink final : public ByteSink {
 public:
  ReportingSink(const CallContext& context, ByteSink& inner, progress::Progress& progress, uint32_t step)
      : context_(context), inner_(inner), progress_(progress), step_(step) {}

  absl::Status Write(absl::string_view data) override {
    STRATA_RETURN_IF_ERROR(context_.Check());
    STRATA_RETURN_IF_ERROR(inner_.Write(data));
    written_ += static_cast<int64_t>(data.size());
    progress_.Bytes(step_, "storing layer", written_, 0);
    return absl::OkStatus();
  }

 private:
  const CallContext& context_;
  ByteSink& inner_;
  progress::Progress& progress_;
  const uint32_t step_;
  int64_t written_ = 0;
};

absl::StatusOr<layer::LayerResult> Upload(const CallContext& context, const OpEnvironment& environment,
                                          snapshot::Workspace& workspace, const std::string& upload_id,
                                          std::optional<absl::Time> epoch, progress::Progress& progress, uint32_t step) {
  STRATA_ASSIGN_OR_RETURN(auto writer, environment.blobs.OpenUpload(context, blobstore::kBuildRepository, upload_id, 0));
  ReportingSink sink(context, *writer, progress, step);
  layer::LayerSink pipeline(sink, environment.layer);
  auto packed = layer::PackOverlayUpper(workspace.upper_fd(), pipeline, {.clamp_mtime = epoch});
  if (!packed.ok()) return Annotate(packed.status(), "packing the layer");
  STRATA_ASSIGN_OR_RETURN(layer::LayerResult result, pipeline.Finish());
  STRATA_RETURN_IF_ERROR(writer->Commit(result.blob_digest, result.blob_size));
  return result;
}

}  // namespace

absl::StatusOr<snapshot::Layer> StoreLayer(const CallContext& context, const OpEnvironment& environment,
                                           snapshot::Workspace& workspace, std::optional<absl::Time> epoch,
                                           progress::Progress& progress, uint32_t step) {
  STRATA_RETURN_IF_ERROR(workspace.Seal());
  STRATA_ASSIGN_OR_RETURN(const std::string upload_id,
                          environment.blobs.StartUpload(context, blobstore::kBuildRepository, DigestAlgorithm::kSha256));
  auto uploaded = Upload(context, environment, workspace, upload_id, epoch, progress, step);
  if (!uploaded.ok()) {
    // The session would expire by itself; its bytes go now. The call may be cancelled already, so this one gets a context of its own.
    const CallContext cleanup{.deadline = absl::Now() + absl::Seconds(5)};
    environment.blobs.CancelUpload(cleanup, blobstore::kBuildRepository, upload_id).IgnoreError();
    return Annotate(uploaded.status(), "storing the layer");
  }
  STRATA_RETURN_IF_ERROR(workspace.Keep(uploaded->diff_id));
  snapshot::Layer stored;
  stored.diff_id = std::move(uploaded->diff_id);
  stored.blob = std::move(uploaded->blob_digest);
  stored.size_bytes = static_cast<int64_t>(uploaded->blob_size);
  stored.media_type = std::string(layer::LayerMediaType(environment.layer.compression));
  stored.created = epoch.value_or(absl::Now());
  return stored;
}

}  // namespace strata::ops
