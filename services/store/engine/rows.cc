#include "services/store/engine/rows.h"

#include "lib/base/status.h"
#include "services/store/engine/record.h"

namespace strata::store {

namespace {

constexpr uint8_t kRowVersion = 1;
constexpr uint8_t kCacheRowVersion = 2;
constexpr size_t kLeastDigestBytes = 33;

RecordWriter NewRow() {
  RecordWriter out;
  out.U8(kRowVersion);
  return out;
}

// Checks version and end; `in` has been read to its end by the caller.
absl::Status Check(uint8_t version, const RecordReader& in, absl::string_view what) {
  if (version != kRowVersion) {
    return absl::DataLossError(std::string("metadata is damaged: a row of ") + std::string(what) + " has an unknown version");
  }
  return in.Finish(what);
}

Layout ToLayout(uint8_t byte) { return byte == 0 ? Layout::kInline : Layout::kExtent; }

}  // namespace

std::string BlobRow::Encode() const {
  return NewRow().U64(id).U64(size_bytes).U8(static_cast<uint8_t>(layout)).U8(is_quarantined ? 1 : 0).Time(created).Take();
}

absl::StatusOr<BlobRow> BlobRow::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  BlobRow row;
  row.id = in.U64();
  row.size_bytes = in.U64();
  row.layout = ToLayout(in.U8());
  row.is_quarantined = in.U8() != 0;
  row.created = in.Time();
  STRATA_RETURN_IF_ERROR(Check(version, in, "a blob"));
  return row;
}

std::string QuarantineRow::Encode() const { return NewRow().Time(since).Text(reason).Take(); }

absl::StatusOr<QuarantineRow> QuarantineRow::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  QuarantineRow row;
  row.since = in.Time();
  row.reason = in.Text();
  STRATA_RETURN_IF_ERROR(Check(version, in, "the quarantine"));
  return row;
}

std::string SessionRow::Encode() const {
  return NewRow().Text(repository).U64(blob_id).U64(offset_bytes).U8(static_cast<uint8_t>(layout)).Text(hash_state)
      .Text(checksum_state).Time(started).Time(last_write).Take();
}

absl::StatusOr<SessionRow> SessionRow::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  SessionRow row;
  row.repository = in.Text();
  row.blob_id = in.U64();
  row.offset_bytes = in.U64();
  row.layout = ToLayout(in.U8());
  row.hash_state = in.Text();
  row.checksum_state = in.Text();
  row.started = in.Time();
  row.last_write = in.Time();
  STRATA_RETURN_IF_ERROR(Check(version, in, "an upload"));
  return row;
}

std::string LinkRow::Encode() const { return NewRow().Time(linked).Take(); }

absl::StatusOr<LinkRow> LinkRow::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  LinkRow row;
  row.linked = in.Time();
  STRATA_RETURN_IF_ERROR(Check(version, in, "a link"));
  return row;
}

std::string ManifestRow::Encode() const {
  RecordWriter out = NewRow();
  out.Text(media_type).U64(size_bytes).Time(pushed).U8(subject ? 1 : 0);
  if (subject) out.DigestOf(*subject);
  out.U32(static_cast<uint32_t>(targets.size()));
  for (const ManifestTarget& target : targets) out.U8(static_cast<uint8_t>(target.kind)).DigestOf(target.digest);
  return out.Take();
}

absl::StatusOr<ManifestRow> ManifestRow::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  ManifestRow row;
  row.media_type = in.Text();
  row.size_bytes = in.U64();
  row.pushed = in.Time();
  if (in.U8() != 0) row.subject = in.DigestOf();
  row.targets.resize(in.Count(1 + kLeastDigestBytes));
  for (ManifestTarget& target : row.targets) {
    target.kind = in.U8() == 0 ? ManifestTarget::Kind::kBlob : ManifestTarget::Kind::kManifest;
    target.digest = in.DigestOf();
  }
  STRATA_RETURN_IF_ERROR(Check(version, in, "a manifest"));
  return row;
}

std::string TagRow::Encode() const { return NewRow().DigestOf(digest).Time(updated).Take(); }

absl::StatusOr<TagRow> TagRow::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  TagRow row;
  row.digest = in.DigestOf();
  row.updated = in.Time();
  STRATA_RETURN_IF_ERROR(Check(version, in, "a tag"));
  return row;
}

std::string TagHistoryRow::Encode() const {
  RecordWriter out = NewRow();
  out.U8(change).Time(at).U8(digest ? 1 : 0);
  if (digest) out.DigestOf(*digest);
  return out.Take();
}

absl::StatusOr<TagHistoryRow> TagHistoryRow::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  TagHistoryRow row;
  row.change = in.U8();
  row.at = in.Time();
  if (in.U8() != 0) row.digest = in.DigestOf();
  STRATA_RETURN_IF_ERROR(Check(version, in, "a tag's history"));
  return row;
}

std::string UntaggedRow::Encode() const { return NewRow().Time(since).Take(); }

absl::StatusOr<UntaggedRow> UntaggedRow::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  UntaggedRow row;
  row.since = in.Time();
  STRATA_RETURN_IF_ERROR(Check(version, in, "an untagged manifest"));
  return row;
}

std::string ReferrerRow::Encode() const {
  RecordWriter out = NewRow();
  out.Text(media_type).U64(size_bytes).Text(artifact_type).U32(static_cast<uint32_t>(annotations.size()));
  for (const auto& [key, value] : annotations) out.Text(key).Text(value);
  return out.Take();
}

absl::StatusOr<ReferrerRow> ReferrerRow::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  ReferrerRow row;
  row.media_type = in.Text();
  row.size_bytes = in.U64();
  row.artifact_type = in.Text();
  row.annotations.resize(in.Count(8));
  for (auto& [key, value] : row.annotations) {
    key = in.Text();
    value = in.Text();
  }
  STRATA_RETURN_IF_ERROR(Check(version, in, "a referrer"));
  return row;
}

std::string CacheRow::Encode() const {
  RecordWriter out;
  out.U8(kCacheRowVersion).Time(last_used).U32(value_bytes).U32(static_cast<uint32_t>(needs.size()));
  for (const Digest& digest : needs) out.DigestOf(digest);
  return out.Take();
}

absl::StatusOr<CacheRow> CacheRow::DecodeAny(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  CacheRow row;
  row.last_used = in.Time();
  if (version == kCacheRowVersion) row.value_bytes = in.U32();
  row.needs.resize(in.Count(kLeastDigestBytes));
  for (Digest& digest : row.needs) digest = in.DigestOf();
  STRATA_RETURN_IF_ERROR(Check(version == kCacheRowVersion ? kRowVersion : version, in, "a cache record"));
  return row;
}

absl::StatusOr<CacheRow> CacheRow::Decode(absl::string_view bytes) {
  if (bytes.empty() || static_cast<uint8_t>(bytes[0]) != kCacheRowVersion) {
    return absl::DataLossError("metadata is damaged: a row of a cache record has an unknown version");
  }
  return DecodeAny(bytes);
}

std::string ChargedBlobRow::Encode() const { return NewRow().U64(size_bytes).Take(); }

absl::StatusOr<ChargedBlobRow> ChargedBlobRow::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  ChargedBlobRow row;
  row.size_bytes = in.U64();
  STRATA_RETURN_IF_ERROR(Check(version, in, "a blob that the cache needs"));
  return row;
}

std::string QuotaRow::Encode() const { return NewRow().U64(max_bytes).U64(max_manifests).Take(); }

absl::StatusOr<QuotaRow> QuotaRow::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  QuotaRow row;
  row.max_bytes = in.U64();
  row.max_manifests = in.U64();
  STRATA_RETURN_IF_ERROR(Check(version, in, "a quota"));
  return row;
}

}  // namespace strata::store
