#include "services/registry/routes/blobs.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/http/range.h"
#include "services/registry/routes/conditional.h"
#include "services/registry/routes/errors.h"

namespace strata::registry {
namespace {

constexpr char kBlobType[] = "application/octet-stream";
constexpr char kForever[] = "max-age=31536000, immutable";  // content of a digest never changes

absl::StatusOr<Digest> BlobDigest(const Exchange& exchange) {
  return About(Subject::kDigest, Digest::Parse(exchange.route.last));
}

absl::StatusOr<uint64_t> BlobSize(const Exchange& exchange, const Digest& digest) {
  STRATA_ASSIGN_OR_RETURN(
      const auto sizes, exchange.services.blobs.StatBlobs(exchange.context, exchange.route.repository, {&digest, 1}));
  if (sizes.empty() || !sizes.front()) {
    return About(Subject::kBlob, absl::NotFoundError(absl::StrCat("repository \"", exchange.route.repository,
                                                                  "\" has no blob ", digest.ToString())));
  }
  return *sizes.front();
}

absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> Open(const Exchange& exchange, const Digest& digest,
                                                            uint64_t offset, std::optional<uint64_t> length) {
  return About(Subject::kBlob, exchange.services.blobs.OpenBlob(exchange.context, exchange.route.repository, digest,
                                                                offset, length));
}

void DescribeBlob(http::Headers& headers, const Digest& digest) {
  headers.Set("Docker-Content-Digest", digest.ToString());
  headers.Set("ETag", EntityTag(digest.ToString()));
  headers.Set("Accept-Ranges", "bytes");
  headers.Set("Cache-Control", kForever);
  headers.Set("Content-Type", kBlobType);
}

absl::Status SendWhole(const Exchange& exchange, const Digest& digest) {
  STRATA_ASSIGN_OR_RETURN(const auto reader, Open(exchange, digest, 0, std::nullopt));
  STRATA_ASSIGN_OR_RETURN(ByteSink * sink, exchange.response.StartStream(reader->size_bytes()));
  STRATA_RETURN_IF_ERROR(reader->WriteTo(*sink));
  return exchange.response.Finish();
}

absl::Status SendOneRange(const Exchange& exchange, const Digest& digest, const http::ByteRange& range, uint64_t size) {
  STRATA_ASSIGN_OR_RETURN(const auto reader, Open(exchange, digest, range.first, range.size_bytes()));
  exchange.response.SetStatus(206);
  exchange.response.headers().Set("Content-Range", http::FormatContentRange(range, size));
  STRATA_ASSIGN_OR_RETURN(ByteSink * sink, exchange.response.StartStream(range.size_bytes()));
  STRATA_RETURN_IF_ERROR(reader->WriteTo(*sink));
  return exchange.response.Finish();
}

// The multipart frame around the ranges. Spec: RFC 9110 section 14.6.
class MultipartFrame {
 public:
  MultipartFrame(const Digest& digest, const std::vector<http::ByteRange>& ranges, uint64_t size)
      // Nobody can store a blob that contains a piece of its own digest at will.
      : boundary_(absl::StrCat("strata-", digest.hex().substr(0, 40))) {
    for (const http::ByteRange& range : ranges) {
      headers_.push_back(absl::StrCat(headers_.empty() ? "" : "\r\n", "--", boundary_, "\r\nContent-Type: ", kBlobType,
                                      "\r\nContent-Range: ", http::FormatContentRange(range, size), "\r\n\r\n"));
      length_ += headers_.back().size() + range.size_bytes();
    }
    end_ = absl::StrCat("\r\n--", boundary_, "--\r\n");
    length_ += end_.size();
  }

  std::string content_type() const { return absl::StrCat("multipart/byteranges; boundary=", boundary_); }
  const std::string& header(size_t i) const { return headers_[i]; }
  const std::string& end() const { return end_; }
  uint64_t length() const { return length_; }

 private:
  std::string boundary_;
  std::vector<std::string> headers_;
  std::string end_;
  uint64_t length_ = 0;
};

absl::Status SendManyRanges(const Exchange& exchange, const Digest& digest, const std::vector<http::ByteRange>& ranges,
                            uint64_t size) {
  const MultipartFrame frame(digest, ranges, size);
  STRATA_ASSIGN_OR_RETURN(auto reader, Open(exchange, digest, ranges[0].first, ranges[0].size_bytes()));
  exchange.response.SetStatus(206);
  exchange.response.headers().Set("Content-Type", frame.content_type());
  STRATA_ASSIGN_OR_RETURN(ByteSink * sink, exchange.response.StartStream(frame.length()));
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (i > 0) {
      reader.reset();  // its stream ends before the next one begins
      STRATA_ASSIGN_OR_RETURN(reader, Open(exchange, digest, ranges[i].first, ranges[i].size_bytes()));
    }
    STRATA_RETURN_IF_ERROR(sink->Write(frame.header(i)));
    STRATA_RETURN_IF_ERROR(reader->WriteTo(*sink));
  }
  STRATA_RETURN_IF_ERROR(sink->Write(frame.end()));
  return exchange.response.Finish();
}

// More bytes than the blob has, by overlapping ranges, is what attackers ask for: they get the blob once.
bool AskForMoreThanAll(const std::vector<http::ByteRange>& ranges, uint64_t size) {
  uint64_t total = 0;
  for (const http::ByteRange& range : ranges) total += range.size_bytes();
  return total > size;
}

absl::Status SendRanges(const Exchange& exchange, const Digest& digest, absl::string_view wanted, uint64_t size) {
  const auto ranges = http::ParseRange(wanted, size);
  if (absl::IsOutOfRange(ranges.status())) {
    exchange.response.headers().Set("Content-Range", absl::StrCat("bytes */", size));
    return About(Subject::kRange, ranges.status());
  }
  if (!ranges.ok() || AskForMoreThanAll(*ranges, size)) return SendWhole(exchange, digest);
  if (ranges->size() == 1) return SendOneRange(exchange, digest, ranges->front(), size);
  return SendManyRanges(exchange, digest, *ranges, size);
}

absl::Status SendHead(const Exchange& exchange, uint64_t size) {
  exchange.response.headers().Set("Content-Length", absl::StrCat(size));
  return exchange.response.SendEmpty();
}

}  // namespace

absl::Status GetBlob(const Exchange& exchange) {
  STRATA_ASSIGN_OR_RETURN(const Digest digest, BlobDigest(exchange));
  const http::Headers& headers = exchange.request.headers;
  const auto range = headers.Find("Range");
  const bool is_conditional = headers.Has("If-None-Match");
  const bool is_plain_get = !exchange.is_head() && !range && !is_conditional;
  if (is_plain_get) {
    DescribeBlob(exchange.response.headers(), digest);
    return SendWhole(exchange, digest);
  }
  STRATA_ASSIGN_OR_RETURN(const uint64_t size, BlobSize(exchange, digest));
  DescribeBlob(exchange.response.headers(), digest);
  if (NoneMatchNames(headers, digest.ToString())) {
    exchange.response.SetStatus(304);
    return exchange.response.SendEmpty();
  }
  // The RFC defines ranges for GET alone.
  if (exchange.is_head()) return SendHead(exchange, size);
  if (range && RangeApplies(headers, digest.ToString())) return SendRanges(exchange, digest, *range, size);
  return SendWhole(exchange, digest);
}

absl::Status DeleteBlob(const Exchange& exchange) {
  STRATA_ASSIGN_OR_RETURN(const Digest digest, BlobDigest(exchange));
  STRATA_RETURN_IF_ERROR(About(Subject::kBlob, exchange.services.blobs.UnlinkBlob(exchange.context,
                                                                                  exchange.route.repository, digest)));
  exchange.response.SetStatus(202);
  return exchange.response.SendEmpty();
}

}  // namespace strata::registry
