// strata.builder.v1.BuildService: translates one stream to one build; decides nothing.
#pragma once

#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/http/client.h"
#include "proto/strata/builder/v1/build.grpc.pb.h"
#include "services/builder/build/build.h"
#include "services/builder/context/content_cache.h"
#include "services/builder/rpc/build_stream.h"
#include "services/builder/source/image_puller.h"

namespace strata::rpc {

// What a build needs beside the Builder itself. All references must outlive the service.
struct BuildServiceParts {
  build::Builder& builder;
  blobstore::BlobStore& blobs;
  blobstore::RefStore& refs;
  source::ImagePuller& puller;
  context::ContentCache& files;
  http::Client& http;
  const Clock& clock;
  std::vector<std::string> own_hosts;
  std::vector<std::string> insecure_hosts;
  std::string default_registry;
  int max_streams = 256;  // at once; each takes two threads
  BuildStream::Options stream;
};

// More than max_streams are answered RESOURCE_EXHAUSTED. A thread a build, plus one that reads its client's messages. Destroy after the server is shut down: waits for the last thread.
class BuildServiceImpl final : public builder::v1::BuildService::CallbackService {
 public:
  explicit BuildServiceImpl(BuildServiceParts parts) : parts_(std::move(parts)) {}
  ~BuildServiceImpl() override;

  grpc::ServerBidiReactor<builder::v1::BuildRequest, builder::v1::BuildResponse>* Build(
      grpc::CallbackServerContext* server_context) override;

 private:
  void Serve(BuildStream& stream);
  absl::StatusOr<build::BuildOutcome> RunBuild(const builder::v1::BuildStart& start, BuildStream& stream);

  const BuildServiceParts parts_;
  Mutex mutex_;
  CondVar ended_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace strata::rpc
