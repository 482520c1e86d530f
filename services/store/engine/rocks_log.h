// RocksDB's remarks, into our log.
//
// Not into a file beside the database, its own way: that shares the disk, and when the disk is full the second line that cannot
// be written aborts the process (RocksDB 7.8 asserts that nobody writes to a file after an error, in Debian's build too).
// Warnings and errors only, at most twenty a minute: a full disk repeats itself. Thread-safe.
#pragma once

#include <memory>

namespace rocksdb {
class Logger;
}

namespace strata::store {

std::shared_ptr<rocksdb::Logger> NewRocksLog();

}  // namespace strata::store
