// Compares rows with the bytes they name: extents on the disk, small contents and checksums among the rows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "services/store/engine/extents.h"
#include "services/store/engine/key_value.h"
#include "services/store/verify/findings.h"

namespace strata::store {

// Gives the rows as they are when it is called.
using Moment = std::function<std::unique_ptr<Reader>()>;

// Blobs without their bytes or with another size are left to whoever examines blobs. Reported here are bytes that
// nobody owns: they cost disk and nothing else. Memory: 8 bytes for each of at most a million blobs at a time.
// `total` blobs are expected.
absl::Status CheckOwners(const Moment& moment, ExtentStore& extents, int64_t total, VerifyObserver& observer);

}  // namespace strata::store
