// The seam for metadata: an ordered, transactional key-value store.
//
// Everything the store knows (which digest is which blob, who may read it, what is being uploaded) is rows of such a store;
// keyspace.h spells them. RocksDB implements it (rocks_key_value.h); a database for many machines can later.
//
// Locking. A transaction locks rows as it reads them for update or writes them, and holds the locks until it ends. Row locks are
// the only locks of the store: adding a reference takes the blob's row shared, removing the blob takes it exclusively.
// Reads without a lock see the newest committed state plus the transaction's own writes.
//
// Thread-safe, except that a Transaction and a Cursor belong to one thread at a time. Calls block. Besides what is said below any
// call may fail with kDataLoss (stored rows are damaged), kResourceExhausted (disk full) or kInternal.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::store {

// Small rows that are scanned, and larger values (manifests, small blobs) that must not be in the way of scans.
enum class Table { kFacts, kContent };

enum class LockMode { kShared, kExclusive };

// kSynced: survives power loss once Commit returned. kBuffered: survives a crash of the process only.
enum class Durability { kSynced, kBuffered };

// Walks rows in byte order of their keys, as they were when the cursor was made. Start: `for (; cursor->valid(); cursor->Next())`,
// then look at status(): a failed cursor is not valid.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool valid() const = 0;
  virtual void Next() = 0;
  virtual absl::string_view key() const = 0;    // until Next()
  virtual absl::string_view value() const = 0;  // until Next()
  virtual absl::Status status() const = 0;
};

class Reader {
 public:
  virtual ~Reader() = default;
  virtual absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key) = 0;
  // The rows whose keys begin with `prefix` and are not below `start` (empty: from the first).
  virtual std::unique_ptr<Cursor> Scan(Table table, absl::string_view prefix, absl::string_view start = "") = 0;
};

// Keeps something in memory in step with a transaction. Destroyed with it, told or not.
class TransactionListener {
 public:
  virtual ~TransactionListener() = default;
  virtual void Committed() = 0;  // called once, in the committing thread, when InTransaction() has committed
};

// Destroying it without Commit discards it.
class Transaction : public Reader {
 public:
  // The listener that `owner` added, or nullptr.
  TransactionListener* FindListener(const void* owner) const;
  void AddListener(const void* owner, std::unique_ptr<TransactionListener> listener) {
    listeners_.emplace_back(owner, std::move(listener));
  }
  void TellCommitted();  // for InTransaction()

  // Locks the row, existing or not, then reads it.
  // A conflict (see IsConflict) when the lock is not to be had in time.
  virtual absl::StatusOr<std::optional<std::string>> GetForUpdate(Table table, absl::string_view key, LockMode mode) = 0;
  virtual absl::Status Put(Table table, absl::string_view key, absl::string_view value) = 0;
  virtual absl::Status Delete(Table table, absl::string_view key) = 0;
  // Adds to a counter row of kFacts without locking it, so that counting does not serialise. Read it by ReadCounter.
  virtual void Add(absl::string_view key, int64_t delta) = 0;
  // Call nothing afterwards.
  virtual absl::Status Commit(Durability durability) = 0;

 private:
  std::vector<std::pair<const void*, std::unique_ptr<TransactionListener>>> listeners_;
};

class KeyValueStore : public Reader {
 public:
  virtual std::unique_ptr<Transaction> Begin() = 0;
  // Everything as it is now, for a long look: its scans do not push other rows out of the cache. While it lives, old versions of
  // rows are kept. The store outlives it.
  virtual std::unique_ptr<Reader> Snapshot() = 0;
  // Makes a copy of the whole store, as it is at one moment, in the new folder `path`, whose parent exists. Files that never change are
  // linked where the file system can.
  virtual absl::Status Checkpoint(const std::string& path) = 0;
  // What an operator may want to watch, by name; none where an implementation has nothing to tell.
  virtual std::vector<std::pair<std::string, int64_t>> Figures() { return {}; }
  // 0 when the row does not exist.
  virtual absl::StatusOr<int64_t> ReadCounter(absl::string_view key) = 0;
};

// The counter row `key`, 0 when it does not exist; for readers that see one moment.
absl::StatusOr<int64_t> CounterIn(Reader& reader, absl::string_view key);

// Whether `status` says that another transaction was in the way and the whole transaction may be tried again.
bool IsConflict(const absl::Status& status);
absl::Status ConflictError(absl::string_view message);

// Runs `body` in a transaction and commits it; after a conflict again, up to ten times with growing pauses, then kAborted.
// `body` must have no effect outside the transaction that a second run would spoil. An error of `body` discards the transaction.
absl::Status InTransaction(KeyValueStore& store, Durability durability, const std::function<absl::Status(Transaction&)>& body);

}  // namespace strata::store
