// The server's side of WriteUpload.
//
//   client: header   data...                                      commit | half-close
//           header   open_file   written_bytes...                 commit | half-close
//   server:        └ initial metadata "x-strata-upload: open" as soon as the session is open    └ last response, or the error
//
// A client that waits for that metadata learns of a wrong offset before it sends any content.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/blobstore/blob_store.h"
#include "lib/descriptor/descriptor_server.h"
#include "lib/rpc/call.h"
#include "proto/strata/store/v1/blob.pb.h"
#include "services/store/rpc/services.h"

namespace strata::store {

using UploadStream = grpc::ServerReaderWriter<v1::WriteUploadResponse, v1::WriteUploadRequest>;

// Waits for each message `limits.patience` at most, and no longer than that in all for an upload that brings too little; what came is
// kept. `descriptors` null: content comes in messages only. kDeadlineExceeded: it brings too little.
absl::Status ReceiveUpload(blobstore::BlobStore& blobs, descriptor::DescriptorServer* descriptors, const rpc::ServerCall& call,
                           grpc::ServerContext& server, UploadStream& stream, const StreamLimits& limits);

}  // namespace strata::store
