// ADD of a URL.
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/digest/hasher.h"
#include "services/builder/context/context_tree.h"
#include "services/builder/ops/steps.h"
#include "services/builder/ops/temporary_file.h"

namespace strata::ops {

namespace {

constexpr int64_t kMaxFetchBytes = int64_t{16} << 30;

// A fetched file is in the cache already; should it be trimmed while a build uses it, the step says so.
class NoRequester final : public context::FileRequester {
 public:
  absl::Status Fetch(const CallContext&, absl::Span<const filetree::Node>) override { return absl::OkStatus(); }
};

// HTTP's "Tue, 15 Nov 1994 12:45:26 GMT"; the epoch when there is none, so that equal content gives equal layers.
absl::Time LastModified(const http::Headers& headers) {
  absl::Time time = absl::UnixEpoch();
  std::string error;
  if (const auto value = headers.Find("Last-Modified")) {
    absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", *value, &time, &error);
  }
  return time;
}

// Downloads into a temporary file first: the content's name, its digest, is known only at the end.
absl::StatusOr<Digest> Download(const StepContext& step, const graph::HttpOp& op, ByteSource& body, int64_t total_bytes,
                                int64_t& size_bytes) {
  STRATA_ASSIGN_OR_RETURN(TemporaryFile file, TemporaryFile::Create(step.environment.scratch_root));
  Hasher hasher(op.checksum ? op.checksum->algorithm() : DigestAlgorithm::kSha256);
  Hasher sha256;
  const auto buffer = std::make_unique<char[]>(kStreamChunkBytes);
  while (true) {
    STRATA_RETURN_IF_ERROR(step.call.Check());
    STRATA_ASSIGN_OR_RETURN(const size_t n, body.Read(buffer.get(), kStreamChunkBytes));
    if (n == 0) break;
    const absl::string_view data(buffer.get(), n);
    size_bytes += static_cast<int64_t>(n);
    if (size_bytes > kMaxFetchBytes) return absl::ResourceExhaustedError(absl::StrCat("more than ", kMaxFetchBytes, " bytes"));
    if (op.checksum) hasher.Update(data);
    sha256.Update(data);
    STRATA_RETURN_IF_ERROR(WriteFully(file.fd(), data));
    step.progress.Bytes(step.step, "downloading", size_bytes, total_bytes);
  }
  if (op.checksum && hasher.Finish() != *op.checksum) {
    return absl::InvalidArgumentError(
        absl::StrCat("digest mismatch: the file hashes to ", hasher.Finish().ToString(), ", --checksum says ", op.checksum->ToString()));
  }
  Digest digest = sha256.Finish();
  STRATA_ASSIGN_OR_RETURN(auto incoming, step.environment.files.Begin(digest, size_bytes));
  STRATA_RETURN_IF_ERROR(file.Rewind());
  FdSource source(file.fd());
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const size_t n, source.Read(buffer.get(), kStreamChunkBytes));
    if (n == 0) break;
    STRATA_RETURN_IF_ERROR(incoming->Append(absl::string_view(buffer.get(), n)));
  }
  STRATA_RETURN_IF_ERROR(incoming->Commit());
  return digest;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const filetree::FileTree>> Fetch(const StepContext& step, const graph::HttpOp& op) {
  http::ClientRequest request;
  request.url = op.url;
  auto response = step.environment.http.Do(step.call, std::move(request));
  if (!response.ok()) return Annotate(response.status(), absl::StrCat("fetching ", op.url));
  if (response->status != 200) {
    const absl::StatusCode code = response->status == 404 ? absl::StatusCode::kNotFound : absl::StatusCode::kUnavailable;
    return absl::Status(code, absl::StrCat("fetching ", op.url, ": the server answered ", response->status));
  }
  filetree::Node node;
  node.path = op.file_name;
  node.mode = S_IFREG | 0600;
  node.mtime = LastModified(response->headers);
  auto digest = Download(step, op, *response->body, static_cast<int64_t>(response->content_length.value_or(0)), node.size_bytes);
  if (!digest.ok()) return Annotate(digest.status(), absl::StrCat("fetching ", op.url));
  node.digest = *std::move(digest);
  context::ContextListing listing;
  STRATA_RETURN_IF_ERROR(listing.Add(std::move(node)));
  static NoRequester no_requester;
  return std::make_shared<const context::ContextTree>(listing, step.environment.files, no_requester);
}

}  // namespace strata::ops
