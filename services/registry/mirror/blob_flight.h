// A blob on its way from the upstream: one thread brings it, any number of clients read what has arrived.
//
//            bringer                                    readers, each at its own pace
//   upstream ──> Append() ──> [ spool file, deleted already ] ──> ReadAt() ──> client
//
//   kStarting ──Begin()──> kArriving ──Complete()──> kComplete        content verified, all of it readable
//       │                      └──────Fail()───────> kFailed          readers end with the error, short of the end
//       └──FoundInStore()──> kInStore                                 somebody else brought it: open it in the store
//
// Nothing is held in memory: a slow client reads the file later, and the file goes when the last one is done. The last bytes become
// readable only once the digest was verified, so no client ever gets the whole of wrong content.
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"
#include "lib/blobstore/blob_store.h"

namespace strata::registry::mirror {

class BlobFlight {
 public:
  // Made by the bringer, in this order.
  // Where the bytes are kept: `folder` must exist. kResourceExhausted and others: the file cannot be made.
  absl::Status Begin(const std::string& folder, std::optional<uint64_t> declared_bytes);
  absl::Status Append(absl::string_view data);
  void Complete();
  void Fail(const absl::Status& status);
  void FoundInStore();

  // For readers. Waits until it is known whether there is something to read here: true; or in the store: false.
  absl::StatusOr<bool> WaitForStart(const CallContext& context);
  // Waits until the size is known: at once when the upstream declares it, else at the end.
  absl::StatusOr<uint64_t> WaitForSize(const CallContext& context);
  // 1 to `size` bytes at `offset`, waits for them; 0 at the end.
  absl::StatusOr<size_t> ReadAt(const CallContext& context, uint64_t offset, char* buffer, size_t size);

 private:
  enum class State { kStarting, kArriving, kComplete, kFailed, kInStore };
  // Waits until the state has changed or more has arrived.
  absl::Status WaitForChange(const CallContext& context) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  UniqueFd spool_;        // set by Begin(), before anybody reads it
  uint64_t written_ = 0;  // the bringer's
  Mutex mutex_;
  CondVar changed_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kStarting;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> size_bytes_ ABSL_GUARDED_BY(mutex_);
  uint64_t readable_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Reads [offset, offset + length) of a flight. kOutOfRange: `offset` is past its end. Keeps the flight.
absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> OpenFlight(const CallContext& context, std::shared_ptr<BlobFlight> flight,
                                                                  uint64_t offset, std::optional<uint64_t> length);

}  // namespace strata::registry::mirror
