#include "services/registry/routes/uploads.h"

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/registry/repository/name.h"
#include "services/registry/routes/chunk.h"
#include "services/registry/routes/errors.h"

namespace strata::registry {
namespace {

constexpr size_t kMaxUploadIdBytes = 128;
// How many repositories are asked for a blob that is to be mounted from wherever it is.
constexpr int kMaxMountSources = 256;

// "0-<last byte held>"; nothing held is "0-0" as well, because docker parses this with a strict "%d-%d".
std::string HeldRange(uint64_t offset) { return absl::StrCat("0-", offset == 0 ? 0 : offset - 1); }

void DescribeUpload(const Exchange& exchange, absl::string_view id, uint64_t offset) {
  http::Headers& headers = exchange.response.headers();
  headers.Set("Location", UploadLocation(exchange.route.repository, id));
  headers.Set("Docker-Upload-UUID", id);
  headers.Set("Range", HeldRange(offset));
}

absl::Status SendCreated(const Exchange& exchange, const Digest& digest) {
  http::Headers& headers = exchange.response.headers();
  headers.Set("Location", BlobLocation(exchange.route.repository, digest.ToString()));
  headers.Set("Docker-Content-Digest", digest.ToString());
  exchange.response.SetStatus(201);
  return exchange.response.SendEmpty();
}

absl::Status SendAccepted(const Exchange& exchange, absl::string_view id, uint64_t offset) {
  DescribeUpload(exchange, id, offset);
  exchange.response.SetStatus(202);
  return exchange.response.SendEmpty();
}

absl::Status CheckUploadId(absl::string_view id) {
  bool ok = !id.empty() && id.size() <= kMaxUploadIdBytes;
  for (const char c : id) ok = ok && (absl::ascii_isalnum(c) || c == '-' || c == '_');
  if (ok) return absl::OkStatus();
  return About(Subject::kUpload, absl::NotFoundError(absl::StrCat("there is no upload session \"",
                                                                  absl::CHexEscape(id.substr(0, 80)), "\"")));
}

// The session's state, with the headers that tell it to the client.
absl::StatusOr<blobstore::UploadInfo> Describe(const Exchange& exchange) {
  STRATA_ASSIGN_OR_RETURN(
      blobstore::UploadInfo info,
      About(Subject::kUpload,
            exchange.services.blobs.GetUpload(exchange.context, exchange.route.repository, exchange.route.last)));
  DescribeUpload(exchange, exchange.route.last, info.offset_bytes);
  return info;
}

absl::StatusOr<std::unique_ptr<blobstore::UploadWriter>> OpenWriter(const Exchange& exchange, absl::string_view id,
                                                                    const std::optional<http::ByteRange>& range) {
  const auto offset = range ? std::optional<uint64_t>(range->first) : std::nullopt;
  return About(Subject::kUpload,
               exchange.services.blobs.OpenUpload(exchange.context, exchange.route.repository, id, offset,
                                                  exchange.request.content_length.value_or(0)));
}

// A chunk that does not follow on is answered with the offset held, so that the client can go on from there.
absl::Status TellOffsetIfOutOfRange(const Exchange& exchange, absl::Status status) {
  if (!absl::IsOutOfRange(status)) return status;
  STRATA_RETURN_IF_ERROR(Describe(exchange).status());
  return status;
}

absl::StatusOr<bool> Link(const Exchange& exchange, absl::string_view from, const Digest& digest) {
  const absl::Status linked =
      exchange.services.blobs.LinkBlobs(exchange.context, exchange.route.repository, from, {&digest, 1});
  if (absl::IsNotFound(linked)) return false;
  STRATA_RETURN_IF_ERROR(Annotate(linked, "mounting a blob"));
  return true;
}

// From whatever repository holds the blob: one after another of those that the caller may read. Repositories of our own, such as that
// of builds, are no part of the listing.
absl::StatusOr<bool> LinkFromAny(const Exchange& exchange, const Digest& digest) {
  STRATA_ASSIGN_OR_RETURN(const auto names, exchange.services.refs.ListRepositories(exchange.context, "", kMaxMountSources));
  for (const std::string& name : names.items) {
    if (name == exchange.route.repository || !exchange.Authorize(Action::kPull, name).ok()) continue;
    STRATA_ASSIGN_OR_RETURN(const bool linked, Link(exchange, name, digest));
    if (linked) return true;
  }
  return false;
}

// A mount never fails a push: whatever cannot be mounted is uploaded. Returns whether it was done.
absl::StatusOr<bool> TryMount(const Exchange& exchange, absl::string_view mount) {
  const auto digest = Digest::Parse(mount);
  if (!digest.ok()) return false;
  const absl::string_view from = exchange.request.query.Get("from");
  if (!from.empty() && !CheckRepositoryName(from).ok()) return false;
  if (!from.empty() && !exchange.Authorize(Action::kPull, from).ok()) return false;
  STRATA_ASSIGN_OR_RETURN(const bool linked, from.empty() ? LinkFromAny(exchange, *digest) : Link(exchange, from, *digest));
  if (!linked) return false;
  STRATA_RETURN_IF_ERROR(SendCreated(exchange, *digest));
  return true;
}

absl::StatusOr<std::string> OpenSession(const Exchange& exchange, DigestAlgorithm algorithm) {
  return About(Subject::kName,
               exchange.services.blobs.StartUpload(exchange.context, exchange.route.repository, algorithm));
}

absl::StatusOr<uint64_t> WriteAndFlush(const Exchange& exchange, const std::optional<http::ByteRange>& range) {
  STRATA_ASSIGN_OR_RETURN(const auto writer, OpenWriter(exchange, exchange.route.last, range));
  STRATA_RETURN_IF_ERROR(WriteChunk(exchange.request, range, *writer));
  return About(Subject::kUpload, writer->Flush());
}

absl::Status AboutCommit(const absl::Status& committed) {
  return About(absl::IsInvalidArgument(committed) ? Subject::kDigest : Subject::kUpload, committed);
}

// What arrived of a body whose end never came.
absl::Status KeepPart(const Exchange& exchange, absl::string_view id, const std::optional<http::ByteRange>& range,
                      absl::string_view content) {
  if (content.empty()) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(const auto writer, OpenWriter(exchange, id, range));
  STRATA_RETURN_IF_ERROR(writer->Write(content));
  return writer->Flush().status();
}

// One call to the store instead of a stream: most blobs of an image are small, and the PUT that ends a chunked push is empty.
absl::Status CommitSmall(const Exchange& exchange, absl::string_view id, const std::optional<http::ByteRange>& range,
                         const Digest& digest) {
  std::string content;
  const absl::Status received = ReadSmallBody(exchange.request, &content);
  if (!received.ok()) {
    const absl::Status kept = KeepPart(exchange, id, range, content);
    if (kept.ok()) return received;
    return Annotate(received, absl::StrCat("what arrived could not be kept either (", kept.message(), ")"));
  }
  const auto offset = range ? std::optional<uint64_t>(range->first) : std::nullopt;
  return AboutCommit(
      exchange.services.blobs.FinishUpload(exchange.context, exchange.route.repository, id, offset, content, digest));
}

absl::Status WriteAndCommit(const Exchange& exchange, absl::string_view id, const std::optional<http::ByteRange>& range,
                            const Digest& digest) {
  if (IsSmall(exchange.request)) return CommitSmall(exchange, id, range, digest);
  STRATA_ASSIGN_OR_RETURN(const auto writer, OpenWriter(exchange, id, range));
  STRATA_RETURN_IF_ERROR(WriteChunk(exchange.request, range, *writer));
  return AboutCommit(writer->Commit(digest));
}

// POST with ?digest= and all of the content.
absl::Status UploadAtOnce(const Exchange& exchange, absl::string_view digest_text) {
  STRATA_ASSIGN_OR_RETURN(const Digest digest, About(Subject::kDigest, Digest::Parse(digest_text)));
  STRATA_ASSIGN_OR_RETURN(const std::string id, OpenSession(exchange, digest.algorithm()));
  const absl::Status written = WriteAndCommit(exchange, id, std::nullopt, digest);
  if (written.ok()) return SendCreated(exchange, digest);
  // The client never learned the session's id, so nobody can go on with it. A failed commit discarded it already.
  const absl::Status cancelled = exchange.services.blobs.CancelUpload(exchange.context, exchange.route.repository, id);
  if (cancelled.ok() || absl::IsNotFound(cancelled)) return written;
  return Annotate(written, absl::StrCat("the upload session stays until it expires (", cancelled.message(), ")"));
}

absl::StatusOr<DigestAlgorithm> WantedAlgorithm(const Exchange& exchange) {
  const auto name = exchange.request.query.Find("digest-algorithm");
  if (!name) return DigestAlgorithm::kSha256;
  return About(Subject::kDigest, ParseAlgorithm(*name));
}

}  // namespace

absl::Status StartUpload(const Exchange& exchange) {
  if (const auto mount = exchange.request.query.Find("mount")) {
    STRATA_ASSIGN_OR_RETURN(const bool mounted, TryMount(exchange, *mount));
    if (mounted) return absl::OkStatus();
  }
  if (const auto digest = exchange.request.query.Find("digest")) return UploadAtOnce(exchange, *digest);
  STRATA_ASSIGN_OR_RETURN(const DigestAlgorithm algorithm, WantedAlgorithm(exchange));
  STRATA_ASSIGN_OR_RETURN(const std::string id, OpenSession(exchange, algorithm));
  return SendAccepted(exchange, id, 0);
}

absl::Status GetUpload(const Exchange& exchange) {
  STRATA_RETURN_IF_ERROR(CheckUploadId(exchange.route.last));
  STRATA_RETURN_IF_ERROR(Describe(exchange).status());
  exchange.response.SetStatus(204);
  return exchange.response.SendEmpty();
}

absl::Status PatchUpload(const Exchange& exchange) {
  STRATA_RETURN_IF_ERROR(CheckUploadId(exchange.route.last));
  STRATA_ASSIGN_OR_RETURN(const auto range, ChunkRange(exchange.request));
  const absl::StatusOr<uint64_t> offset = WriteAndFlush(exchange, range);
  if (!offset.ok()) return TellOffsetIfOutOfRange(exchange, offset.status());
  return SendAccepted(exchange, exchange.route.last, *offset);
}

absl::Status FinishUpload(const Exchange& exchange) {
  STRATA_RETURN_IF_ERROR(CheckUploadId(exchange.route.last));
  const auto digest_text = exchange.request.query.Find("digest");
  if (!digest_text) {
    return About(Subject::kDigest, absl::InvalidArgumentError("a PUT that ends an upload needs the parameter digest"));
  }
  STRATA_ASSIGN_OR_RETURN(const Digest digest, About(Subject::kDigest, Digest::Parse(*digest_text)));
  std::optional<http::ByteRange> range;
  if (exchange.request.has_body()) {
    STRATA_ASSIGN_OR_RETURN(range, ChunkRange(exchange.request));
  }
  const absl::Status written = WriteAndCommit(exchange, exchange.route.last, range, digest);
  if (!written.ok()) return TellOffsetIfOutOfRange(exchange, written);
  return SendCreated(exchange, digest);
}

absl::Status CancelUpload(const Exchange& exchange) {
  STRATA_RETURN_IF_ERROR(CheckUploadId(exchange.route.last));
  STRATA_RETURN_IF_ERROR(
      About(Subject::kUpload,
            exchange.services.blobs.CancelUpload(exchange.context, exchange.route.repository, exchange.route.last)));
  exchange.response.SetStatus(204);
  return exchange.response.SendEmpty();
}

}  // namespace strata::registry
