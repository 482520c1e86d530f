// OpenBlob: bytes in the answer, or a ticket for the file. For this room only.
#pragma once

#include "absl/status/status.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/descriptor/descriptor_server.h"
#include "proto/strata/store/v1/blob.pb.h"

namespace strata::store {

// `descriptors` may be null.
absl::Status OpenBlobForReader(blobstore::BlobStore& blobs, const CallContext& context,
                               descriptor::DescriptorServer* descriptors, const v1::OpenBlobRequest& request,
                               v1::OpenBlobResponse& response);

}  // namespace strata::store
