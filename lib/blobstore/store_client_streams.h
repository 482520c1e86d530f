// The two content streams of StoreClient. For lib/blobstore/store_client*.cc only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lib/blobstore/blob_store.h"
#include "lib/descriptor/descriptor_client.h"
#include "proto/strata/store/v1/blob.grpc.pb.h"

namespace strata::blobstore {

void SetCommit(const Digest& digest, std::optional<uint64_t> size_bytes, store::v1::WriteUploadRequest::Commit& commit);

// `stub`, `peer` and `descriptors` (null: content travels in messages) outlive what is returned.
absl::StatusOr<std::unique_ptr<UploadWriter>> OpenWriteStream(store::v1::BlobService::Stub& stub, const std::string& peer,
                                                              descriptor::DescriptorClient* descriptors,
                                                              const CallContext& context,
                                                              const store::v1::WriteUploadRequest::Header& header);

// Sets the length of `request`.
absl::StatusOr<std::unique_ptr<BlobReader>> OpenReadStream(store::v1::BlobService::Stub& stub, const std::string& peer,
                                                           const CallContext& context, store::v1::ReadBlobRequest request,
                                                           std::optional<uint64_t> length_bytes);

}  // namespace strata::blobstore
