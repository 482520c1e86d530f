#include "cli/client/image_client.h"

#include <grpcpp/channel.h>

#include <memory>
#include <utility>

#include "cli/client/builder_status.h"
#include "lib/base/status.h"
#include "lib/rpc/call.h"
#include "lib/rpc/channel.h"
#include "proto/strata/builder/v1/image.grpc.pb.h"

namespace strata::cli {

using builder::v1::ImageService;

struct ImageClient::Connection {
  std::string address;
  std::unique_ptr<ImageService::Stub> stub;
};

namespace {

template <typename Request, typename Response>
absl::StatusOr<Response> Unary(const CallContext& call, const std::string& address, ImageService::Stub& stub, const Request& request,
                               grpc::Status (ImageService::Stub::*method)(grpc::ClientContext*, const Request&, Response*)) {
  rpc::ClientCall client(call);
  Response response;
  STRATA_RETURN_IF_ERROR(FromBuilder((stub.*method)(client.get(), request, &response), address));
  return response;
}

// Sends `content` in messages that hold nothing but data, after `first` when there is one.
template <typename Request>
absl::Status SendAll(rpc::ClientCall& client, grpc::ClientWriter<Request>& stream, const Request* first, ByteSource& content,
                     const std::string& address) {
  absl::Status local;
  bool open = first == nullptr || stream.Write(*first);
  Request message;
  while (open) {
    std::string& data = *message.mutable_data();
    data.resize(rpc::kContentMessageBytes);
    auto got = content.Read(data.data(), data.size());
    if (!got.ok()) {
      local = got.status();
      client->TryCancel();
      break;
    }
    if (*got == 0) break;
    data.resize(*got);
    open = stream.Write(message);
  }
  stream.WritesDone();
  const grpc::Status remote = stream.Finish();
  return local.ok() ? FromBuilder(remote, address) : local;
}

absl::StatusOr<builder::v1::TransferProgress> Follow(grpc::ClientReader<builder::v1::TransferProgress>& stream,
                                                     const ImageClient::TransferCallback& on_progress, const std::string& address) {
  builder::v1::TransferProgress progress;
  builder::v1::TransferProgress last;
  while (stream.Read(&progress)) {
    on_progress(progress);
    last = progress;
  }
  STRATA_RETURN_IF_ERROR(FromBuilder(stream.Finish(), address));
  if (last.result_digest().empty()) return absl::InternalError("the builder ended the transfer without a result; update the builder or strata");
  return last;
}

}  // namespace

ImageClient::ImageClient(const std::string& address)
    : connection_(std::make_unique<Connection>(Connection{address, ImageService::NewStub(rpc::Connect(address))})) {}

ImageClient::~ImageClient() = default;

absl::StatusOr<builder::v1::ListImagesResponse> ImageClient::List(const CallContext& call, const builder::v1::ListImagesRequest& request) {
  return Unary(call, connection_->address, *connection_->stub, request, &ImageService::Stub::ListImages);
}

absl::StatusOr<builder::v1::InspectImageResponse> ImageClient::Inspect(const CallContext& call,
                                                                       const builder::v1::InspectImageRequest& request) {
  return Unary(call, connection_->address, *connection_->stub, request, &ImageService::Stub::InspectImage);
}

absl::StatusOr<builder::v1::TagImageResponse> ImageClient::Tag(const CallContext& call, const builder::v1::TagImageRequest& request) {
  return Unary(call, connection_->address, *connection_->stub, request, &ImageService::Stub::TagImage);
}

absl::StatusOr<builder::v1::RemoveImageResponse> ImageClient::Remove(const CallContext& call,
                                                                     const builder::v1::RemoveImageRequest& request) {
  return Unary(call, connection_->address, *connection_->stub, request, &ImageService::Stub::RemoveImage);
}

absl::StatusOr<builder::v1::ImportImageResponse> ImageClient::Import(const CallContext& call,
                                                                     const builder::v1::ImportImageRequest::Header& header,
                                                                     ByteSource& content) {
  rpc::ClientCall client(call);
  builder::v1::ImportImageResponse response;
  builder::v1::ImportImageRequest first;
  *first.mutable_header() = header;
  const auto stream = connection_->stub->ImportImage(client.get(), &response);
  STRATA_RETURN_IF_ERROR(SendAll(client, *stream, &first, content, connection_->address));
  return response;
}

absl::Status ImageClient::Save(const CallContext& call, const builder::v1::SaveImagesRequest& request, ByteSink& sink) {
  rpc::ClientCall client(call);
  const auto stream = connection_->stub->SaveImages(client.get(), request);
  builder::v1::SaveImagesResponse piece;
  absl::Status local;
  while (local.ok() && stream->Read(&piece)) local = sink.Write(piece.data());
  if (!local.ok()) client->TryCancel();
  const grpc::Status remote = stream->Finish();
  return local.ok() ? FromBuilder(remote, connection_->address) : local;
}

absl::StatusOr<builder::v1::LoadImagesResponse> ImageClient::Load(const CallContext& call, ByteSource& content) {
  rpc::ClientCall client(call);
  builder::v1::LoadImagesResponse response;
  const auto stream = connection_->stub->LoadImages(client.get(), &response);
  STRATA_RETURN_IF_ERROR(SendAll<builder::v1::LoadImagesRequest>(client, *stream, nullptr, content, connection_->address));
  return response;
}

absl::StatusOr<builder::v1::TransferProgress> ImageClient::Pull(const CallContext& call, const builder::v1::PullImageRequest& request,
                                                                const TransferCallback& on_progress) {
  rpc::ClientCall client(call);
  return Follow(*connection_->stub->PullImage(client.get(), request), on_progress, connection_->address);
}

absl::StatusOr<builder::v1::TransferProgress> ImageClient::Push(const CallContext& call, const builder::v1::PushImageRequest& request,
                                                                const TransferCallback& on_progress) {
  rpc::ClientCall client(call);
  return Follow(*connection_->stub->PushImage(client.get(), request), on_progress, connection_->address);
}

}  // namespace strata::cli
