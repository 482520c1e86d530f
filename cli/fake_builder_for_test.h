// A builder inside the test: answers what the test tells it to, and keeps what it was asked.
#pragma once

#include <grpcpp/server.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "proto/strata/builder/v1/build.grpc.pb.h"
#include "proto/strata/builder/v1/image.grpc.pb.h"

namespace strata::cli {

using BuildStream = grpc::ServerReaderWriter<builder::v1::BuildResponse, builder::v1::BuildRequest>;

class FakeBuilder final : public builder::v1::BuildService::Service, public builder::v1::ImageService::Service {
 public:
  FakeBuilder();
  ~FakeBuilder() override;

  // "127.0.0.1:<port>"
  const std::string& address() const { return address_; }

  // Set before the call; what the build does once its start message came.
  std::function<grpc::Status(grpc::ServerContext&, const builder::v1::BuildStart&, BuildStream&)> on_build;
  // Of every call that is not a build: what it fails with.
  grpc::Status image_error;
  std::vector<builder::v1::ImageSummary> images;
  builder::v1::InspectImageResponse inspected;
  std::vector<builder::v1::TransferProgress> transfer;
  std::string saved;

  // What came last, as text: "tag a b", "import app:1 CMD [\"x\"] <content>".
  std::string last_call() const {
    MutexLock lock(mutex_);
    return last_call_;
  }
  builder::v1::PullImageRequest last_pull() const {
    MutexLock lock(mutex_);
    return last_pull_;
  }

  grpc::Status Build(grpc::ServerContext* context, BuildStream* stream) override;
  grpc::Status ListImages(grpc::ServerContext*, const builder::v1::ListImagesRequest* request, builder::v1::ListImagesResponse* response) override;
  grpc::Status InspectImage(grpc::ServerContext*, const builder::v1::InspectImageRequest* request,
                            builder::v1::InspectImageResponse* response) override;
  grpc::Status TagImage(grpc::ServerContext*, const builder::v1::TagImageRequest* request, builder::v1::TagImageResponse* response) override;
  grpc::Status RemoveImage(grpc::ServerContext*, const builder::v1::RemoveImageRequest* request,
                           builder::v1::RemoveImageResponse* response) override;
  grpc::Status ImportImage(grpc::ServerContext*, grpc::ServerReader<builder::v1::ImportImageRequest>* stream,
                           builder::v1::ImportImageResponse* response) override;
  grpc::Status SaveImages(grpc::ServerContext*, const builder::v1::SaveImagesRequest* request,
                          grpc::ServerWriter<builder::v1::SaveImagesResponse>* stream) override;
  grpc::Status LoadImages(grpc::ServerContext*, grpc::ServerReader<builder::v1::LoadImagesRequest>* stream,
                          builder::v1::LoadImagesResponse* response) override;
  grpc::Status PullImage(grpc::ServerContext*, const builder::v1::PullImageRequest* request,
                         grpc::ServerWriter<builder::v1::TransferProgress>* stream) override;
  grpc::Status PushImage(grpc::ServerContext*, const builder::v1::PushImageRequest* request,
                         grpc::ServerWriter<builder::v1::TransferProgress>* stream) override;

 private:
  grpc::Status Note(const std::string& call);

  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  mutable Mutex mutex_;
  std::string last_call_ ABSL_GUARDED_BY(mutex_);
  builder::v1::PullImageRequest last_pull_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::cli
