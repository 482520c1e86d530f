// How keys are spelled. The only place that knows; docs/formats/store.md says the same for people without this source.
//
// A key is one letter for the kind of row, then its parts. Repository names and tags in front of other parts end in a zero byte,
// which neither grammar allows, so that "a", "a-b" and "a/b" sort in this order and no name is a prefix of another's rows.
// Digests are EncodeDigest (record.h) and know their own length; numbers are 8 bytes big-endian; a part that may hold any byte
// comes last.
//
// kFacts, unless said otherwise:
//   V                          format version             U session                  upload session
//   N                          next unused blob id        R repository               the repository is known
//   # name                     counter (Transaction::Add) L repo 0 digest            repo may read the blob
//   B digest                   blob                       l digest repo              the same, by blob
//   X id                       extent to be removed       M repo 0 digest            manifest
//   T repo 0 tag               tag                        t repo 0 digest tag        the same, by manifest
//   E repo 0 blob parent       manifest parent names the blob
//   e repo 0 child parent      index parent names the manifest child
//   S repo 0 subject digest    referrer
//   K key                      cache record               k time key                 the same, by last use
//   D digest key               cache record `key` needs the blob
//   P                          retention rules
//   H repo 0 tag 0 newness     what the tag pointed to       h repo 0 digest         since when a manifest lacks a tag it had
//   d digest                   charged to the cache       u time session             upload session by last write
//   Q prefix                   quota of the repositories under the prefix
//   G due kind [digest] [repo] something the collector shall look at
//   Z digest                   why the blob is quarantined   Y                       how far the scrubber is
// kContent:  b id  bytes of a small blob or session    p id  checksums of an extent's pieces
//            m repo 0 digest  bytes of a manifest      v key  value of a cache record
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/digest/digest.h"

namespace strata::store::keys {

std::string FormatVersion();
std::string NextBlobId();

enum class Count { kBlobs, kBlobBytes, kRepositories, kManifests, kTags, kUploads, kCacheRecords, kCacheBytes, kQuarantined };
std::string Counter(Count count);

std::string Blob(const Digest& digest);
std::string Blobs();                       // prefix; then the digest
std::string InlineBytes(uint64_t id);      // kContent
std::string PieceChecksums(uint64_t id);   // kContent
std::string DoomedExtent(uint64_t id);
std::string DoomedExtents();               // prefix; then EncodeU64(id)

std::string Quarantine(const Digest& digest);
std::string Quarantines();                 // prefix; then the digest
std::string ScrubProgress();

std::string Session(absl::string_view upload_id);
std::string Sessions();                    // prefix; then the upload id
std::string SessionUse(absl::Time last_write, absl::string_view upload_id);
std::string SessionUses();                 // prefix; then time and upload id

std::string Repository(absl::string_view repository);
std::string Repositories();                // prefix; then the repository

std::string Link(absl::string_view repository, const Digest& digest);
std::string Links(absl::string_view repository);                                  // prefix; then the digest
std::string LinkOfBlob(const Digest& digest, absl::string_view repository);
std::string LinksOfBlob(const Digest& digest);                                    // prefix; then the repository

std::string Manifest(absl::string_view repository, const Digest& digest);
std::string Manifests(absl::string_view repository);                              // prefix; then the digest
std::string ManifestContent(absl::string_view repository, const Digest& digest);  // kContent

std::string Tag(absl::string_view repository, absl::string_view tag);
std::string Tags(absl::string_view repository);                                   // prefix; then the tag
std::string TagOfManifest(absl::string_view repository, const Digest& digest, absl::string_view tag);
std::string TagsOfManifest(absl::string_view repository, const Digest& digest);   // prefix; then the tag

std::string RetentionRules();

// Entries of a tag's history; the newest is the first row.
std::string TagHistory(absl::string_view repository, absl::string_view tag, uint64_t sequence);
std::string TagHistories(absl::string_view repository, absl::string_view tag);    // prefix; then the sequence, see below
absl::StatusOr<uint64_t> SequenceBehind(absl::string_view prefix, absl::string_view key);
std::string Untagged(absl::string_view repository, const Digest& digest);

// A manifest (parent) names a blob, or an index names a manifest.
enum class Edge : char { kToBlob = 'E', kToChild = 'e' };
std::string EdgeRow(Edge kind, absl::string_view repository, const Digest& target, const Digest& parent);
std::string EdgesTo(Edge kind, absl::string_view repository, const Digest& target);  // prefix; then the parent

std::string Referrer(absl::string_view repository, const Digest& subject, const Digest& digest);
std::string Referrers(absl::string_view repository, const Digest& subject);       // prefix; then the digest

std::string CacheRecord(absl::string_view key);
std::string CacheValue(absl::string_view key);                                    // kContent
std::string CacheUse(absl::Time last_used, absl::string_view key);
std::string CacheUses();                                                          // prefix; then time and key
std::string CacheNeed(const Digest& digest, absl::string_view key);
std::string CacheNeeds(const Digest& digest);                                     // prefix; then the key
std::string AllCacheNeeds();                                                      // prefix; then digest and key
std::string ChargedBlob(const Digest& digest);
std::string ChargedBlobs();                                                    // prefix; then the digest

// What the collector looks at: a blob that lost a reference, a link that no manifest may name, a repository that may be empty, a
// manifest that nothing may name, a tag history with entries of which some are too old.
struct Review {
  enum class Kind : char { kBlob = 1, kLink = 2, kRepository = 3, kManifest = 4, kTagHistory = 5 };
  absl::Time due;
  Kind kind = Kind::kBlob;
  Digest digest;           // of a blob, link or manifest
  std::string repository;  // of all but blobs
  std::string tag;         // of a tag history
};
std::string ReviewKey(const Review& review);
std::string Reviews();                                                            // prefix, in order of due time
// kDataLoss: not such a key.
absl::StatusOr<Review> ParseReview(absl::string_view key);

std::string QuotaRule(absl::string_view prefix);
std::string QuotaRules();                                                         // prefix; then the repository prefix
std::string QuotaBytes(absl::string_view prefix);                                 // counters
std::string QuotaManifests(absl::string_view prefix);
// Links, or manifests, of all repositories whose name begins so, the zero byte behind it included.
std::string LinksOfNames(absl::string_view name_prefix);
std::string ManifestsOfNames(absl::string_view name_prefix);
// Of a Link or Manifest key; the repository is not empty. kDataLoss: not such a key.
absl::StatusOr<std::pair<std::string, Digest>> ParseRepositoryAndDigest(absl::string_view key);

// The parts behind `prefix`. kDataLoss: not such a key.
absl::StatusOr<Digest> DigestBehind(absl::string_view prefix, absl::string_view key);
absl::StatusOr<uint64_t> IdBehind(absl::string_view prefix, absl::string_view key);
std::string TextBehind(absl::string_view prefix, absl::string_view key);
// Of a CacheUse or SessionUse key: the time, and the cache key or upload id.
absl::StatusOr<std::pair<absl::Time, std::string>> ParseUse(absl::string_view key);
// Of a CacheNeed key.
absl::StatusOr<Digest> ParseCacheNeed(absl::string_view key);

// A key taken apart, whatever its kind; fields that the kind does not have stay empty. For whoever looks at every row.
struct KeyParts {
  std::string repository;
  Digest digest;          // the first one of two: target, child, subject
  Digest second;          // parent, referrer
  uint64_t id = 0;        // or a time, of kinds 'k' and 'u'
  std::string text;       // tag, cache key, upload id
};
// The rows whose keys begin with the letter `kind`, of those listed at the top. kDataLoss: not such a key.
absl::StatusOr<KeyParts> Parse(char kind, absl::string_view key);

// The repository whose manifests, tags or links change with the row `key`; empty when it is a row of another kind.
absl::string_view ShownRepository(absl::string_view key);

// The first possible key after `key`: where a page that ended there goes on.
std::string After(std::string key);

}  // namespace strata::store::keys
