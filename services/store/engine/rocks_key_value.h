// KeyValueStore on RocksDB.
//
// Pessimistic transactions (rocksdb::TransactionDB) rather than optimistic ones: pushes of popular base layers touch the same blob
// rows all the time, and only the pessimistic kind has shared locks, so they pass each other; optimistic validation also needs
// write buffers kept in memory for as long as the longest transaction lasts, which an idle 40 MB process cannot afford.
//
// Every row goes through the write-ahead log; group commit makes concurrent synced commits share one fdatasync.
// After a full disk writes fail with kResourceExhausted until RocksDB, which looks every five seconds, finds space again; reads go on.
// (Its Resume() is not called: in 7.8 it waits for ever when the disk is still full.)
// Sized for a small process: 4 + 8 MiB of write buffers, 8 MiB of block cache.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/store/engine/key_value.h"

namespace strata::store {

// Opens or creates the database in folder `path`, whose parent exists.
// kFailedPrecondition: another process has it open. kDataLoss: files are missing or damaged; the message says which.
// `on_synced_commit` is told, from any thread, how long each synced commit took.
absl::StatusOr<std::unique_ptr<KeyValueStore>> OpenRocksKeyValue(const std::string& path,
                                                                 std::function<void(absl::Duration)> on_synced_commit = nullptr);

// Opens a database that no process writes to, a backup's, for reading; nothing in its folder changes. Errors as above.
absl::StatusOr<std::unique_ptr<Reader>> OpenRocksReader(const std::string& path);

}  // namespace strata::store
