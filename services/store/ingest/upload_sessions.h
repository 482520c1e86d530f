// Upload sessions from start to end: resumable after a lost client and after a restart, gone after a day without a byte.
//
// The uploads of the BlobStore contract. Thread-safe; calls block.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lib/blobstore/blob_store.h"
#include "services/store/engine/core.h"
#include "services/store/ingest/session_table.h"
#include "services/store/ingest/writer_slots.h"

namespace strata::store {

class UploadSessions {
 public:
  // `core` outlives this object, and this object every writer.
  explicit UploadSessions(const Core& core) : core_(core), slots_(core.options.max_large_writers) {}

  // Call once before anything else: removes doomed extents, and cuts what sessions hold behind their recorded offset.
  absl::Status Recover();

  absl::StatusOr<std::string> Start(absl::string_view repository, DigestAlgorithm algorithm);
  absl::StatusOr<blobstore::UploadInfo> Get(absl::string_view repository, absl::string_view upload_id);
  absl::Status Cancel(absl::string_view repository, absl::string_view upload_id);
  absl::StatusOr<std::unique_ptr<blobstore::UploadWriter>> Open(absl::string_view repository, absl::string_view upload_id,
                                                                std::optional<uint64_t> offset_bytes, uint64_t incoming_bytes);

  // Discards sessions that nobody wrote to for EngineOptions::session_ttl; returns how many.
  absl::StatusOr<int> ExpireIdle();

 private:
  // When `idle_since` is given only if the session is still that old.
  absl::Status Discard(absl::string_view repository, absl::string_view upload_id, std::optional<absl::Time> idle_since);

  const Core& core_;
  WriterSlots slots_;
  SessionClaims claims_;
};

}  // namespace strata::store
