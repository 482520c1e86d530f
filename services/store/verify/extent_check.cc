#include "services/store/verify/extent_check.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/rows.h"
#include "services/store/verify/row_scan.h"

namespace strata::store {

namespace {

constexpr int kShards = 256;
constexpr int64_t kIdsAPass = 1'000'000;

// The ids that rows name, of the shards of one pass.
class Owners {
 public:
  Owners(int pass, int passes) : pass_(pass), passes_(passes) {}

  bool IsMine(uint64_t id) const { return static_cast<int>(id & 0xff) % passes_ == pass_; }
  bool Has(uint64_t id) const { return std::binary_search(ids_.begin(), ids_.end(), id); }

  // Rows that cannot be read own nothing; they are reported with the facts.
  absl::Status Collect(Reader& facts) {
    ids_.clear();
    STRATA_RETURN_IF_ERROR(ForEachRow(facts, Table::kFacts, "B", [this](absl::string_view, absl::string_view value) {
      const absl::StatusOr<BlobRow> row = BlobRow::Decode(value);
      if (row.ok()) Add(row->id);
      return absl::OkStatus();
    }));
    STRATA_RETURN_IF_ERROR(ForEachRow(facts, Table::kFacts, "U", [this](absl::string_view, absl::string_view value) {
      const absl::StatusOr<SessionRow> row = SessionRow::Decode(value);
      if (row.ok()) Add(row->blob_id);
      return absl::OkStatus();
    }));
    STRATA_RETURN_IF_ERROR(ForEachRow(facts, Table::kFacts, "X", [this](absl::string_view key, absl::string_view) {
      const absl::StatusOr<uint64_t> id = keys::IdBehind("X", key);
      if (id.ok()) Add(*id);
      return absl::OkStatus();
    }));
    std::sort(ids_.begin(), ids_.end());
    return absl::OkStatus();
  }

 private:
  void Add(uint64_t id) {
    if (IsMine(id)) ids_.push_back(id);
  }

  const int pass_;
  const int passes_;
  std::vector<uint64_t> ids_;
};

absl::StatusOr<std::vector<uint64_t>> ListExtents(ExtentStore& extents, const Owners& owners) {
  std::vector<uint64_t> all;
  for (int shard = 0; shard < kShards; ++shard) {
    if (!owners.IsMine(static_cast<uint64_t>(shard))) continue;
    STRATA_ASSIGN_OR_RETURN(const std::vector<uint64_t> ids, extents.List(static_cast<uint8_t>(shard)));
    all.insert(all.end(), ids.begin(), ids.end());
  }
  return all;
}

absl::Status CheckContentRows(Reader& facts, const Owners& owners, char kind, VerifyObserver& observer) {
  return ForEachRow(facts, Table::kContent, std::string(1, kind), [&](absl::string_view key, absl::string_view) -> absl::Status {
    const absl::StatusOr<keys::KeyParts> parts = keys::Parse(kind, key);
    if (parts.ok() && (!owners.IsMine(parts->id) || owners.Has(parts->id))) return absl::OkStatus();
    return observer.OnFinding({kind == 'b' ? "bytes that no blob has" : "checksums that no blob has",
                               parts.ok() ? absl::StrCat("id ", absl::Hex(parts->id, absl::kZeroPad16)) : "key of a wrong length",
                               "nothing is lost; report it"});
  });
}

}  // namespace

absl::Status CheckOwners(const Moment& moment, ExtentStore& extents, int64_t total, VerifyObserver& observer) {
  const int passes = static_cast<int>(std::clamp<int64_t>(total / kIdsAPass + 1, 1, kShards));
  for (int pass = 0; pass < passes; ++pass) {
    STRATA_RETURN_IF_ERROR(observer.OnProgress({.stage = "extents", .items = pass, .total_items = passes}));
    Owners owners(pass, passes);
    // Files before rows: a file has its row before it exists, and until it is gone.
    STRATA_ASSIGN_OR_RETURN(const std::vector<uint64_t> files, ListExtents(extents, owners));
    const std::unique_ptr<Reader> facts = moment();
    STRATA_RETURN_IF_ERROR(owners.Collect(*facts));
    for (const uint64_t id : files) {
      if (owners.Has(id)) continue;
      // Removed between the two looks, or left behind.
      STRATA_ASSIGN_OR_RETURN(const std::optional<uint64_t> size, extents.Size(id));
      if (!size) continue;
      STRATA_RETURN_IF_ERROR(observer.OnFinding(
          {"extent that nothing names", absl::StrCat("extents/", absl::Hex(id & 0xff, absl::kZeroPad2), "/", absl::Hex(id, absl::kZeroPad16), ", ", *size, " bytes"),
           "nothing is lost; stop the store and remove the file to have its space back"}));
    }
    STRATA_RETURN_IF_ERROR(CheckContentRows(*facts, owners, 'b', observer));
    STRATA_RETURN_IF_ERROR(CheckContentRows(*facts, owners, 'p', observer));
  }
  return absl::OkStatus();
}

}  // namespace strata::store
