// The server's side of WriteUpload.
//
//   client: header   data...   commit | half-close
//   server:        └ initial metadata "x-strata-upload: open" as soon as the session is open    └ response, or the error
//
// A client that waits for that metadata learns of a wrong offset before it sends any content.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "absl/status/status.h"
#include "lib/blobstore/blob_store.h"
#include "proto/strata/store/v1/blob.pb.h"

namespace strata::store {

absl::Status ReceiveUpload(blobstore::BlobStore& blobs, const CallContext& context, grpc::ServerContext& server,
                           grpc::ServerReader<v1::WriteUploadRequest>& reader, v1::WriteUploadResponse& response);

}  // namespace strata::store
