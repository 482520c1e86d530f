// What rows hold, and their bytes. Each begins with a version byte (1, of cache records 2); an unknown one is kDataLoss, never
// guessed at.
// Value types. Layout: docs/formats/store.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/digest/digest.h"

namespace strata::store {

inline constexpr uint32_t kFormatVersion = 2;
// Blobs up to this size are rows; larger ones are extents.
inline constexpr uint64_t kMaxInlineBytes = 32 * 1024;

enum class Layout : uint8_t { kInline = 0, kExtent = 1 };

struct BlobRow {
  uint64_t id = 0;
  uint64_t size_bytes = 0;
  Layout layout = Layout::kInline;
  bool is_quarantined = false;  // found damaged: never served, replaced by the next upload of the digest
  absl::Time created;

  std::string Encode() const;
  static absl::StatusOr<BlobRow> Decode(absl::string_view bytes);
};

// Beside a blob row that is quarantined.
struct QuarantineRow {
  absl::Time since;
  std::string reason;

  std::string Encode() const;
  static absl::StatusOr<QuarantineRow> Decode(absl::string_view bytes);
};

struct SessionRow {
  std::string repository;
  uint64_t blob_id = 0;
  uint64_t offset_bytes = 0;
  Layout layout = Layout::kInline;  // where the first offset_bytes are
  std::string hash_state;           // Hasher::SaveState at offset_bytes
  std::string checksum_state;       // PieceChecksums::SaveState
  absl::Time started;
  absl::Time last_write;

  std::string Encode() const;
  static absl::StatusOr<SessionRow> Decode(absl::string_view bytes);
};

struct LinkRow {
  absl::Time linked;  // last upload, mount or use by a service

  std::string Encode() const;
  static absl::StatusOr<LinkRow> Decode(absl::string_view bytes);
};

// What a manifest names in its repository.
struct ManifestTarget {
  enum class Kind : uint8_t { kBlob = 0, kManifest = 1 };
  Kind kind = Kind::kBlob;
  Digest digest;
  bool operator<(const ManifestTarget& other) const {
    return std::tie(digest, kind) < std::tie(other.digest, other.kind);
  }
  bool operator==(const ManifestTarget&) const = default;
};

struct ManifestRow {
  std::string media_type;
  uint64_t size_bytes = 0;
  absl::Time pushed;
  std::optional<Digest> subject;
  std::vector<ManifestTarget> targets;  // each once

  std::string Encode() const;
  static absl::StatusOr<ManifestRow> Decode(absl::string_view bytes);
};

struct TagRow {
  Digest digest;
  absl::Time updated;

  std::string Encode() const;
  static absl::StatusOr<TagRow> Decode(absl::string_view bytes);
};

struct TagHistoryRow {
  uint8_t change = 0;            // blobstore::TagChange
  std::optional<Digest> digest;  // absent: the tag was removed
  absl::Time at;

  std::string Encode() const;
  static absl::StatusOr<TagHistoryRow> Decode(absl::string_view bytes);
};

struct UntaggedRow {
  absl::Time since;

  std::string Encode() const;
  static absl::StatusOr<UntaggedRow> Decode(absl::string_view bytes);
};

struct ReferrerRow {
  std::string media_type;
  uint64_t size_bytes = 0;
  std::string artifact_type;
  std::vector<std::pair<std::string, std::string>> annotations;

  std::string Encode() const;
  static absl::StatusOr<ReferrerRow> Decode(absl::string_view bytes);
};

struct CacheRow {
  absl::Time last_used;
  uint32_t value_bytes = 0;
  std::vector<Digest> needs;  // each once

  std::string Encode() const;
  static absl::StatusOr<CacheRow> Decode(absl::string_view bytes);
  // Version 1, of format 1, or 2. Version 1 does not tell value_bytes.
  static absl::StatusOr<CacheRow> DecodeAny(absl::string_view bytes);
};

// A blob that some cache record needs, and what it adds to the counter `cache_bytes`.
struct ChargedBlobRow {
  uint64_t size_bytes = 0;

  std::string Encode() const;
  static absl::StatusOr<ChargedBlobRow> Decode(absl::string_view bytes);
};

// 0: no limit.
struct QuotaRow {
  uint64_t max_bytes = 0;
  uint64_t max_manifests = 0;

  std::string Encode() const;
  static absl::StatusOr<QuotaRow> Decode(absl::string_view bytes);
};

}  // namespace strata::store
