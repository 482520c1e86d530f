// Content by digest: resumable uploads, ranged reads, and the links that say which repository may read what.
//
// The contract of services/store seen from inside the process; proto/strata/store/v1/blob.proto is the same on the wire.
// Implementations: MemoryStore (tests), services/store/engine (RocksDB and extents), StoreClient (gRPC). Behaviour is pinned by
// lib/blobstore/contract.h, which runs over all of them.
// Thread-safe; calls block. Every call may also fail with kUnavailable, kCancelled or kDeadlineExceeded.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/base/call_context.h"
#include "lib/base/unique_fd.h"
#include "lib/bytes/byte_stream.h"
#include "lib/digest/digest.h"

namespace strata::blobstore {

// Where the builder keeps layers that belong to no image yet. Not a valid repository name, so no registry client reaches it.
inline constexpr char kBuildRepository[] = "_build";

struct UploadInfo {
  std::string id;
  uint64_t offset_bytes = 0;  // durable; where the next write must start
  absl::Time started;
  absl::Time last_write;
};

// The other way into an upload: a file of the store that the content is put into, by splice() or pwrite(), instead of being passed
// to Write(). The store trusts nobody for it: it hashes what it finds in the file, and only as far as Advance() said.
// Belongs to its UploadWriter and ends with it; used by the same thread.
class DirectUpload {
 public:
  virtual ~DirectUpload() = default;

  // Open for writing, closed by Flush() and Commit(). Bytes go to offset_bytes() and behind, never before; never cut it.
  virtual int descriptor() const = 0;
  // Where the next byte belongs: as many are in the upload.
  virtual uint64_t offset_bytes() const = 0;
  // How many bytes may be put there before the next Advance(); at least 1. Blocks while the store is behind.
  // kResourceExhausted: the disk is full.
  virtual absl::StatusOr<uint64_t> Allowance() = 0;
  // The next `count` bytes are in the file; reported late, they count as not written. kInvalidArgument: they are not there.
  virtual absl::Status Advance(uint64_t count) = 0;
};

// One write to an upload session. Destroying it without Flush or Commit keeps the session; how much of the last write survives
// is what GetUpload says. At most one writer a session.
class UploadWriter : public ByteSink {
 public:
  // Makes everything written durable and ends this write; returns the offset then held. Call nothing afterwards.
  virtual absl::StatusOr<uint64_t> Flush() = 0;

  // The file to put all further content into, for large content; nullptr when there is none (the store is on another machine):
  // then go on with Write(). What was written before stays in front. Blocks.
  virtual absl::StatusOr<DirectUpload*> Direct() { return nullptr; }

  // Makes the blob readable in the session's repository and ends the session. Committing content that the store has already
  // succeeds and keeps one copy. `size_bytes` is checked when given. Call nothing afterwards.
  // kInvalidArgument: the bytes do not hash to `digest` or have another size; the session is discarded.
  virtual absl::Status Commit(const Digest& digest, std::optional<uint64_t> size_bytes = std::nullopt) = 0;
};

// A blob's own file, and what verifies it (verified_reader.h). The file never changes; it stays readable when the blob is removed.
struct BlobFile {
  UniqueFd fd;  // for reading only
  std::vector<uint32_t> checksums;  // CRC-32 of each whole MiB of the blob, the last one of the rest
};

class BlobReader : public ByteSource {
 public:
  // Of the whole blob, whatever range is read.
  virtual uint64_t size_bytes() const = 0;

  // Writes all that is left to `sink`, in the pieces that cost least. Nothing can be read afterwards.
  virtual absl::Status WriteTo(ByteSink& sink);

  // For a process of the same host that wants to read by itself. Absent: the bytes lie in no file, or not in one of this host.
  virtual std::optional<BlobFile> file() const { return std::nullopt; }

 private:
  static constexpr uint64_t kPieceBytes = 1 << 20;
};

class BlobStore {
 public:
  virtual ~BlobStore() = default;

  // Returns the session's id. `algorithm` is the hash to run while bytes arrive.
  // kInvalidArgument: bad repository name. kResourceExhausted: disk full, or too many sessions are open; errors.h tells which.
  virtual absl::StatusOr<std::string> StartUpload(const CallContext& context, absl::string_view repository,
                                                  DigestAlgorithm algorithm) = 0;

  // kNotFound: no such session in this repository.
  virtual absl::StatusOr<UploadInfo> GetUpload(const CallContext& context, absl::string_view repository,
                                               absl::string_view upload_id) = 0;
  virtual absl::Status CancelUpload(const CallContext& context, absl::string_view repository,
                                    absl::string_view upload_id) = 0;

  // Begins a write at `offset_bytes` (absent: wherever the session is) that will bring `incoming_bytes`; 0: who knows. What is told is
  // refused at once when a quota does not allow it: kResourceExhausted.
  // kNotFound: no such session. kOutOfRange: not the offset held, which HeldOffset() of errors.h tells. kAborted: another writer is at it.
  virtual absl::StatusOr<std::unique_ptr<UploadWriter>> OpenUpload(const CallContext& context, absl::string_view repository,
                                                                   absl::string_view upload_id,
                                                                   std::optional<uint64_t> offset_bytes,
                                                                   uint64_t incoming_bytes = 0) = 0;

  // The end of an upload whose last bytes are at hand, `content` (at most 1 MiB; may be empty): OpenUpload, Write and Commit in one
  // step, with their errors.
  virtual absl::Status FinishUpload(const CallContext& context, absl::string_view repository, absl::string_view upload_id,
                                    std::optional<uint64_t> offset_bytes, absl::string_view content, const Digest& digest,
                                    std::optional<uint64_t> size_bytes = std::nullopt);

  // Reads [offset, offset + length) of a blob; length absent: to the end. An empty repository means any (services only).
  // kNotFound: not linked there. kOutOfRange: offset past the end. kDataLoss, also from Read(): stored bytes are damaged.
  virtual absl::StatusOr<std::unique_ptr<BlobReader>> OpenBlob(const CallContext& context, absl::string_view repository,
                                                               const Digest& digest, uint64_t offset_bytes = 0,
                                                               std::optional<uint64_t> length_bytes = std::nullopt) = 0;

  // Size of each digest that the repository (empty: any) can read, in order; absent where it cannot. At most 10000 digests.
  virtual absl::StatusOr<std::vector<std::optional<uint64_t>>> StatBlobs(const CallContext& context,
                                                                         absl::string_view repository,
                                                                         absl::Span<const Digest> digests) = 0;

  // Lets `repository` read blobs that `from_repository` (empty: any) can read. All or nothing. kNotFound: one is not there.
  virtual absl::Status LinkBlobs(const CallContext& context, absl::string_view repository,
                                 absl::string_view from_repository, absl::Span<const Digest> digests) = 0;

  // kNotFound: there is no such link.
  virtual absl::Status UnlinkBlob(const CallContext& context, absl::string_view repository, const Digest& digest) = 0;
};

// Uploads all of `source` in one session: start, write, commit. Used by everybody who has the whole content at hand.
absl::Status UploadBlob(BlobStore& store, const CallContext& context, absl::string_view repository, ByteSource& source,
                        const Digest& digest, std::optional<uint64_t> size_bytes = std::nullopt);

}  // namespace strata::blobstore
