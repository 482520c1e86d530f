#include "services/store/engine/tag_history.h"

#include <algorithm>
#include <memory>

#include "lib/base/status.h"
#include "services/store/engine/manifest_table.h"

namespace strata::store {

namespace {

using blobstore::TagChange;
using blobstore::TagHistoryEntry;

// Dropped at one change at most: more than one is there only after the limit was lowered.
constexpr int kMaxDropped = 16;

absl::Status PutEntry(Transaction& transaction, absl::string_view repository, absl::string_view tag, const TagHistoryEntry& entry) {
  TagHistoryRow row;
  row.change = static_cast<uint8_t>(entry.change);
  row.digest = entry.digest;
  row.at = entry.at;
  return transaction.Put(Table::kFacts, keys::TagHistory(repository, tag, entry.sequence), row.Encode());
}

absl::Status ReviewAt(Transaction& transaction, absl::string_view repository, absl::string_view tag, absl::Time due) {
  keys::Review review;
  review.kind = keys::Review::Kind::kTagHistory;
  review.repository = std::string(repository);
  review.tag = std::string(tag);
  review.due = due;
  return transaction.Put(Table::kFacts, keys::ReviewKey(review), "");
}

// Entry `newest` was just written: the entry `history_entries` before it and all older ones go.
absl::Status DropOldest(const Core& core, Transaction& transaction, absl::string_view repository, absl::string_view tag, uint64_t newest) {
  const uint64_t kept = static_cast<uint64_t>(std::max(1, core.options.history_entries));
  if (newest <= kept) return absl::OkStatus();
  std::vector<std::string> dropped;
  const std::unique_ptr<Cursor> cursor = transaction.Scan(Table::kFacts, keys::TagHistories(repository, tag),
                                                          keys::TagHistory(repository, tag, newest - kept));
  for (; cursor->valid() && dropped.size() < kMaxDropped; cursor->Next()) dropped.emplace_back(cursor->key());
  STRATA_RETURN_IF_ERROR(cursor->status());
  for (const std::string& key : dropped) STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, key));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TagHistoryEntry>> ReadTagHistory(Reader& reader, absl::string_view repository, absl::string_view tag,
                                                            uint64_t before, size_t limit, bool* has_more) {
  const std::string prefix = keys::TagHistories(repository, tag);
  const std::string start = before == 0 ? prefix : keys::After(keys::TagHistory(repository, tag, before));
  std::vector<TagHistoryEntry> entries;
  const std::unique_ptr<Cursor> cursor = reader.Scan(Table::kFacts, prefix, start);
  for (; cursor->valid() && entries.size() < limit; cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(TagHistoryRow row, TagHistoryRow::Decode(cursor->value()));
    TagHistoryEntry& entry = entries.emplace_back();
    STRATA_ASSIGN_OR_RETURN(entry.sequence, keys::SequenceBehind(prefix, cursor->key()));
    entry.change = static_cast<TagChange>(row.change);
    entry.digest = std::move(row.digest);
    entry.at = row.at;
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  if (has_more != nullptr) *has_more = cursor->valid();
  return entries;
}

absl::Status RecordTagChange(const Core& core, Transaction& transaction, absl::string_view repository, absl::string_view tag,
                             const std::optional<TagRow>& before, TagChange change, const std::optional<Digest>& now) {
  const std::optional<Digest> was = before ? std::optional(before->digest) : std::nullopt;
  if (was == now) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(std::vector<TagHistoryEntry> last,
                          ReadTagHistory(transaction, repository, tag, /*before=*/0, /*limit=*/1, nullptr));
  TagHistoryEntry entry;
  entry.sequence = last.empty() ? 1 : last[0].sequence + 1;
  if (last.empty() && before) {
    // A tag from before histories were kept.
    STRATA_RETURN_IF_ERROR(PutEntry(transaction, repository, tag, {entry.sequence, TagChange::kBeforeHistory, was, before->updated}));
    ++entry.sequence;
  }
  entry.change = change;
  entry.digest = now;
  entry.at = core.clock.Now();
  STRATA_RETURN_IF_ERROR(PutEntry(transaction, repository, tag, entry));
  STRATA_ASSIGN_OR_RETURN(const std::vector<TagHistoryEntry> newest,
                          ReadTagHistory(transaction, repository, tag, /*before=*/0, /*limit=*/3, nullptr));
  // With one entry before this one nothing was asked for yet; with more it was.
  if (newest.size() == 2) STRATA_RETURN_IF_ERROR(ReviewAt(transaction, repository, tag, entry.at + core.options.history_age));
  return DropOldest(core, transaction, repository, tag, entry.sequence);
}

absl::Status PruneTagHistory(const Core& core, const keys::Review& review) {
  return InTransaction(core.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    STRATA_ASSIGN_OR_RETURN(const std::optional<TagRow> tag, LockTag(transaction, review.repository, review.tag));
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::ReviewKey(review)));
    const absl::Time oldest_kept = core.clock.Now() - core.options.history_age;
    std::vector<std::string> dropped;
    absl::Time next = absl::InfiniteFuture();
    absl::Time ended = tag ? absl::InfiniteFuture() : absl::InfinitePast();  // when the entry at hand was no longer so
    size_t kept = 0;
    const std::unique_ptr<Cursor> cursor = transaction.Scan(Table::kFacts, keys::TagHistories(review.repository, review.tag));
    for (; cursor->valid(); cursor->Next()) {
      STRATA_ASSIGN_OR_RETURN(const TagHistoryRow row, TagHistoryRow::Decode(cursor->value()));
      if (ended == absl::InfinitePast()) ended = row.at;
      if (ended <= oldest_kept) {
        dropped.emplace_back(cursor->key());
      } else {
        next = std::min(next, ended);
        ++kept;
      }
      ended = row.at;
    }
    STRATA_RETURN_IF_ERROR(cursor->status());
    for (const std::string& key : dropped) STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, key));
    if (kept == 0 || (kept == 1 && tag)) return absl::OkStatus();
    return ReviewAt(transaction, review.repository, review.tag, next + core.options.history_age);
  });
}

}  // namespace strata::store
