#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/rpc/call.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/status.h"
#include "lib/rpc/timestamp.h"
#include "proto/strata/store/v1/blob.grpc.pb.h"
#include "services/store/rpc/open_blob.h"
#include "services/store/rpc/services.h"
#include "services/store/rpc/stream_slots.h"
#include "services/store/rpc/translate.h"
#include "services/store/rpc/upload_stream.h"

namespace strata::store {

namespace {

using grpc::ServerContext;
using rpc::ServerCall;
using rpc::ToGrpc;

class BlobService final : public v1::BlobService::Service {
 public:
  BlobService(blobstore::BlobStore& blobs, rpc::CallWatcher& watcher, const StreamLimits& limits,
              descriptor::DescriptorServer* descriptors)
      : blobs_(blobs), watcher_(watcher), descriptors_(descriptors), limits_(limits), slots_(limits.max_streams) {}

  grpc::Status StartUpload(ServerContext* server, const v1::StartUploadRequest* request,
                           v1::StartUploadResponse* response) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      DigestAlgorithm algorithm = DigestAlgorithm::kSha256;
      if (!request->algorithm().empty()) {
        STRATA_ASSIGN_OR_RETURN(algorithm, ParseAlgorithm(request->algorithm()));
      }
      STRATA_ASSIGN_OR_RETURN(*response->mutable_upload_id(),
                              blobs_.StartUpload(call.context(), request->repository(), algorithm));
      return absl::OkStatus();
    }());
  }

  grpc::Status GetUpload(ServerContext* server, const v1::GetUploadRequest* request,
                         v1::GetUploadResponse* response) override {
    const ServerCall call(watcher_, *server);
    const auto info = blobs_.GetUpload(call.context(), request->repository(), request->upload_id());
    if (!info.ok()) return ToGrpc(info.status());
    response->set_offset_bytes(static_cast<int64_t>(info->offset_bytes));
    rpc::SetTimestamp(info->started, response->mutable_started());
    rpc::SetTimestamp(info->last_write, response->mutable_last_write());
    return grpc::Status::OK;
  }

  grpc::Status CancelUpload(ServerContext* server, const v1::CancelUploadRequest* request,
                            v1::CancelUploadResponse*) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc(blobs_.CancelUpload(call.context(), request->repository(), request->upload_id()));
  }

  grpc::Status WriteUpload(ServerContext* server, UploadStream* stream) override {
    const ServerCall call(watcher_, *server);
    const auto slot = slots_.Take();
    if (!slot.ok()) return ToGrpc(slot.status());
    return ToGrpc(ReceiveUpload(blobs_, descriptors_, call, *server, *stream, limits_));
  }

  grpc::Status FinishUpload(ServerContext* server, const v1::FinishUploadRequest* request, v1::FinishUploadResponse*) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      const v1::WriteUploadRequest::Header& header = request->header();
      if (request->data().size() > rpc::kContentMessageBytes) {
        return absl::InvalidArgumentError(absl::StrCat(request->data().size(), " bytes at once; at most ",
                                                       rpc::kContentMessageBytes, " are taken, use WriteUpload"));
      }
      STRATA_ASSIGN_OR_RETURN(const std::optional<uint64_t> offset, ParseUploadOffset(header.offset_bytes()));
      STRATA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(request->commit().digest()));
      STRATA_ASSIGN_OR_RETURN(const uint64_t size, ParseSize("size_bytes", request->commit().size_bytes()));
      return blobs_.FinishUpload(call.context(), header.repository(), header.upload_id(), offset, request->data(), digest,
                                 size == 0 ? std::nullopt : std::optional<uint64_t>(size));
    }());
  }

  grpc::Status ReadBlob(ServerContext* server, const v1::ReadBlobRequest* request,
                        grpc::ServerWriter<v1::ReadBlobResponse>* writer) override {
    const ServerCall call(watcher_, *server);
    const auto slot = slots_.Take();
    if (!slot.ok()) return ToGrpc(slot.status());
    return ToGrpc(SendBlob(call, *request, *writer));
  }

  grpc::Status OpenBlob(ServerContext* server, const v1::OpenBlobRequest* request, v1::OpenBlobResponse* response) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc(OpenBlobForReader(blobs_, call.context(), descriptors_, *request, *response));
  }

  grpc::Status StatBlobs(ServerContext* server, const v1::StatBlobsRequest* request,
                         v1::StatBlobsResponse* response) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const std::vector<Digest> digests, ParseDigests(request->digests()));
      STRATA_ASSIGN_OR_RETURN(const auto sizes, blobs_.StatBlobs(call.context(), request->repository(), digests));
      for (const std::optional<uint64_t>& size : sizes) {
        v1::StatBlobsResponse::Blob& blob = *response->add_blobs();
        blob.set_exists(size.has_value());
        blob.set_size_bytes(static_cast<int64_t>(size.value_or(0)));
      }
      return absl::OkStatus();
    }());
  }

  grpc::Status LinkBlobs(ServerContext* server, const v1::LinkBlobsRequest* request, v1::LinkBlobsResponse*) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const std::vector<Digest> digests, ParseDigests(request->digests()));
      return blobs_.LinkBlobs(call.context(), request->repository(), request->from_repository(), digests);
    }());
  }

  grpc::Status UnlinkBlob(ServerContext* server, const v1::UnlinkBlobRequest* request, v1::UnlinkBlobResponse*) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(request->digest()));
      return blobs_.UnlinkBlob(call.context(), request->repository(), digest);
    }());
  }

 private:
  absl::Status SendBlob(const ServerCall& call, const v1::ReadBlobRequest& request,
                        grpc::ServerWriter<v1::ReadBlobResponse>& writer) {
    const CallContext& context = call.context();
    STRATA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(request.digest()));
    STRATA_ASSIGN_OR_RETURN(const uint64_t offset, ParseSize("offset_bytes", request.offset_bytes()));
    STRATA_ASSIGN_OR_RETURN(const uint64_t length, ParseSize("length_bytes", request.length_bytes()));
    STRATA_ASSIGN_OR_RETURN(const auto reader,
                            blobs_.OpenBlob(context, request.repository(), digest, offset,
                                            length == 0 ? std::nullopt : std::optional<uint64_t>(length)));
    v1::ReadBlobResponse response;
    response.mutable_info()->set_size_bytes(static_cast<int64_t>(reader->size_bytes()));
    const auto send = [&] {
      const rpc::PeerWait wait(call, limits_.patience);
      return writer.Write(response, grpc::WriteOptions().set_no_compression());
    };
    if (!send()) return ClientGone();
    uint64_t left = reader->size_bytes() - offset;
    if (length != 0) left = std::min(left, length);
    while (left > 0) {
      STRATA_RETURN_IF_ERROR(context.Check());
      std::string& data = *response.mutable_data();
      data.resize(std::min<uint64_t>(left, rpc::kContentMessageBytes));
      STRATA_RETURN_IF_ERROR(ReadExactly(*reader, data.data(), data.size()));
      left -= data.size();
      if (!send()) return ClientGone();
    }
    // The reader may find only at the end that what it gave was damaged.
    char extra;
    return reader->Read(&extra, 1).status();
  }

  static absl::Status ClientGone() { return absl::CancelledError("the client went away"); }

  blobstore::BlobStore& blobs_;
  rpc::CallWatcher& watcher_;
  descriptor::DescriptorServer* const descriptors_;  // or null
  const StreamLimits limits_;
  StreamSlots slots_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewBlobService(blobstore::BlobStore& blobs, rpc::CallWatcher& watcher,
                                              const StreamLimits& limits, descriptor::DescriptorServer* descriptors) {
  return std::make_unique<BlobService>(blobs, watcher, limits, descriptors);
}

}  // namespace strata::store
