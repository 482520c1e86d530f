#include "tests/bench/engine/push.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/digest/hasher.h"
#include "services/store/ingest/hash_pipeline.h"
#include "tests/bench/engine/blob_record.h"
#include "tests/bench/engine/payload.h"
#include "tests/bench/engine/usage.h"

namespace strata::bench {

namespace {

using store::ContentHasher;
using store::HashPipeline;

std::string SaveState(const ContentHasher& hasher) {
  const std::string digest = hasher.digest.SaveState();
  return absl::StrCat(NumberKey(digest.size()), digest, hasher.checksums.SaveState());
}

absl::StatusOr<ContentHasher> RestoreState(absl::string_view state) {
  if (state.size() < 8 || state.size() - 8 < ParseNumberKey(state)) return absl::DataLossError("a hash state is cut off");
  const uint64_t digest_size = ParseNumberKey(state);
  STRATA_ASSIGN_OR_RETURN(Hasher digest, Hasher::Restore(state.substr(8, digest_size)));
  STRATA_ASSIGN_OR_RETURN(store::PieceChecksums checksums, store::PieceChecksums::Restore(state.substr(8 + digest_size)));
  return ContentHasher{std::move(digest), std::move(checksums)};
}

absl::Status Checkpoint(Upload& upload, HashPipeline& pipeline, uint64_t offset, const PushOptions& options, Pushed& pushed) {
  const Stopwatch watch;
  STRATA_RETURN_IF_ERROR(upload.Checkpoint(SaveState(pipeline.Drain())));
  pushed.checkpoint_seconds_total += watch.Seconds();
  pushed.checkpoints += 1;
  if (options.on_checkpoint) options.on_checkpoint(offset);
  return absl::OkStatus();
}

absl::StatusOr<Pushed> PushFrom(Upload& upload, ContentHasher hasher, uint64_t id, uint64_t offset, const PushOptions& options) {
  const Stopwatch watch;
  Pushed pushed;
  HashPipeline pipeline(std::move(hasher));
  while (offset < options.size_bytes) {
    HashPipeline::Buffer* buffer = pipeline.Acquire();
    buffer->size = std::min<uint64_t>(kStreamChunkBytes, options.size_bytes - offset);
    ThePayload().Fill(id, offset, buffer->bytes.get(), buffer->size);
    const absl::string_view bytes = buffer->view();
    pipeline.Submit(buffer);
    STRATA_RETURN_IF_ERROR(upload.Write(bytes));
    offset += bytes.size();
    if (options.on_written) options.on_written(offset);
    const bool is_due = options.checkpoint_every_bytes > 0 && offset % options.checkpoint_every_bytes == 0;
    if (is_due && offset < options.size_bytes) STRATA_RETURN_IF_ERROR(Checkpoint(upload, pipeline, offset, options, pushed));
  }
  const Stopwatch commit_watch;
  const ContentHasher& done = pipeline.Drain();
  pushed.digest = done.digest.Finish();
  STRATA_RETURN_IF_ERROR(upload.Commit(store::EncodeChecksums(done.checksums.Finish())));
  pushed.commit_seconds = commit_watch.Seconds();
  pushed.seconds = watch.Seconds();
  return pushed;
}

}  // namespace

absl::StatusOr<Pushed> Push(Candidate& candidate, uint64_t id, const PushOptions& options) {
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Upload> upload, candidate.Begin(id));
  return PushFrom(*upload, ContentHasher(), id, 0, options);
}

absl::StatusOr<Pushed> ResumePush(Candidate& candidate, uint64_t id, const PushOptions& options, uint64_t* resumed_at) {
  STRATA_ASSIGN_OR_RETURN(const Resumed resumed, candidate.Resume(id));
  STRATA_ASSIGN_OR_RETURN(ContentHasher hasher, RestoreState(resumed.state));
  *resumed_at = resumed.offset_bytes;
  return PushFrom(*resumed.upload, std::move(hasher), id, resumed.offset_bytes, options);
}

Digest DigestOfPayload(uint64_t id, uint64_t size_bytes) {
  Hasher hasher;
  std::vector<char> chunk(kStreamChunkBytes);
  for (uint64_t offset = 0; offset < size_bytes; offset += chunk.size()) {
    const size_t n = std::min<uint64_t>(chunk.size(), size_bytes - offset);
    ThePayload().Fill(id, offset, chunk.data(), n);
    hasher.Update(absl::string_view(chunk.data(), n));
  }
  return hasher.Finish();
}

absl::Status CheckBlob(Candidate& candidate, uint64_t id, uint64_t size_bytes) {
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Reader> reader, candidate.Open(id));
  if (reader->size_bytes() != size_bytes) {
    return absl::DataLossError(absl::StrCat("blob ", id, " has ", reader->size_bytes(), " bytes instead of ", size_bytes));
  }
  std::vector<char> got(kStreamChunkBytes);
  std::vector<char> want(kStreamChunkBytes);
  for (uint64_t offset = 0; offset < size_bytes; offset += got.size()) {
    const size_t n = std::min<uint64_t>(got.size(), size_bytes - offset);
    STRATA_RETURN_IF_ERROR(reader->ReadAt(offset, got.data(), n));
    ThePayload().Fill(id, offset, want.data(), n);
    if (std::memcmp(got.data(), want.data(), n) != 0) {
      return absl::DataLossError(absl::StrCat("blob ", id, " reads back differently after byte ", offset));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAbsent(Candidate& candidate, uint64_t id) {
  const absl::Status status = candidate.Open(id).status();
  if (absl::IsNotFound(status)) return absl::OkStatus();
  if (!status.ok()) return status;
  return absl::InternalError(absl::StrCat("blob ", id, " is still there after it was removed"));
}

}  // namespace strata::bench
