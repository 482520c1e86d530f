#include "services/store/verify/verifier.h"

#include <fcntl.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "services/store/engine/extent_files.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/record.h"
#include "services/store/engine/rocks_key_value.h"
#include "services/store/engine/rows.h"
#include "services/store/scrub/content_check.h"
#include "services/store/verify/extent_check.h"
#include "services/store/verify/fact_check.h"

namespace strata::store {

namespace {

constexpr size_t kBatchRows = 256;
constexpr int64_t kBytesAReport = 16 << 20;

class CountingObserver final : public VerifyObserver {
 public:
  CountingObserver(const CallContext& context, VerifyObserver& inner) : context_(context), inner_(inner) {}
  absl::Status OnProgress(const VerifyProgress& progress) override {
    STRATA_RETURN_IF_ERROR(context_.Check());
    return inner_.OnProgress(progress);
  }
  absl::Status OnFinding(const Finding& finding) override {
    ++findings_;
    return inner_.OnFinding(finding);
  }
  int64_t findings() const { return findings_; }

 private:
  const CallContext& context_;
  VerifyObserver& inner_;
  int64_t findings_ = 0;
};

// A reader that others own.
class Borrowed final : public Reader {
 public:
  explicit Borrowed(Reader& reader) : reader_(reader) {}
  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key) override { return reader_.Get(table, key); }
  std::unique_ptr<Cursor> Scan(Table table, absl::string_view prefix, absl::string_view start) override {
    return reader_.Scan(table, prefix, start);
  }

 private:
  Reader& reader_;
};

// What to do with one blob: why it is damaged, or absent.
using Examine = std::function<absl::StatusOr<std::optional<std::string>>(const Digest&, const BlobRow&)>;

struct Rows {
  std::vector<std::pair<std::string, std::string>> rows;
  bool is_last = false;
};

absl::StatusOr<Rows> NextRows(const Moment& moment, const std::string& start) {
  Rows out;
  const std::unique_ptr<Reader> facts = moment();
  const std::unique_ptr<Cursor> cursor = facts->Scan(Table::kFacts, keys::Blobs(), start);
  for (; cursor->valid() && out.rows.size() < kBatchRows; cursor->Next()) out.rows.emplace_back(cursor->key(), cursor->value());
  STRATA_RETURN_IF_ERROR(cursor->status());
  out.is_last = out.rows.size() < kBatchRows;
  return out;
}

absl::Status CheckBlobs(const Moment& moment, const Examine& examine, VerifyProgress& progress, VerifyObserver& observer) {
  std::string start;
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const Rows batch, NextRows(moment, start));
    STRATA_RETURN_IF_ERROR(observer.OnProgress(progress));
    for (const auto& [key, value] : batch.rows) {
      start = keys::After(key);
      const absl::StatusOr<Digest> digest = keys::DigestBehind(keys::Blobs(), key);
      const absl::StatusOr<BlobRow> row = BlobRow::Decode(value);
      if (!digest.ok() || !row.ok() || row->is_quarantined) continue;  // told of with the facts
      ++progress.items;
      STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> damage, examine(*digest, *row));
      if (!damage) continue;
      STRATA_RETURN_IF_ERROR(observer.OnFinding({"blob damaged", absl::StrCat(digest->ToString(), ": ", *damage),
                                                 "push it again, or repair the disk and recheck; strata store quarantine ls says who needs it"}));
    }
    if (batch.is_last) return absl::OkStatus();
  }
}

// Without reading it all: is there an extent, is it as long as it must be? Small blobs cost nothing to hash.
absl::Status CheckPresence(Reader& facts, ExtentStore& extents, const Digest& digest, const BlobRow& row, const Pace& pace) {
  if (row.layout == Layout::kInline) return CheckContent(facts, extents, digest, row, Depth::kDigest, pace);
  STRATA_ASSIGN_OR_RETURN(const std::optional<uint64_t> size, extents.Size(row.id));
  if (!size) return absl::DataLossError("its extent is missing");
  if (*size == row.size_bytes) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("its extent has ", *size, " bytes, not ", row.size_bytes));
}

absl::StatusOr<std::optional<std::string>> ToDamage(const absl::Status& status) {
  if (status.ok()) return std::optional<std::string>();
  if (absl::IsDataLoss(status)) return std::optional<std::string>(std::string(status.message()));
  return status;
}

// A store that runs changes files under our eyes.
absl::Status CheckUnused(const std::string& meta) {
  const UniqueFd lock(::open(absl::StrCat(meta, "/LOCK").c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock.is_valid()) return absl::OkStatus();  // none has ever run here: a backup
  struct flock held = {};
  held.l_type = F_WRLCK;
  held.l_whence = SEEK_SET;
  if (::fcntl(lock.get(), F_GETLK, &held) != 0 || held.l_type == F_UNLCK) return absl::OkStatus();
  return absl::FailedPreconditionError("a store runs on this folder; ask it: strata store verify");
}

absl::Status CheckVersion(Reader& facts) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row, facts.Get(Table::kFacts, keys::FormatVersion()));
  if (!row) return absl::NotFoundError("the folder holds no store");
  RecordReader reader(*row);
  const uint32_t version = reader.U32();
  STRATA_RETURN_IF_ERROR(reader.Finish("the format version"));
  if (version == kFormatVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the folder has format ", version, "; this program verifies format ", kFormatVersion));
}

// Everything but what is done to one blob.
class Verification {
 public:
  Verification(const CallContext& context, Moment moment, ExtentStore& extents, VerifyObserver& observer)
      : context_(context), moment_(std::move(moment)), extents_(extents), observer_(context, observer) {}

  Pace pace() {
    return [this](size_t bytes) -> absl::Status {
      progress_.bytes += static_cast<int64_t>(bytes);
      STRATA_RETURN_IF_ERROR(context_.Check());
      if (progress_.bytes - reported_ < kBytesAReport) return absl::OkStatus();
      reported_ = progress_.bytes;
      return observer_.OnProgress(progress_);
    };
  }

  absl::StatusOr<VerifySummary> Run(const Examine& examine) {
    STRATA_ASSIGN_OR_RETURN(const FactTotals totals, CheckFacts(*moment_(), observer_));
    STRATA_RETURN_IF_ERROR(CheckOwners(moment_, extents_, totals.blobs, observer_));
    progress_ = {.stage = "content", .total_items = totals.blobs - totals.quarantined, .total_bytes = totals.blob_bytes};
    STRATA_RETURN_IF_ERROR(CheckBlobs(moment_, examine, progress_, observer_));
    return VerifySummary{.rows = totals.rows, .blobs = progress_.items, .bytes_read = progress_.bytes,
                         .findings = observer_.findings(), .quarantined_blobs = totals.quarantined};
  }

 private:
  const CallContext& context_;
  const Moment moment_;
  ExtentStore& extents_;
  CountingObserver observer_;
  VerifyProgress progress_;
  int64_t reported_ = 0;
};

}  // namespace

absl::StatusOr<VerifySummary> VerifyStore(const CallContext& context, const Core& core, bool is_deep, VerifyObserver& observer) {
  Verification verification(context, [&core] { return core.kv.Snapshot(); }, core.extents, observer);
  const Pace pace = verification.pace();
  return verification.Run([&](const Digest& digest, const BlobRow& row) -> absl::StatusOr<std::optional<std::string>> {
    if (!is_deep) {
      const absl::Status status = CheckPresence(*core.kv.Snapshot(), core.extents, digest, row, pace);
      if (!absl::IsDataLoss(status)) return ToDamage(status);
    }
    // Also for what looked damaged: examined as the scrubber does it, with a second look.
    STRATA_ASSIGN_OR_RETURN(const Examination found, ExamineBlob(core, digest, row, Depth::kDigest, pace));
    if (found.verdict != Examination::Verdict::kDamaged) return std::optional<std::string>();
    return std::optional<std::string>(found.reason);
  });
}

absl::StatusOr<VerifySummary> VerifyFolder(const CallContext& context, const std::string& data_dir, bool is_deep,
                                           VerifyObserver& observer) {
  const std::string meta = absl::StrCat(data_dir, "/meta");
  const std::string extents_dir = absl::StrCat(data_dir, "/extents");
  if (::access(meta.c_str(), F_OK) != 0) return absl::NotFoundError(absl::StrCat("there is no store in ", data_dir));
  STRATA_RETURN_IF_ERROR(CheckUnused(meta));
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Reader> facts, OpenRocksReader(meta));
  STRATA_RETURN_IF_ERROR(CheckVersion(*facts));
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<ExtentStore> extents, OpenExtentFiles(extents_dir, 0));
  Verification verification(context, [&facts] { return std::make_unique<Borrowed>(*facts); }, *extents, observer);
  const Pace pace = verification.pace();
  return verification.Run([&](const Digest& digest, const BlobRow& row) {
    return ToDamage(is_deep ? CheckContent(*facts, *extents, digest, row, Depth::kDigest, pace)
                            : CheckPresence(*facts, *extents, digest, row, pace));
  });
}

}  // namespace strata::store
