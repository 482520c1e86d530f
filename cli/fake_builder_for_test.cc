#include "cli/fake_builder_for_test.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/check.h"

namespace strata::cli {

FakeBuilder::FakeBuilder() {
  grpc::ServerBuilder server;
  int port = 0;
  server.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  server.RegisterService(static_cast<builder::v1::BuildService::Service*>(this));
  server.RegisterService(static_cast<builder::v1::ImageService::Service*>(this));
  server_ = server.BuildAndStart();
  STRATA_CHECK(server_ != nullptr);
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeBuilder::~FakeBuilder() { server_->Shutdown(std::chrono::system_clock::now()); }

grpc::Status FakeBuilder::Note(const std::string& call) {
  MutexLock lock(mutex_);
  last_call_ = call;
  return image_error;
}

grpc::Status FakeBuilder::Build(grpc::ServerContext* context, BuildStream* stream) {
  builder::v1::BuildRequest first;
  if (!stream->Read(&first) || !first.has_start()) return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no start");
  return on_build(*context, first.start(), *stream);
}

grpc::Status FakeBuilder::ListImages(grpc::ServerContext*, const builder::v1::ListImagesRequest* request,
                                     builder::v1::ListImagesResponse* response) {
  for (const auto& image : images) *response->add_images() = image;
  return Note(absl::StrCat("list ", request->pattern(), " ", request->all()));
}

grpc::Status FakeBuilder::InspectImage(grpc::ServerContext*, const builder::v1::InspectImageRequest* request,
                                       builder::v1::InspectImageResponse* response) {
  *response = inspected;
  return Note(absl::StrCat("inspect ", request->reference(), " ", request->platform()));
}

grpc::Status FakeBuilder::TagImage(grpc::ServerContext*, const builder::v1::TagImageRequest* request, builder::v1::TagImageResponse* response) {
  response->set_digest("sha256:aaaa");
  return Note(absl::StrCat("tag ", request->source(), " ", request->target()));
}

grpc::Status FakeBuilder::RemoveImage(grpc::ServerContext*, const builder::v1::RemoveImageRequest* request,
                                      builder::v1::RemoveImageResponse* response) {
  if (request->reference() == "none") return grpc::Status(grpc::StatusCode::NOT_FOUND, "no image \"none\"", "d");
  response->add_untagged(request->reference());
  response->add_deleted("sha256:aaaa");
  return Note(absl::StrCat("remove ", request->reference(), " ", request->force()));
}

grpc::Status FakeBuilder::ImportImage(grpc::ServerContext*, grpc::ServerReader<builder::v1::ImportImageRequest>* stream,
                                      builder::v1::ImportImageResponse* response) {
  builder::v1::ImportImageRequest request;
  builder::v1::ImportImageRequest::Header header;
  std::string data;
  while (stream->Read(&request)) {
    if (request.has_header()) header = request.header();
    data += request.data();
  }
  response->set_name(header.name());
  response->set_manifest_digest("sha256:bbbb");
  response->set_size_bytes(static_cast<int64_t>(data.size()));
  return Note(absl::StrCat("import ", header.name(), " ", absl::StrJoin(header.changes(), ";"), " ", header.message(), " ", header.platform(), " ", data));
}

grpc::Status FakeBuilder::SaveImages(grpc::ServerContext*, const builder::v1::SaveImagesRequest* request,
                                     grpc::ServerWriter<builder::v1::SaveImagesResponse>* stream) {
  builder::v1::SaveImagesResponse piece;
  piece.set_data(saved);
  stream->Write(piece);
  return Note(absl::StrCat("save ", absl::StrJoin(request->references(), " ")));
}

grpc::Status FakeBuilder::LoadImages(grpc::ServerContext*, grpc::ServerReader<builder::v1::LoadImagesRequest>* stream,
                                     builder::v1::LoadImagesResponse* response) {
  builder::v1::LoadImagesRequest request;
  std::string data;
  while (stream->Read(&request)) data += request.data();
  response->add_loaded("app:1");
  response->add_loaded("app:2");
  return Note(absl::StrCat("load ", data));
}

grpc::Status FakeBuilder::PullImage(grpc::ServerContext*, const builder::v1::PullImageRequest* request,
                                    grpc::ServerWriter<builder::v1::TransferProgress>* stream) {
  for (const auto& progress : transfer) stream->Write(progress);
  {
    MutexLock lock(mutex_);
    last_pull_ = *request;
  }
  return Note("pull");
}

grpc::Status FakeBuilder::PushImage(grpc::ServerContext*, const builder::v1::PushImageRequest* request,
                                    grpc::ServerWriter<builder::v1::TransferProgress>* stream) {
  for (const auto& progress : transfer) stream->Write(progress);
  return Note(absl::StrCat("push ", request->source(), " ", request->target()));
}

}  // namespace strata::cli
