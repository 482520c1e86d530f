#include "lib/base/status.h"
#include "lib/blobstore/blob_store.h"

namespace strata::blobstore {

absl::Status BlobStore::FinishUpload(const CallContext& context, absl::string_view repository, absl::string_view upload_id,
                                     std::optional<uint64_t> offset_bytes, absl::string_view content, const Digest& digest,
                                     std::optional<uint64_t> size_bytes) {
  STRATA_ASSIGN_OR_RETURN(const auto writer, OpenUpload(context, repository, upload_id, offset_bytes, content.size()));
  if (!content.empty()) STRATA_RETURN_IF_ERROR(writer->Write(content));
  return writer->Commit(digest, size_bytes);
}

absl::Status UploadBlob(BlobStore& store, const CallContext& context, absl::string_view repository, ByteSource& source,
                        const Digest& digest, std::optional<uint64_t> size_bytes) {
  STRATA_ASSIGN_OR_RETURN(const std::string id, store.StartUpload(context, repository, digest.algorithm()));
  absl::Status status;
  {
    auto writer = store.OpenUpload(context, repository, id, 0, size_bytes.value_or(0));
    status = writer.status();
    if (status.ok()) status = CopyBytes(source, **writer).status();
    if (status.ok()) return (*writer)->Commit(digest, size_bytes);
  }
  // The session would expire by itself; cancelling frees its bytes now, also when the call itself was cancelled. The first error is
  // the one worth telling.
  const CallContext cleanup{.deadline = absl::Now() + absl::Seconds(5)};
  store.CancelUpload(cleanup, repository, id).IgnoreError();
  return status;
}

}  // namespace strata::blobstore
