// The builder's image operations as plain calls. Errors are the builder's own, or kUnavailable with the address and what to try.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/bytes/byte_stream.h"
#include "proto/strata/builder/v1/image.pb.h"

namespace strata::cli {

// Thread-compatible. Connects at the first call; every call blocks.
class ImageClient {
 public:
  using TransferCallback = std::function<void(const builder::v1::TransferProgress&)>;

  // `address` is "host:port" or "unix:/path".
  explicit ImageClient(const std::string& address);
  ~ImageClient();

  absl::StatusOr<builder::v1::ListImagesResponse> List(const CallContext& call, const builder::v1::ListImagesRequest& request);
  absl::StatusOr<builder::v1::InspectImageResponse> Inspect(const CallContext& call, const builder::v1::InspectImageRequest& request);
  absl::StatusOr<builder::v1::TagImageResponse> Tag(const CallContext& call, const builder::v1::TagImageRequest& request);
  absl::StatusOr<builder::v1::RemoveImageResponse> Remove(const CallContext& call, const builder::v1::RemoveImageRequest& request);
  // Sends all of `content`; an error of it cancels the call and is returned.
  absl::StatusOr<builder::v1::ImportImageResponse> Import(const CallContext& call, const builder::v1::ImportImageRequest::Header& header,
                                                          ByteSource& content);
  absl::Status Save(const CallContext& call, const builder::v1::SaveImagesRequest& request, ByteSink& sink);
  absl::StatusOr<builder::v1::LoadImagesResponse> Load(const CallContext& call, ByteSource& content);
  // The last message, which carries the result.
  absl::StatusOr<builder::v1::TransferProgress> Pull(const CallContext& call, const builder::v1::PullImageRequest& request,
                                                     const TransferCallback& on_progress);
  absl::StatusOr<builder::v1::TransferProgress> Push(const CallContext& call, const builder::v1::PushImageRequest& request,
                                                     const TransferCallback& on_progress);

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace strata::cli
