// strata.builder.v1.ImageService: translates calls to services/builder/images; decides nothing.
//
// Synchronous: a call takes a thread of the server's while it runs. Content streams in pieces of at most 1 MiB, in bounded memory.
#pragma once

#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/http/client.h"
#include "lib/rpc/call.h"
#include "proto/strata/builder/v1/image.grpc.pb.h"
#include "services/builder/images/image_catalog.h"
#include "services/builder/layer/pipeline.h"
#include "services/builder/source/image_puller.h"

namespace strata::rpc {

// All references must outlive the service.
struct ImageServiceParts {
  blobstore::BlobStore& blobs;
  blobstore::RefStore& refs;
  source::ImagePuller& puller;
  http::Client& http;
  CallWatcher& watcher;
  const Clock& clock;
  std::vector<std::string> own_hosts;       // names our registry is reached by
  std::vector<std::string> insecure_hosts;  // registries spoken to in plain HTTP, besides loopback
  std::string default_registry;             // for references without a host; empty: none
  layer::LayerSinkOptions layer;            // how layers that arrive uncompressed are kept
};

// Thread-safe. Destroy after the server is shut down.
class ImageServiceImpl final : public builder::v1::ImageService::Service {
 public:
  explicit ImageServiceImpl(ImageServiceParts parts);

  grpc::Status ListImages(grpc::ServerContext* server, const builder::v1::ListImagesRequest* request,
                          builder::v1::ListImagesResponse* response) override;
  grpc::Status InspectImage(grpc::ServerContext* server, const builder::v1::InspectImageRequest* request,
                            builder::v1::InspectImageResponse* response) override;
  grpc::Status TagImage(grpc::ServerContext* server, const builder::v1::TagImageRequest* request,
                        builder::v1::TagImageResponse* response) override;
  grpc::Status RemoveImage(grpc::ServerContext* server, const builder::v1::RemoveImageRequest* request,
                           builder::v1::RemoveImageResponse* response) override;
  grpc::Status ImportImage(grpc::ServerContext* server, grpc::ServerReader<builder::v1::ImportImageRequest>* reader,
                           builder::v1::ImportImageResponse* response) override;
  grpc::Status SaveImages(grpc::ServerContext* server, const builder::v1::SaveImagesRequest* request,
                          grpc::ServerWriter<builder::v1::SaveImagesResponse>* writer) override;
  grpc::Status LoadImages(grpc::ServerContext* server, grpc::ServerReader<builder::v1::LoadImagesRequest>* reader,
                          builder::v1::LoadImagesResponse* response) override;
  grpc::Status PullImage(grpc::ServerContext* server, const builder::v1::PullImageRequest* request,
                         grpc::ServerWriter<builder::v1::TransferProgress>* writer) override;
  grpc::Status PushImage(grpc::ServerContext* server, const builder::v1::PushImageRequest* request,
                         grpc::ServerWriter<builder::v1::TransferProgress>* writer) override;

 private:
  const ImageServiceParts parts_;
  images::ImageCatalog catalog_;
};

}  // namespace strata::rpc
