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
#include "absl/time/time.h"
#include "lib/blobstore/blob_store.h"
#include "lib/rpc/call.h"
#include "proto/strata/store/v1/blob.pb.h"

namespace strata::store {

// Waits for each message `patience` at most; what came before is kept.
absl::Status ReceiveUpload(blobstore::BlobStore& blobs, const rpc::ServerCall& call, grpc::ServerContext& server,
                           grpc::ServerReader<v1::WriteUploadRequest>& reader, absl::Duration patience,
                           v1::WriteUploadResponse& response);

}  // namespace strata::store
