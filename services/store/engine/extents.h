// The seam for bytes: extents, each written once, named by a 64-bit id, read at any offset.
//
// extent_files.h keeps them as files; an object store can later. Who owns which id is the metadata's business: this layer knows
// neither digests nor sessions. Thread-safe, except that an ExtentWriter belongs to one thread at a time. Calls block.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "lib/base/unique_fd.h"
#include "lib/blobstore/verified_reader.h"

namespace strata::store {

// Destroying it leaves what was written, durable or not.
//
// An extent that is a file may also be filled from outside, by whoever is given a descriptor:
//
//   OpenForOthers() ──> they write behind size_bytes(), as far as Grant() said ──> Adopt() ──> ... ──> Seal()
//
// They are not trusted: what they did not put there is not adopted, what they put beyond the grant fails the write, and Seal()
// proves that none of them can change a byte any more.
class ExtentWriter {
 public:
  virtual ~ExtentWriter() = default;
  // Appends. kResourceExhausted: the disk is full, or as full as it may become.
  virtual absl::Status Write(absl::string_view data) = 0;
  // Makes everything written, and the extent's existence, durable.
  virtual absl::Status Sync() = 0;
  virtual uint64_t size_bytes() const = 0;

  // A descriptor for writing, for another process. kUnimplemented: this extent is no file, or nobody could tell whether writers are
  // left; its bytes must come through Write().
  virtual absl::StatusOr<UniqueFd> OpenForOthers() = 0;
  // How many bytes may be put behind size_bytes() now; grows as they are adopted. What is granted counts as taken for all other
  // writers. kResourceExhausted: the disk is full, or as full as it may become.
  virtual absl::StatusOr<uint64_t> Grant() = 0;
  // Makes the next `count` bytes part of the extent and shows them to `see`, in order. kInvalidArgument: they are not there, or
  // more is there than was granted.
  virtual absl::Status Adopt(uint64_t count, absl::FunctionRef<void(absl::string_view)> see) = 0;
  // Ends writing, and cuts off what nobody adopted. kAborted: another process has the extent open for writing still.
  virtual absl::Status Seal() = 0;
};

// Keeps its bytes readable even while, or after, the extent is removed. ReadAt is thread-safe.
class ExtentReader : public blobstore::RandomSource {
 public:
  // Another descriptor of the extent's file, for reading only, that may be given away; invalid where extents are no files.
  virtual UniqueFd ReadOnlyFile() const = 0;
};

class ExtentStore {
 public:
  virtual ~ExtentStore() = default;
  // A new, empty extent; one that exists under this id (left by a crash) is emptied.
  virtual absl::StatusOr<std::unique_ptr<ExtentWriter>> Create(uint64_t id) = 0;
  // Goes on at `offset_bytes`; what lies behind is cut off. kDataLoss: the extent is missing or shorter. kAborted: another process
  // has it open for writing still.
  virtual absl::StatusOr<std::unique_ptr<ExtentWriter>> Append(uint64_t id, uint64_t offset_bytes) = 0;
  // kDataLoss: there is none.
  virtual absl::StatusOr<std::unique_ptr<ExtentReader>> Open(uint64_t id) = 0;
  // The same for a reader who looks at everything once: what it reads takes no place from what is read often, and comes from the
  // disk itself where the implementation can.
  virtual absl::StatusOr<std::unique_ptr<ExtentReader>> OpenUncached(uint64_t id) { return Open(id); }
  // Absent: there is none.
  virtual absl::StatusOr<std::optional<uint64_t>> Size(uint64_t id) = 0;
  // Ids of the extents whose last byte is `shard`, in no order.
  virtual absl::StatusOr<std::vector<uint64_t>> List(uint8_t shard) = 0;
  // Returns the bytes of disk that come free (once nobody reads them any more); 0 when there was no such extent.
  virtual absl::StatusOr<int64_t> Remove(uint64_t id) = 0;
  // Until then a removed extent may be back after a power loss.
  virtual absl::Status SyncRemovals(absl::Span<const uint64_t> ids) = 0;
  // Bytes that writers may still fill, and OK or kResourceExhausted for one who wants to write metadata.
  virtual absl::StatusOr<int64_t> FreeBytes() = 0;
  virtual absl::Status CheckSpace() = 0;
};

}  // namespace strata::store
