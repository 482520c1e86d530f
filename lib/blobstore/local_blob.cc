#include "lib/blobstore/local_blob.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/blobstore/store_client_streams.h"
#include "lib/blobstore/verified_reader.h"
#include "lib/rpc/call.h"
#include "lib/rpc/status.h"

namespace strata::blobstore {

namespace v1 = store::v1;

namespace {

// A range that came in the answer.
class DataReader final : public BlobReader {
 public:
  DataReader(std::string data, uint64_t length, uint64_t size_bytes)
      : data_(std::move(data)), rest_(absl::string_view(data_).substr(0, length)), size_bytes_(size_bytes) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    const size_t count = rest_.copy(buffer, size);
    rest_.remove_prefix(count);
    return count;
  }
  absl::Status WriteTo(ByteSink& sink) override {
    const absl::string_view rest = std::exchange(rest_, absl::string_view());
    return rest.empty() ? absl::OkStatus() : sink.Write(rest);
  }
  uint64_t size_bytes() const override { return size_bytes_; }

 private:
  const std::string data_;
  absl::string_view rest_;
  const uint64_t size_bytes_;
};

// The store verifies what it reads itself, and quarantines what is damaged: it believes nobody's word.
void ShowDamage(v1::BlobService::Stub& stub, const std::string& peer, const CallContext& context, v1::ReadBlobRequest request,
                uint64_t offset) {
  request.set_offset_bytes(static_cast<int64_t>(offset));
  auto reader = OpenReadStream(stub, peer, context, std::move(request), 1);
  if (!reader.ok()) return;
  NullSink nowhere;
  // Either way the reader here fails with the damage that it saw.
  (*reader)->WriteTo(nowhere).IgnoreError();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BlobReader>> OpenLocalBlob(v1::BlobService::Stub& stub, const std::string& peer,
                                                          descriptor::DescriptorClient& descriptors,
                                                          const CallContext& context, const v1::ReadBlobRequest& request,
                                                          std::optional<uint64_t> length_bytes) {
  v1::OpenBlobRequest open;
  open.set_repository(request.repository());
  open.set_digest(request.digest());
  open.set_offset_bytes(request.offset_bytes());
  // 0 is "to the end" on the wire; nothing at all is asked for as one byte, which is not given out.
  if (length_bytes) open.set_length_bytes(static_cast<int64_t>(std::clamp<uint64_t>(*length_bytes, 1, INT64_MAX)));
  v1::OpenBlobResponse response;
  absl::Status status;
  {
    rpc::ClientCall call(context);
    status = rpc::FromGrpc(stub.OpenBlob(call.get(), open, &response), peer);
  }
  if (absl::IsUnimplemented(status)) {
    descriptors.LeaveAlone();
    return nullptr;
  }
  STRATA_RETURN_IF_ERROR(status);

  const uint64_t size = static_cast<uint64_t>(response.size_bytes());
  const uint64_t offset = static_cast<uint64_t>(request.offset_bytes());
  if (offset > size) return absl::InternalError(absl::StrCat(peer, " opened a blob past its end"));
  const uint64_t length = std::min(length_bytes.value_or(UINT64_MAX), size - offset);
  if (response.has_data()) {
    if (response.data().size() < length) return absl::InternalError(absl::StrCat(peer, " gave fewer bytes than were asked for"));
    return std::make_unique<DataReader>(std::move(*response.mutable_data()), length, size);
  }
  if (!response.has_file()) {
    descriptors.LeaveAlone();
    return nullptr;
  }
  if (length == 0) return std::make_unique<DataReader>("", 0, size);
  const v1::OpenBlobResponse::File& file = response.file();
  const uint64_t first = offset / kChecksumPieceBytes;
  if (static_cast<uint64_t>(file.piece_checksums_size()) <= (offset + length - 1) / kChecksumPieceBytes - first) {
    return absl::InternalError(absl::StrCat(peer, " opened a blob without its checksums"));
  }
  absl::StatusOr<descriptor::ReceivedDescriptor> received = descriptors.Redeem(file.socket_path(), file.ticket());
  if (!received.ok()) return nullptr;
  return NewVerifiedReader(std::make_unique<FileSource>(std::move(received->fd)),
                           std::vector<uint32_t>(file.piece_checksums().begin(), file.piece_checksums().end()),
                           {.size_bytes = size, .offset_bytes = offset, .length_bytes = length, .first_piece = first},
                           [&stub, &peer, context, request](uint64_t damaged) { ShowDamage(stub, peer, context, request, damaged); });
}

}  // namespace strata::blobstore
