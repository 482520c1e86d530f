#include "services/registry/routes/chunk.h"

#include <algorithm>
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

// A body on its way into `writer`.
class Body {
 public:
  Body(const http::Request& request, const std::optional<http::ByteRange>& range, blobstore::UploadWriter& writer)
      : request_(request), range_(range), writer_(writer), buffer_(std::make_unique<char[]>(kStreamChunkBytes)) {}

  absl::Status Write() {
    // Only what does not fit into one buffer is worth a file: a chunked body tells by coming.
    bool is_large = request_.content_length.value_or(0) > kStreamChunkBytes;
    if (!request_.content_length) {
      STRATA_ASSIGN_OR_RETURN(is_large, CopyBufferful());
    }
    if (is_large) {
      STRATA_ASSIGN_OR_RETURN(blobstore::DirectUpload* const file, About(Subject::kUpload, writer_.Direct()));
      if (file != nullptr) return MoveTo(*file);
    }
    while (true) {
      STRATA_ASSIGN_OR_RETURN(const size_t n, Read(kStreamChunkBytes));
      if (n == 0) break;
      STRATA_RETURN_IF_ERROR(WriteBuffer(n));
    }
    return CheckEnd();
  }

 private:
  // False: that was all of it.
  absl::StatusOr<bool> CopyBufferful() {
    size_t have = 0;
    size_t n = 1;
    while (n > 0 && have < kStreamChunkBytes) {
      const absl::StatusOr<size_t> read = request_.body.Read(buffer_.get() + have, kStreamChunkBytes - have);
      n = read.value_or(0);
      have += n;
      if (read.ok()) continue;
      STRATA_RETURN_IF_ERROR(WriteBuffer(have));
      return KeepWhatArrived(writer_, Annotate(read.status(), "receiving the request body"));
    }
    STRATA_RETURN_IF_ERROR(WriteBuffer(have));
    return n > 0;
  }

  // 0: the end.
  absl::StatusOr<size_t> Read(size_t size) {
    const absl::StatusOr<size_t> n = request_.body.Read(buffer_.get(), size);
    if (!n.ok()) return KeepWhatArrived(writer_, Annotate(n.status(), "receiving the request body"));
    return n;
  }

  absl::Status WriteBuffer(size_t count) {
    if (range_ && received_ + count > range_->size_bytes()) return KeepWhatArrived(writer_, WrongSize(*range_, "more came"));
    received_ += count;
    return About(Subject::kUpload, writer_.Write(absl::string_view(buffer_.get(), count)));
  }

  absl::Status MoveTo(blobstore::DirectUpload& file) {
    while (!range_ || received_ < range_->size_bytes()) {
      STRATA_ASSIGN_OR_RETURN(uint64_t allowance, About(Subject::kUpload, file.Allowance()));
      if (range_) allowance = std::min(allowance, range_->size_bytes() - received_);
      const absl::StatusOr<uint64_t> n = request_.body.MoveToFile(file.descriptor(), file.offset_bytes(), allowance);
      if (!n.ok()) return KeepWhatArrived(writer_, Annotate(n.status(), "receiving the request body"));
      if (*n == 0) return CheckEnd();
      STRATA_RETURN_IF_ERROR(About(Subject::kUpload, file.Advance(*n)));
      received_ += *n;
    }
    STRATA_ASSIGN_OR_RETURN(const size_t extra, Read(1));
    return extra == 0 ? absl::OkStatus() : KeepWhatArrived(writer_, WrongSize(*range_, "more came"));
  }

  absl::Status CheckEnd() {
    if (!range_ || received_ == range_->size_bytes()) return absl::OkStatus();
    return KeepWhatArrived(writer_, WrongSize(*range_, absl::StrCat("only ", received_, " came")));
  }

  const http::Request& request_;
  const std::optional<http::ByteRange>& range_;
  blobstore::UploadWriter& writer_;
  const std::unique_ptr<char[]> buffer_;
  uint64_t received_ = 0;
};

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
  Body body(request, range, writer);
  return body.Write();
}

absl::Status ReadSmallBody(const http::Request& request, std::string* content) {
  content->resize(*request.content_length);
  for (size_t have = 0; have < content->size();) {
    const absl::StatusOr<size_t> n = request.body.Read(content->data() + have, content->size() - have);
    if (!n.ok() || *n == 0) content->resize(have);
    if (!n.ok()) return Annotate(n.status(), "receiving the request body");
    have += *n;
  }
  return absl::OkStatus();
}

}  // namespace strata::registry
