#include "services/store/rpc/open_blob.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/status.h"
#include "lib/blobstore/verified_reader.h"
#include "services/store/rpc/translate.h"

namespace strata::store {

namespace {

constexpr uint64_t kMaxDataBytes = 64 * 1024;
// Of 1 TiB: 4 MiB of checksums. A range that touches more comes as a stream.
constexpr uint64_t kMaxPieces = 1 << 20;

// Leaves the answer without content when no ticket can be had: the reader streams then.
void OfferFile(blobstore::BlobFile file, uint64_t offset, uint64_t length, descriptor::DescriptorServer& descriptors,
               v1::OpenBlobResponse& response) {
  const uint64_t first = offset / blobstore::kChecksumPieceBytes;
  const uint64_t last = (offset + length - 1) / blobstore::kChecksumPieceBytes;
  if (last - first >= kMaxPieces || last >= file.checksums.size()) return;
  absl::StatusOr<std::string> ticket = descriptors.Offer(std::move(file.fd));
  if (!ticket.ok()) return;
  v1::OpenBlobResponse::File& answer = *response.mutable_file();
  answer.set_socket_path(descriptors.path());
  answer.set_ticket(*std::move(ticket));
  const auto begin = file.checksums.begin() + static_cast<ptrdiff_t>(first);
  answer.mutable_piece_checksums()->Add(begin, begin + static_cast<ptrdiff_t>(last - first + 1));
}

}  // namespace

absl::Status OpenBlobForReader(blobstore::BlobStore& blobs, const CallContext& context,
                               descriptor::DescriptorServer* descriptors, const v1::OpenBlobRequest& request,
                               v1::OpenBlobResponse& response) {
  STRATA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(request.digest()));
  STRATA_ASSIGN_OR_RETURN(const uint64_t offset, ParseSize("offset_bytes", request.offset_bytes()));
  STRATA_ASSIGN_OR_RETURN(const uint64_t wanted, ParseSize("length_bytes", request.length_bytes()));
  STRATA_ASSIGN_OR_RETURN(const auto reader,
                          blobs.OpenBlob(context, request.repository(), digest, offset,
                                         wanted == 0 ? std::nullopt : std::optional<uint64_t>(wanted)));
  response.set_size_bytes(static_cast<int64_t>(reader->size_bytes()));
  const uint64_t left = reader->size_bytes() - offset;
  const uint64_t length = wanted == 0 ? left : std::min(left, wanted);
  if (length <= kMaxDataBytes) {
    STRATA_ASSIGN_OR_RETURN(*response.mutable_data(), ReadAll(*reader, kMaxDataBytes));
    return absl::OkStatus();
  }
  if (descriptors == nullptr) return absl::OkStatus();
  if (std::optional<blobstore::BlobFile> file = reader->file()) {
    OfferFile(*std::move(file), offset, length, *descriptors, response);
  }
  return absl::OkStatus();
}

}  // namespace strata::store
