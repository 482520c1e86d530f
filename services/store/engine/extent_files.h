// ExtentStore as plain files: <root>/<two hex digits of id>/<sixteen hex digits of id>.
//
// Written in pieces of at most 256 KiB (larger writes cost twice the system time here), with write-back started every 8 MiB so that
// the final fdatasync has little left to do. A new file's folder is synced at the first Sync(). Some space stays reserved: when less is free,
// writes fail early so that RocksDB, whose log shares the disk, never meets a full one and removals still work.
//
// Files may be filled by other processes through descriptors (extents.h). Whether one of them still can is asked of the kernel: it
// grants a read lease (fcntl F_SETLEASE) only on a file that nobody has open for writing. Where the file system knows no leases, no
// descriptor is given out.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/store/engine/extents.h"

namespace strata::store {

// Makes `root` and its 256 folders when they are missing; its parent exists.
// `on_sync` is told, from any thread, how long each sync took.
absl::StatusOr<std::unique_ptr<ExtentStore>> OpenExtentFiles(const std::string& root, int64_t reserved_bytes,
                                                             std::function<void(absl::Duration)> on_sync = nullptr);

// Where below its root the extent is: "ef/00000000000000ef".
std::string ExtentPath(uint64_t id);

}  // namespace strata::store
