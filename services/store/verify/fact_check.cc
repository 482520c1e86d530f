#include "services/store/verify/fact_check.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/record.h"
#include "services/store/engine/rows.h"
#include "services/store/verify/row_scan.h"

namespace strata::store {

namespace {

using keys::KeyParts;

constexpr int64_t kRowsAReport = 10000;
constexpr char kReport[] = "a fault of Strata or of the disk under meta/: keep a copy of the data folder, report it, restore a backup";
constexpr char kPushAgain[] = "push the image again";

// "app@sha256:..", "app:1", a cache key, an id.
std::string Subject(const KeyParts& key) {
  std::string out = key.repository;
  if (!key.digest.is_empty()) absl::StrAppend(&out, out.empty() ? "" : "@", key.digest.ToString());
  if (!key.second.is_empty()) absl::StrAppend(&out, " ", key.second.ToString());
  if (!key.text.empty()) absl::StrAppend(&out, out.empty() ? "" : ":", absl::CHexEscape(key.text.substr(0, 300)));
  if (out.empty()) out = absl::StrCat("id ", absl::Hex(key.id, absl::kZeroPad16));
  return out;
}

class FactCheck {
 public:
  FactCheck(Reader& facts, VerifyObserver& observer) : facts_(facts), observer_(observer) {}

  absl::StatusOr<FactTotals> Run() {
    STRATA_RETURN_IF_ERROR(CheckBlobs());
    STRATA_RETURN_IF_ERROR(CheckLinks());
    STRATA_RETURN_IF_ERROR(CheckManifests());
    STRATA_RETURN_IF_ERROR(CheckTags());
    STRATA_RETURN_IF_ERROR(CheckCacheRecords());
    STRATA_RETURN_IF_ERROR(CheckSessions());
    STRATA_RETURN_IF_ERROR(CheckCounters());
    return totals_;
  }

 private:
  using Visitor = std::function<absl::Status(const KeyParts& key, absl::string_view value)>;

  // Every row of a kind whose key can be read.
  absl::Status Each(Table table, char kind, const Visitor& visit) {
    return ForEachRow(facts_, table, std::string(1, kind), [&](absl::string_view key, absl::string_view value) -> absl::Status {
      if (++totals_.rows % kRowsAReport == 0) STRATA_RETURN_IF_ERROR(observer_.OnProgress({.stage = "facts", .items = totals_.rows}));
      const absl::StatusOr<KeyParts> parts = keys::Parse(kind, key);
      if (parts.ok()) return visit(*parts, value);
      return Report("row cannot be read", absl::StrCat("key ", absl::BytesToHexString(key.substr(0, 100))), kReport);
    });
  }

  absl::Status Report(std::string what, std::string subject, std::string advice) {
    return observer_.OnFinding({std::move(what), std::move(subject), std::move(advice)});
  }

  absl::StatusOr<bool> Has(const std::string& key, Table table = Table::kFacts) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row, facts_.Get(table, key));
    return row.has_value();
  }
  // A finding unless there is such a row.
  absl::Status Want(const std::string& key, absl::string_view what, const KeyParts& of, absl::string_view advice = kReport) {
    STRATA_ASSIGN_OR_RETURN(const bool has, Has(key));
    return has ? absl::OkStatus() : Report(std::string(what), Subject(of), std::string(advice));
  }
  // Decodes the row `key`; absent also when it cannot be read, which is reported where rows of its kind are walked.
  template <typename Row>
  absl::StatusOr<std::optional<Row>> Find(const std::string& key) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, facts_.Get(Table::kFacts, key));
    if (!bytes) return std::optional<Row>();
    absl::StatusOr<Row> row = Row::Decode(*bytes);
    return row.ok() ? std::optional<Row>(*std::move(row)) : std::optional<Row>();
  }
  absl::Status Unreadable(const KeyParts& key, const absl::Status& why) {
    return Report("row cannot be read", absl::StrCat(Subject(key), ": ", std::string(why.message())), kReport);
  }

  absl::Status CheckBlobs() {
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'B', [this](const KeyParts& key, absl::string_view value) -> absl::Status {
      ++totals_.blobs;
      const absl::StatusOr<BlobRow> row = BlobRow::Decode(value);
      if (!row.ok()) return Unreadable(key, row.status());
      totals_.blob_bytes += static_cast<int64_t>(row->size_bytes);
      if (row->is_quarantined) ++totals_.quarantined;
      return absl::OkStatus();
    }));
    return Each(Table::kFacts, 'Z', [this](const KeyParts& key, absl::string_view value) -> absl::Status {
      ++notes_;
      const absl::Status readable = QuarantineRow::Decode(value).status();
      if (!readable.ok()) return Unreadable(key, readable);
      STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> row, Find<BlobRow>(keys::Blob(key.digest)));
      if (row && row->is_quarantined) return absl::OkStatus();
      return Report("quarantine of a blob that is not quarantined", Subject(key), kReport);
    });
  }

  absl::Status CheckLinks() {
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'L', [this](const KeyParts& key, absl::string_view value) -> absl::Status {
      const absl::Status readable = LinkRow::Decode(value).status();
      if (!readable.ok()) STRATA_RETURN_IF_ERROR(Unreadable(key, readable));
      STRATA_RETURN_IF_ERROR(Want(keys::LinkOfBlob(key.digest, key.repository), "link without its reverse", key));
      STRATA_RETURN_IF_ERROR(Want(keys::Repository(key.repository), "link in an unknown repository", key));
      return Want(keys::Blob(key.digest), "link to a blob that does not exist", key, kPushAgain);
    }));
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'l', [this](const KeyParts& key, absl::string_view) {
      return Want(keys::Link(key.text, key.digest), "reverse link without its link", key);
    }));
    return Each(Table::kFacts, 'R', [this](const KeyParts& key, absl::string_view) -> absl::Status {
      if (!absl::StartsWith(key.text, "_")) ++repositories_;
      return absl::OkStatus();
    });
  }

  absl::Status CheckManifest(const KeyParts& key, absl::string_view value) {
    ++manifests_;
    const absl::StatusOr<ManifestRow> row = ManifestRow::Decode(value);
    if (!row.ok()) return Unreadable(key, row.status());
    STRATA_RETURN_IF_ERROR(Want(keys::Repository(key.repository), "manifest in an unknown repository", key));
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> content,
                            facts_.Get(Table::kContent, keys::ManifestContent(key.repository, key.digest)));
    if (!content || content->size() != row->size_bytes || Digest::Of(*content, key.digest.algorithm()) != key.digest) {
      STRATA_RETURN_IF_ERROR(Report(content ? "manifest damaged" : "manifest without content", Subject(key), kPushAgain));
    }
    for (const ManifestTarget& target : row->targets) {
      const auto kind = target.kind == ManifestTarget::Kind::kBlob ? keys::Edge::kToBlob : keys::Edge::kToChild;
      STRATA_RETURN_IF_ERROR(Want(keys::EdgeRow(kind, key.repository, target.digest, key.digest), "manifest without the edge to what it names", key));
    }
    if (!row->subject) return absl::OkStatus();
    return Want(keys::Referrer(key.repository, *row->subject, key.digest), "manifest with a subject but no referrer", key);
  }

  absl::Status CheckEdge(const KeyParts& key, ManifestTarget::Kind kind) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<ManifestRow> parent, Find<ManifestRow>(keys::Manifest(key.repository, key.second)));
    const bool names = parent && std::find(parent->targets.begin(), parent->targets.end(), ManifestTarget{kind, key.digest}) != parent->targets.end();
    return names ? absl::OkStatus() : Report("edge from a manifest that does not name it", Subject(key), kReport);
  }

  absl::Status CheckManifests() {
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'M', [this](const KeyParts& key, absl::string_view value) { return CheckManifest(key, value); }));
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'E', [this](const KeyParts& key, absl::string_view) {
      return CheckEdge(key, ManifestTarget::Kind::kBlob);
    }));
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'e', [this](const KeyParts& key, absl::string_view) {
      return CheckEdge(key, ManifestTarget::Kind::kManifest);
    }));
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'S', [this](const KeyParts& key, absl::string_view value) -> absl::Status {
      const absl::Status readable = ReferrerRow::Decode(value).status();
      if (!readable.ok()) STRATA_RETURN_IF_ERROR(Unreadable(key, readable));
      STRATA_ASSIGN_OR_RETURN(const std::optional<ManifestRow> row, Find<ManifestRow>(keys::Manifest(key.repository, key.second)));
      if (row && row->subject == key.digest) return absl::OkStatus();
      return Report("referrer without its manifest", Subject(key), kReport);
    }));
    return Each(Table::kContent, 'm', [this](const KeyParts& key, absl::string_view) {
      return Want(keys::Manifest(key.repository, key.digest), "content of a manifest that does not exist", key);
    });
  }

  absl::Status CheckTags() {
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'T', [this](const KeyParts& key, absl::string_view value) -> absl::Status {
      ++tags_;
      const absl::StatusOr<TagRow> row = TagRow::Decode(value);
      if (!row.ok()) return Unreadable(key, row.status());
      STRATA_RETURN_IF_ERROR(Want(keys::Manifest(key.repository, row->digest), "tag without manifest", key, kPushAgain));
      return Want(keys::TagOfManifest(key.repository, row->digest, key.text), "tag without its reverse", key);
    }));
    return Each(Table::kFacts, 't', [this](const KeyParts& key, absl::string_view) -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const std::optional<TagRow> row, Find<TagRow>(keys::Tag(key.repository, key.text)));
      if (row && row->digest == key.digest) return absl::OkStatus();
      return Report("reverse tag without its tag", Subject(key), kReport);
    });
  }

  absl::Status CheckCacheRecords() {
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'K', [this](const KeyParts& key, absl::string_view value) -> absl::Status {
      ++records_;
      const absl::StatusOr<CacheRow> row = CacheRow::Decode(value);
      if (!row.ok()) return Unreadable(key, row.status());
      STRATA_ASSIGN_OR_RETURN(const bool has_value, Has(keys::CacheValue(key.text), Table::kContent));
      if (!has_value) STRATA_RETURN_IF_ERROR(Report("cache record without value", Subject(key), kReport));
      STRATA_RETURN_IF_ERROR(Want(keys::CacheUse(row->last_used, key.text), "cache record without its last use", key));
      for (const Digest& digest : row->needs) {
        STRATA_RETURN_IF_ERROR(Want(keys::CacheNeed(digest, key.text), "cache record without a need", key));
        STRATA_RETURN_IF_ERROR(Want(keys::Blob(digest), "cache record that needs a blob that does not exist", key,
                                    "nothing: it is dropped at its next use and the step is built again"));
      }
      return absl::OkStatus();
    }));
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'k', [this](const KeyParts& key, absl::string_view) -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const std::optional<CacheRow> row, Find<CacheRow>(keys::CacheRecord(key.text)));
      if (row && EncodeTime(row->last_used) == key.id) return absl::OkStatus();
      return Report("use of a cache record that does not exist", Subject(key), kReport);
    }));
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'D', [this](const KeyParts& key, absl::string_view) -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const std::optional<CacheRow> row, Find<CacheRow>(keys::CacheRecord(key.text)));
      const bool needs = row && std::find(row->needs.begin(), row->needs.end(), key.digest) != row->needs.end();
      return needs ? absl::OkStatus() : Report("need of a cache record that does not exist", Subject(key), kReport);
    }));
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'd', [this](const KeyParts& key, absl::string_view value) -> absl::Status {
      const absl::StatusOr<ChargedBlobRow> row = ChargedBlobRow::Decode(value);
      if (!row.ok()) return Unreadable(key, row.status());
      cache_bytes_ += static_cast<int64_t>(row->size_bytes);
      STRATA_ASSIGN_OR_RETURN(const bool is_needed, HasRows(facts_, keys::CacheNeeds(key.digest)));
      return is_needed ? absl::OkStatus() : Report("blob charged to the cache that no record needs", Subject(key), kReport);
    }));
    return Each(Table::kContent, 'v', [this](const KeyParts& key, absl::string_view value) {
      cache_bytes_ += static_cast<int64_t>(value.size());
      return Want(keys::CacheRecord(key.text), "value of a cache record that does not exist", key);
    });
  }

  absl::Status CheckSessions() {
    STRATA_RETURN_IF_ERROR(Each(Table::kFacts, 'U', [this](const KeyParts& key, absl::string_view value) -> absl::Status {
      ++uploads_;
      const absl::StatusOr<SessionRow> row = SessionRow::Decode(value);
      if (!row.ok()) return Unreadable(key, row.status());
      return Want(keys::SessionUse(row->last_write, key.text), "upload session without its last write", key);
    }));
    return Each(Table::kFacts, 'u', [this](const KeyParts& key, absl::string_view) -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const std::optional<SessionRow> row, Find<SessionRow>(keys::Session(key.text)));
      if (row && EncodeTime(row->last_write) == key.id) return absl::OkStatus();
      return Report("last write of an upload session that does not exist", Subject(key), kReport);
    });
  }

  absl::Status CheckCounters() {
    using keys::Count;
    const std::pair<Count, int64_t> counted[] = {
        {Count::kBlobs, totals_.blobs}, {Count::kBlobBytes, totals_.blob_bytes}, {Count::kRepositories, repositories_},
        {Count::kManifests, manifests_}, {Count::kTags, tags_}, {Count::kUploads, uploads_}, {Count::kCacheRecords, records_},
        {Count::kCacheBytes, cache_bytes_},         {Count::kQuarantined, notes_}};
    for (const auto& [count, want] : counted) {
      STRATA_ASSIGN_OR_RETURN(const int64_t value, CounterIn(facts_, keys::Counter(count)));
      if (value == want) continue;
      STRATA_RETURN_IF_ERROR(Report("counter is wrong", absl::StrCat(keys::Counter(count).substr(1), " says ", value, ", there are ", want), kReport));
    }
    return absl::OkStatus();
  }

  Reader& facts_;
  VerifyObserver& observer_;
  FactTotals totals_;
  int64_t notes_ = 0;
  int64_t repositories_ = 0;
  int64_t manifests_ = 0;
  int64_t tags_ = 0;
  int64_t uploads_ = 0;
  int64_t records_ = 0;
  int64_t cache_bytes_ = 0;
};

}  // namespace

absl::StatusOr<FactTotals> CheckFacts(Reader& facts, VerifyObserver& observer) { return FactCheck(facts, observer).Run(); }

}  // namespace strata::store
