#include "services/registry/routes/chunk.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "services/registry/routes/errors.h"

namespace strata::registry {
namespace {

absl::Status WrongSize(const http::ByteRange& range, absl::string_view came) {
  return About(Subject::kSize,
               absl::InvalidArgumentError(absl::StrCat("Content-Range ", range.first, "-", range.last, " announces ",
                                                       range.size_bytes(), " bytes, but ", came,
                                                       "; ask for the upload's offset and go on from there")));
}

absl::Status KeepWhatArrived(blobstore::UploadWriter& writer, const absl::Status& cause) {
  const absl::Status kept = writer.Flush().status();
  if (kept.ok()) return cause;
  return Annotate(cause, absl::StrCat("what arrived could not be kept either (", kept.message(), ")"));
}

}  // namespace

absl::StatusOr<std::optional<http::ByteRange>> ChunkRange(const http::Request& request) {
  const auto text = request.headers.Find("Content-Range");
  if (!text) return std::nullopt;
  STRATA_ASSIGN_OR_RETURN(const http::ByteRange range, About(Subject::kRange, http::ParseUploadContentRange(*text)));
  if (request.content_length && *request.content_length != range.size_bytes()) {
    return WrongSize(range, absl::StrCat("Content-Length is ", *request.content_length));
  }
  return range;
}

absl::Status WriteChunk(const http::Request& request, const std::optional<http::ByteRange>& range,
                        blobstore::UploadWriter& writer) {
  const auto buffer = std::make_unique<char[]>(kStreamChunkBytes);
  uint64_t received = 0;
  for (;;) {
    const absl::StatusOr<size_t> n = request.body.Read(buffer.get(), kStreamChunkBytes);
    if (!n.ok()) return KeepWhatArrived(writer, Annotate(n.status(), "receiving the request body"));
    if (*n == 0) break;
    if (range && received + *n > range->size_bytes()) {
      return KeepWhatArrived(writer, WrongSize(*range, "more came"));
    }
    STRATA_RETURN_IF_ERROR(About(Subject::kUpload, writer.Write(absl::string_view(buffer.get(), *n))));
    received += *n;
  }
  if (range && received < range->size_bytes()) {
    return KeepWhatArrived(writer, WrongSize(*range, absl::StrCat("only ", received, " came")));
  }
  return absl::OkStatus();
}

}  // namespace strata::registry
