#include "services/store/rpc/upload_stream.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/rpc/channel.h"
#include "proto/strata/store/v1/blob.grpc.pb.h"
#include "services/store/rpc/translate.h"

namespace strata::store {

namespace {

using Request = v1::WriteUploadRequest;

absl::Status CheckData(const std::string& data) {
  if (!data.empty() && data.size() <= rpc::kContentMessageBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a data message of ", data.size(), " bytes; each carries 1 to ", rpc::kContentMessageBytes));
}

}  // namespace

absl::Status ReceiveUpload(blobstore::BlobStore& blobs, const rpc::ServerCall& call, grpc::ServerContext& server,
                           grpc::ServerReader<Request>& reader, absl::Duration patience, v1::WriteUploadResponse& response) {
  const CallContext& context = call.context();
  Request request;
  const auto receive = [&] {
    const rpc::PeerWait wait(call, patience);
    return reader.Read(&request);
  };
  if (!receive() || !request.has_header()) {
    return absl::InvalidArgumentError("the first message of WriteUpload must be the header");
  }
  const Request::Header header = request.header();
  std::optional<uint64_t> offset;
  if (header.offset_bytes() != -1) {
    STRATA_ASSIGN_OR_RETURN(offset, ParseSize("offset_bytes", header.offset_bytes()));
  }
  STRATA_ASSIGN_OR_RETURN(const uint64_t incoming, ParseSize("incoming_bytes", header.incoming_bytes()));
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<blobstore::UploadWriter> writer,
                          blobs.OpenUpload(context, header.repository(), header.upload_id(), offset, incoming));
  if (!offset) {
    STRATA_ASSIGN_OR_RETURN(const blobstore::UploadInfo info, blobs.GetUpload(context, header.repository(), header.upload_id()));
    offset = info.offset_bytes;
  }
  server.AddInitialMetadata("x-strata-upload", "open");
  reader.SendInitialMetadata();

  uint64_t held = *offset;
  while (receive()) {
    switch (request.part_case()) {
      case Request::kData:
        STRATA_RETURN_IF_ERROR(CheckData(request.data()));
        STRATA_RETURN_IF_ERROR(writer->Write(request.data()));
        held += request.data().size();
        break;
      case Request::kCommit: {
        STRATA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(request.commit().digest()));
        STRATA_ASSIGN_OR_RETURN(const uint64_t size, ParseSize("size_bytes", request.commit().size_bytes()));
        STRATA_RETURN_IF_ERROR(writer->Commit(digest, size == 0 ? std::nullopt : std::optional<uint64_t>(size)));
        response.set_offset_bytes(static_cast<int64_t>(held));
        response.set_committed_digest(digest.ToString());
        return absl::OkStatus();
      }
      default:
        return absl::InvalidArgumentError("after the header WriteUpload takes data, then at most one commit");
    }
  }
  // A broken stream ends here too; what it brought is kept all the same.
  STRATA_ASSIGN_OR_RETURN(held, writer->Flush());
  response.set_offset_bytes(static_cast<int64_t>(held));
  return absl::OkStatus();
}

}  // namespace strata::store
