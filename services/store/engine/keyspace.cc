#include "services/store/engine/keyspace.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/store/engine/record.h"

namespace strata::store::keys {

namespace {

const absl::string_view kEnd("\0", 1);

// What follows the letter: r repository and its end, d digest, i eight bytes, t text to the end.
absl::string_view ShapeOf(char kind) {
  switch (kind) {
    case 'B': case 'Z': case 'd': return "d";
    case 'X': case 'b': case 'p': return "i";
    case 'U': case 'R': case 'K': case 'v': return "t";
    case 'L': case 'M': case 'm': return "rd";
    case 'l': case 'D': return "dt";
    case 'T': return "rt";
    case 't': return "rdt";
    case 'E': case 'e': case 'S': return "rdd";
    case 'k': case 'u': return "it";
    default: return "";
  }
}

bool ConsumePart(char part, absl::string_view* key, KeyParts* parts) {
  switch (part) {
    case 'd': return ConsumeDigest(key, parts->digest.is_empty() ? &parts->digest : &parts->second);
    case 'i': return ConsumeU64(key, &parts->id);
    case 't': {
      parts->text = std::string(*key);
      *key = absl::string_view();
      return !parts->text.empty();
    }
    default: {
      const size_t end = key->find('\0');
      if (end == absl::string_view::npos) return false;
      parts->repository = std::string(key->substr(0, end));
      key->remove_prefix(end + 1);
      return true;
    }
  }
}

absl::Status Damaged() { return absl::DataLossError("metadata is damaged: a key cannot be read"); }

}  // namespace

std::string FormatVersion() { return "V"; }
std::string NextBlobId() { return "N"; }

std::string Counter(Count count) {
  switch (count) {
    case Count::kBlobs: return "#blobs";
    case Count::kBlobBytes: return "#blob_bytes";
    case Count::kRepositories: return "#repositories";
    case Count::kManifests: return "#manifests";
    case Count::kTags: return "#tags";
    case Count::kUploads: return "#uploads";
    case Count::kCacheRecords: return "#cache_records";
    case Count::kQuarantined: return "#quarantined";
    case Count::kCacheBytes: return "#cache_bytes";
  }
  return "#";
}

std::string Blob(const Digest& digest) { return absl::StrCat("B", EncodeDigest(digest)); }
std::string Blobs() { return "B"; }
std::string InlineBytes(uint64_t id) { return absl::StrCat("b", EncodeU64(id)); }
std::string PieceChecksums(uint64_t id) { return absl::StrCat("p", EncodeU64(id)); }
std::string DoomedExtent(uint64_t id) { return absl::StrCat("X", EncodeU64(id)); }
std::string DoomedExtents() { return "X"; }

std::string Quarantine(const Digest& digest) { return absl::StrCat("Z", EncodeDigest(digest)); }
std::string Quarantines() { return "Z"; }
std::string ScrubProgress() { return "Y"; }

std::string Session(absl::string_view upload_id) { return absl::StrCat("U", upload_id); }
std::string Sessions() { return "U"; }
std::string SessionUse(absl::Time last_write, absl::string_view upload_id) {
  return absl::StrCat(SessionUses(), EncodeU64(EncodeTime(last_write)), upload_id);
}
std::string SessionUses() { return "u"; }

std::string Repository(absl::string_view repository) { return absl::StrCat("R", repository); }
std::string Repositories() { return "R"; }

std::string Link(absl::string_view repository, const Digest& digest) {
  return absl::StrCat(Links(repository), EncodeDigest(digest));
}
std::string Links(absl::string_view repository) { return absl::StrCat("L", repository, kEnd); }
std::string LinkOfBlob(const Digest& digest, absl::string_view repository) {
  return absl::StrCat(LinksOfBlob(digest), repository);
}
std::string LinksOfBlob(const Digest& digest) { return absl::StrCat("l", EncodeDigest(digest)); }

std::string Manifest(absl::string_view repository, const Digest& digest) {
  return absl::StrCat(Manifests(repository), EncodeDigest(digest));
}
std::string Manifests(absl::string_view repository) { return absl::StrCat("M", repository, kEnd); }
std::string ManifestContent(absl::string_view repository, const Digest& digest) {
  return absl::StrCat("m", repository, kEnd, EncodeDigest(digest));
}

std::string Tag(absl::string_view repository, absl::string_view tag) { return absl::StrCat(Tags(repository), tag); }
std::string Tags(absl::string_view repository) { return absl::StrCat("T", repository, kEnd); }
std::string TagOfManifest(absl::string_view repository, const Digest& digest, absl::string_view tag) {
  return absl::StrCat(TagsOfManifest(repository, digest), tag);
}
std::string TagsOfManifest(absl::string_view repository, const Digest& digest) {
  return absl::StrCat("t", repository, kEnd, EncodeDigest(digest));
}

std::string RetentionRules() { return "P"; }

std::string TagHistory(absl::string_view repository, absl::string_view tag, uint64_t sequence) {
  return absl::StrCat(TagHistories(repository, tag), EncodeU64(~sequence));
}
std::string TagHistories(absl::string_view repository, absl::string_view tag) {
  return absl::StrCat("H", repository, kEnd, tag, kEnd);
}
absl::StatusOr<uint64_t> SequenceBehind(absl::string_view prefix, absl::string_view key) {
  absl::StatusOr<uint64_t> newness = IdBehind(prefix, key);
  if (newness.ok()) *newness = ~*newness;
  return newness;
}
std::string Untagged(absl::string_view repository, const Digest& digest) {
  return absl::StrCat("h", repository, kEnd, EncodeDigest(digest));
}

std::string EdgeRow(Edge kind, absl::string_view repository, const Digest& target, const Digest& parent) {
  return absl::StrCat(EdgesTo(kind, repository, target), EncodeDigest(parent));
}
std::string EdgesTo(Edge kind, absl::string_view repository, const Digest& target) {
  return absl::StrCat(std::string(1, static_cast<char>(kind)), repository, kEnd, EncodeDigest(target));
}

std::string Referrer(absl::string_view repository, const Digest& subject, const Digest& digest) {
  return absl::StrCat(Referrers(repository, subject), EncodeDigest(digest));
}
std::string Referrers(absl::string_view repository, const Digest& subject) {
  return absl::StrCat("S", repository, kEnd, EncodeDigest(subject));
}

std::string CacheRecord(absl::string_view key) { return absl::StrCat("K", key); }
std::string CacheValue(absl::string_view key) { return absl::StrCat("v", key); }
std::string CacheUse(absl::Time last_used, absl::string_view key) {
  return absl::StrCat(CacheUses(), EncodeU64(EncodeTime(last_used)), key);
}
std::string CacheUses() { return "k"; }
std::string CacheNeed(const Digest& digest, absl::string_view key) { return absl::StrCat(CacheNeeds(digest), key); }
std::string CacheNeeds(const Digest& digest) { return absl::StrCat("D", EncodeDigest(digest)); }

std::string AllCacheNeeds() { return "D"; }
std::string ChargedBlob(const Digest& digest) { return absl::StrCat(ChargedBlobs(), EncodeDigest(digest)); }
std::string ChargedBlobs() { return "d"; }

std::string ReviewKey(const Review& review) {
  return absl::StrCat(Reviews(), EncodeU64(EncodeTime(review.due)), std::string(1, static_cast<char>(review.kind)),
                      review.digest.is_empty() ? "" : EncodeDigest(review.digest), review.repository,
                      review.kind == Review::Kind::kTagHistory ? absl::StrCat(kEnd, review.tag) : "");
}
std::string Reviews() { return "G"; }

absl::StatusOr<Review> ParseReview(absl::string_view key) {
  Review review;
  uint64_t due = 0;
  key.remove_prefix(1);
  if (!ConsumeU64(&key, &due) || key.empty()) return Damaged();
  review.due = DecodeTime(due);
  review.kind = static_cast<Review::Kind>(key.front());
  key.remove_prefix(1);
  if (review.kind < Review::Kind::kBlob || review.kind > Review::Kind::kTagHistory) return Damaged();
  const bool has_digest = review.kind == Review::Kind::kBlob || review.kind == Review::Kind::kLink || review.kind == Review::Kind::kManifest;
  if (has_digest && !ConsumeDigest(&key, &review.digest)) return Damaged();
  if (review.kind == Review::Kind::kTagHistory) {
    const size_t end = key.find('\0');
    if (end == absl::string_view::npos) return Damaged();
    review.tag = std::string(key.substr(end + 1));
    key = key.substr(0, end);
  }
  review.repository = std::string(key);
  return review;
}

absl::StatusOr<Digest> DigestBehind(absl::string_view prefix, absl::string_view key) {
  Digest digest;
  key.remove_prefix(prefix.size());
  if (!ConsumeDigest(&key, &digest) || !key.empty()) return Damaged();
  return digest;
}

absl::StatusOr<uint64_t> IdBehind(absl::string_view prefix, absl::string_view key) {
  uint64_t id = 0;
  key.remove_prefix(prefix.size());
  if (!ConsumeU64(&key, &id) || !key.empty()) return Damaged();
  return id;
}

std::string TextBehind(absl::string_view prefix, absl::string_view key) { return std::string(key.substr(prefix.size())); }

absl::StatusOr<std::pair<absl::Time, std::string>> ParseUse(absl::string_view key) {
  uint64_t time = 0;
  key.remove_prefix(1);
  if (!ConsumeU64(&key, &time)) return Damaged();
  return std::make_pair(DecodeTime(time), std::string(key));
}

absl::StatusOr<KeyParts> Parse(char kind, absl::string_view key) {
  KeyParts parts;
  const absl::string_view shape = ShapeOf(kind);
  if (shape.empty() || key.empty() || key.front() != kind) return Damaged();
  key.remove_prefix(1);
  for (const char part : shape) {
    if (!ConsumePart(part, &key, &parts)) return Damaged();
  }
  return key.empty() ? absl::StatusOr<KeyParts>(std::move(parts)) : Damaged();
}

std::string QuotaRule(absl::string_view prefix) { return absl::StrCat(QuotaRules(), prefix); }
std::string QuotaRules() { return "Q"; }
std::string QuotaBytes(absl::string_view prefix) { return absl::StrCat("#quota_bytes/", prefix); }
std::string QuotaManifests(absl::string_view prefix) { return absl::StrCat("#quota_manifests/", prefix); }
std::string LinksOfNames(absl::string_view name_prefix) { return absl::StrCat("L", name_prefix); }
std::string ManifestsOfNames(absl::string_view name_prefix) { return absl::StrCat("M", name_prefix); }

absl::StatusOr<std::pair<std::string, Digest>> ParseRepositoryAndDigest(absl::string_view key) {
  const size_t end = key.find('\0');
  if (end == absl::string_view::npos || end < 2) return Damaged();
  std::string repository(key.substr(1, end - 1));
  Digest digest;
  key.remove_prefix(end + 1);
  if (!ConsumeDigest(&key, &digest) || !key.empty()) return Damaged();
  return std::make_pair(std::move(repository), std::move(digest));
}

absl::StatusOr<Digest> ParseCacheNeed(absl::string_view key) {
  Digest digest;
  key.remove_prefix(1);
  if (!ConsumeDigest(&key, &digest)) return Damaged();
  return digest;
}

absl::string_view ShownRepository(absl::string_view key) {
  if (key.empty() || !absl::StrContains("MmTL", key.substr(0, 1))) return "";
  const size_t end = key.find('\0');
  return end == absl::string_view::npos ? "" : key.substr(1, end - 1);
}

std::string After(std::string key) {
  key.push_back('\0');
  return key;
}

}  // namespace strata::store::keys
