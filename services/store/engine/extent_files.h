// ExtentStore as plain files: <root>/<two hex digits of id>/<sixteen hex digits of id>.
//
// Written in pieces of at most 256 KiB (larger writes cost twice the system time here), with write-back started every 8 MiB so that
// the final fdatasync has little left to do. A new file's folder is synced at the first Sync(). Some space stays reserved: when less is free,
// writes fail early so that RocksDB, whose log shares the disk, never meets a full one and removals still work.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/store/engine/extents.h"

namespace strata::store {

// Makes `root` and its 256 folders when they are missing; its parent exists.
absl::StatusOr<std::unique_ptr<ExtentStore>> OpenExtentFiles(const std::string& root, int64_t reserved_bytes);

}  // namespace strata::store
