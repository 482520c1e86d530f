// One request body on its way into an upload session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/blobstore/blob_store.h"
#include "lib/http/range.h"
#include "lib/http/request.h"

namespace strata::registry {

// Where the client says its body belongs; nullopt: it does not say, append.
// kInvalidArgument: Content-Range is malformed (Subject::kRange), or disagrees with Content-Length (Subject::kSize).
absl::StatusOr<std::optional<http::ByteRange>> ChunkRange(const http::Request& request);

// Writes the body, all of it; a large one straight into the store's file where the writer has one. When the client is lost or sends another length than `range` says, what arrived is made durable
// first, so that the client can resume; the error says what went wrong. The writer may not be used after an error.
absl::Status WriteChunk(const http::Request& request, const std::optional<http::ByteRange>& range,
                        blobstore::UploadWriter& writer);

// Larger bodies, and those of unknown length, are streamed.
inline constexpr uint64_t kMaxSmallBodyBytes = 32 * 1024;

inline bool IsSmall(const http::Request& request) {
  return request.content_length.has_value() && *request.content_length <= kMaxSmallBodyBytes;
}

// All of a small body. When it ends early, what arrived is left in `content`.
absl::Status ReadSmallBody(const http::Request& request, std::string* content);

}  // namespace strata::registry
