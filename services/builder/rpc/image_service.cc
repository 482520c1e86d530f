#include "services/builder/rpc/image_service.h"

#include <utility>

#include "lib/base/status.h"
#include "lib/log/log.h"
#include "lib/rpc/status.h"
#include "lib/rpc/timestamp.h"
#include "services/builder/images/archive_reader.h"
#include "services/builder/images/archive_writer.h"
#include "services/builder/images/image_editor.h"
#include "services/builder/images/image_importer.h"
#include "services/builder/images/image_inspector.h"
#include "services/builder/images/image_transfer.h"
#include "services/builder/rpc/credentials.h"
#include "services/builder/rpc/image_streams.h"

namespace strata::rpc {

namespace {

using builder::v1::TransferProgress;

constexpr int kMaxReferences = 1000;
constexpr int kMaxChanges = 1000;

void SetSummary(const images::ImageSummary& summary, builder::v1::ImageSummary* out) {
  out->set_repository(oci::DisplayName(summary.name.repository));
  out->set_tag(summary.name.tag);
  out->set_manifest_digest(summary.name.digest.ToString());
  out->set_config_digest(summary.config.ToString());
  SetTimestamp(summary.created, out->mutable_created());
  out->set_size_bytes(summary.size_bytes);
  for (const std::string& platform : summary.platforms) out->add_platforms(platform);
}

// The first message of an import.
absl::StatusOr<images::ImportSpec> ReadHeader(grpc::ServerReader<builder::v1::ImportImageRequest>& reader) {
  builder::v1::ImportImageRequest request;
  if (!reader.Read(&request) || !request.has_header()) {
    return absl::InvalidArgumentError("the first message of an import must be its header");
  }
  if (request.header().changes_size() > kMaxChanges) return absl::InvalidArgumentError("too many changes");
  images::ImportSpec spec;
  spec.name = request.header().name();
  spec.message = request.header().message();
  spec.platform = request.header().platform();
  spec.changes.assign(request.header().changes().begin(), request.header().changes().end());
  return spec;
}

source::TransferReport ReportTo(TransferReporter& reporter) {
  return [&reporter](const Digest& digest, absl::string_view status, int64_t current_bytes, int64_t total_bytes) {
    reporter.Report(digest, status, current_bytes, total_bytes);
  };
}

images::ImageTransfer MakeTransfer(const ImageServiceParts& parts, images::ImageCatalog& catalog) {
  return images::ImageTransfer(parts.blobs, parts.refs, catalog, parts.puller, parts.own_hosts, parts.default_registry);
}

// For the log: what was done, how it ended.
grpc::Status Logged(absl::string_view what, const std::string& image, const absl::Status& status) {
  if (status.ok()) {
    log::Info(what, {{"image", image}});
  } else {
    log::Info(what, {{"image", image}, {"error", status}});
  }
  return ToGrpc(status);
}

}  // namespace

ImageServiceImpl::ImageServiceImpl(ImageServiceParts parts)
    : parts_(std::move(parts)), catalog_(parts_.blobs, parts_.refs, parts_.own_hosts, parts_.default_registry) {}

grpc::Status ImageServiceImpl::ListImages(grpc::ServerContext* server, const builder::v1::ListImagesRequest* request,
                                          builder::v1::ListImagesResponse* response) {
  const ServerCall call(parts_.watcher, *server);
  const auto images = catalog_.List(call.context(), request->pattern(), request->all());
  if (!images.ok()) return ToGrpc(images.status());
  for (const images::ImageSummary& image : *images) SetSummary(image, response->add_images());
  return grpc::Status::OK;
}

grpc::Status ImageServiceImpl::InspectImage(grpc::ServerContext* server, const builder::v1::InspectImageRequest* request,
                                            builder::v1::InspectImageResponse* response) {
  const ServerCall call(parts_.watcher, *server);
  images::ImageInspector inspector(parts_.blobs, parts_.refs, catalog_);
  const auto image = inspector.Inspect(call.context(), request->reference(), request->platform());
  if (!image.ok()) return ToGrpc(image.status());
  SetSummary(image->summary, response->mutable_summary());
  for (const std::string& name : image->names) response->add_names(name);
  response->set_media_type(image->media_type);
  response->set_manifest(image->manifest);
  response->set_config(image->config);
  for (const images::InspectedLayer& layer : image->layers) {
    builder::v1::ImageLayer& out = *response->add_layers();
    out.set_digest(layer.digest.ToString());
    out.set_diff_id(layer.diff_id.ToString());
    out.set_media_type(layer.media_type);
    out.set_size_bytes(layer.size_bytes);
  }
  return grpc::Status::OK;
}

grpc::Status ImageServiceImpl::TagImage(grpc::ServerContext* server, const builder::v1::TagImageRequest* request,
                                        builder::v1::TagImageResponse* response) {
  const ServerCall call(parts_.watcher, *server);
  images::ImageEditor editor(catalog_, parts_.refs);
  const auto digest = editor.Tag(call.context(), request->source(), request->target());
  if (digest.ok()) response->set_digest(digest->ToString());
  return Logged("image tagged", request->target(), digest.status());
}

grpc::Status ImageServiceImpl::RemoveImage(grpc::ServerContext* server, const builder::v1::RemoveImageRequest* request,
                                           builder::v1::RemoveImageResponse* response) {
  const ServerCall call(parts_.watcher, *server);
  images::ImageEditor editor(catalog_, parts_.refs);
  const auto removal = editor.Remove(call.context(), request->reference(), request->force());
  if (removal.ok()) {
    for (const std::string& name : removal->untagged) response->add_untagged(name);
    for (const std::string& digest : removal->deleted) response->add_deleted(digest);
  }
  return Logged("image removed", request->reference(), removal.status());
}

grpc::Status ImageServiceImpl::ImportImage(grpc::ServerContext* server, grpc::ServerReader<builder::v1::ImportImageRequest>* reader,
                                           builder::v1::ImportImageResponse* response) {
  const ServerCall call(parts_.watcher, *server);
  const auto spec = ReadHeader(*reader);
  if (!spec.ok()) return ToGrpc(spec.status());
  RequestSource<builder::v1::ImportImageRequest> content(*reader, *server);
  images::ImageImporter importer(parts_.blobs, parts_.refs, catalog_, parts_.clock, parts_.layer);
  const auto imported = importer.Import(call.context(), *spec, content);
  if (imported.ok()) {
    response->set_name(imported->name.ToString());
    response->set_manifest_digest(imported->name.digest.ToString());
    response->set_config_digest(imported->config.ToString());
    response->set_size_bytes(imported->size_bytes);
  }
  return Logged("image imported", spec->name, imported.status());
}

grpc::Status ImageServiceImpl::SaveImages(grpc::ServerContext* server, const builder::v1::SaveImagesRequest* request,
                                          grpc::ServerWriter<builder::v1::SaveImagesResponse>* writer) {
  const ServerCall call(parts_.watcher, *server);
  if (request->references_size() > kMaxReferences) return ToGrpc(absl::InvalidArgumentError("too many images in one archive"));
  const std::vector<std::string> references(request->references().begin(), request->references().end());
  ResponseSink sink(*writer);
  images::ArchiveWriter archive(parts_.blobs, parts_.refs, catalog_);
  absl::Status status = archive.Write(call.context(), references, sink);
  if (status.ok()) status = sink.Finish();
  return ToGrpc(status);
}

grpc::Status ImageServiceImpl::LoadImages(grpc::ServerContext* server, grpc::ServerReader<builder::v1::LoadImagesRequest>* reader,
                                          builder::v1::LoadImagesResponse* response) {
  const ServerCall call(parts_.watcher, *server);
  RequestSource<builder::v1::LoadImagesRequest> content(*reader, *server);
  images::ArchiveReader archive(parts_.blobs, parts_.refs, catalog_, parts_.layer);
  const auto loaded = archive.Load(call.context(), content);
  if (!loaded.ok()) return Logged("images loaded", "", loaded.status());
  for (const std::string& name : *loaded) {
    response->add_loaded(name);
    log::Info("image loaded", {{"image", name}});
  }
  return grpc::Status::OK;
}

grpc::Status ImageServiceImpl::PullImage(grpc::ServerContext* server, const builder::v1::PullImageRequest* request,
                                         grpc::ServerWriter<TransferProgress>* writer) {
  const ServerCall call(parts_.watcher, *server);
  distribution::RegistryClient registry(
      parts_.http, {.insecure_hosts = parts_.insecure_hosts, .credentials = ToCredentialSource(request->credentials())});
  TransferReporter reporter(*writer, parts_.clock);
  images::ImageTransfer transfer = MakeTransfer(parts_, catalog_);
  const images::PullSpec spec{request->reference(), request->platform(), request->all_platforms()};
  const auto pulled = transfer.Pull(call.context(), registry, spec, ReportTo(reporter));
  if (pulled.ok()) reporter.SendResult(pulled->digest, pulled->name);
  return Logged("image pulled", request->reference(), pulled.status());
}

grpc::Status ImageServiceImpl::PushImage(grpc::ServerContext* server, const builder::v1::PushImageRequest* request,
                                         grpc::ServerWriter<TransferProgress>* writer) {
  const ServerCall call(parts_.watcher, *server);
  distribution::RegistryClient registry(
      parts_.http, {.insecure_hosts = parts_.insecure_hosts, .credentials = ToCredentialSource(request->credentials())});
  TransferReporter reporter(*writer, parts_.clock);
  images::ImageTransfer transfer = MakeTransfer(parts_, catalog_);
  const images::PushSpec spec{request->source(), request->target()};
  const auto pushed = transfer.Push(call.context(), registry, spec, ReportTo(reporter));
  if (pushed.ok()) reporter.SendResult(pushed->digest, pushed->name);
  return Logged("image pushed", request->source(), pushed.status());
}

}  // namespace strata::rpc
