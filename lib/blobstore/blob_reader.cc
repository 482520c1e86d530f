#include <algorithm>
#include <memory>

#include "lib/base/status.h"
#include "lib/blobstore/blob_store.h"

namespace strata::blobstore {

absl::Status BlobReader::WriteTo(ByteSink& sink) {
  const size_t size = std::clamp<uint64_t>(size_bytes(), 1, kPieceBytes);
  const std::unique_ptr<char[]> buffer(new char[size]);
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const size_t count, Read(buffer.get(), size));
    if (count == 0) return absl::OkStatus();
    STRATA_RETURN_IF_ERROR(sink.Write(absl::string_view(buffer.get(), count)));
  }
}

}  // namespace strata::blobstore
