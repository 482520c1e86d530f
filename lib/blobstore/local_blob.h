// OpenBlob of StoreClient where store and client share a host. For lib/blobstore/store_client*.cc only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/blobstore/blob_store.h"
#include "lib/descriptor/descriptor_client.h"
#include "proto/strata/store/v1/blob.grpc.pb.h"

namespace strata::blobstore {

// Null: it has to be read by a stream, as from another host. `request` is without its length.
// `stub`, `peer` and the Cancellation of `context` outlive what is returned.
absl::StatusOr<std::unique_ptr<BlobReader>> OpenLocalBlob(store::v1::BlobService::Stub& stub, const std::string& peer,
                                                          descriptor::DescriptorClient& descriptors,
                                                          const CallContext& context,
                                                          const store::v1::ReadBlobRequest& request,
                                                          std::optional<uint64_t> length_bytes);

}  // namespace strata::blobstore
