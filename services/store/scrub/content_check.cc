#include "services/store/scrub/content_check.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/digest/hasher.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/piece_checksums.h"
#include "services/store/engine/quarantine.h"

namespace strata::store {

namespace {

using Verdict = Examination::Verdict;

absl::Status CheckInline(Reader& reader, const Digest& digest, const BlobRow& row, const Pace& pace) {
  STRATA_RETURN_IF_ERROR(pace(row.size_bytes));
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, reader.Get(Table::kContent, keys::InlineBytes(row.id)));
  if (!bytes) return absl::DataLossError("its bytes are missing");
  if (bytes->size() != row.size_bytes) {
    return absl::DataLossError(absl::StrCat(bytes->size(), " bytes are stored, not ", row.size_bytes));
  }
  if (Digest::Of(*bytes, digest.algorithm()) == digest) return absl::OkStatus();
  return absl::DataLossError("its bytes do not match the digest");
}

absl::Status CheckExtent(Reader& reader, ExtentStore& extents, const Digest& digest, const BlobRow& row, Depth depth,
                         const Pace& pace) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> encoded, reader.Get(Table::kContent, keys::PieceChecksums(row.id)));
  if (!encoded) return absl::DataLossError("its checksums are missing");
  STRATA_ASSIGN_OR_RETURN(const std::vector<uint32_t> checksums, DecodeChecksums(*encoded, row.size_bytes));
  STRATA_ASSIGN_OR_RETURN(const std::optional<uint64_t> size, extents.Size(row.id));
  if (!size) return absl::DataLossError("its extent is missing");
  if (*size != row.size_bytes) return absl::DataLossError(absl::StrCat("its extent has ", *size, " bytes, not ", row.size_bytes));
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<ExtentReader> extent, extents.OpenUncached(row.id));
  Hasher hasher(digest.algorithm());
  std::string piece;
  for (uint64_t offset = 0; offset < row.size_bytes; offset += piece.size()) {
    piece.resize(std::min(kChecksumPieceBytes, row.size_bytes - offset));
    STRATA_RETURN_IF_ERROR(pace(piece.size()));
    STRATA_RETURN_IF_ERROR(extent->ReadAt(offset, piece.data(), piece.size()));
    if (Crc32(0, piece) != checksums[offset / kChecksumPieceBytes]) {
      return absl::DataLossError(absl::StrCat("its bytes ", offset, " to ", offset + piece.size(), " do not match their checksum"));
    }
    if (depth == Depth::kDigest) hasher.Update(piece);
  }
  if (depth == Depth::kChecksums || hasher.Finish() == digest) return absl::OkStatus();
  return absl::DataLossError("its bytes do not match the digest");
}

absl::StatusOr<bool> IsStill(const Core& core, const Digest& digest, uint64_t id) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> row, FindBlob(core.kv, digest));
  return row.has_value() && row->id == id;
}

}  // namespace

absl::Status CheckContent(Reader& reader, ExtentStore& extents, const Digest& digest, const BlobRow& row, Depth depth,
                          const Pace& pace) {
  if (row.layout == Layout::kInline) return CheckInline(reader, digest, row, pace);
  return CheckExtent(reader, extents, digest, row, depth, pace);
}

absl::StatusOr<Examination> ExamineBlob(const Core& core, const Digest& digest, const BlobRow& row, Depth depth,
                                        const Pace& pace) {
  absl::Status status;
  // The second time tells a disk or a cable that hiccups from bytes that are gone.
  for (int attempt = 0; attempt < 2; ++attempt) {
    status = CheckContent(*core.kv.Snapshot(), core.extents, digest, row, depth, pace);
    if (status.ok()) return Examination();
    if (!absl::IsDataLoss(status)) return status;
    STRATA_ASSIGN_OR_RETURN(const bool is_still, IsStill(core, digest, row.id));
    if (!is_still) return Examination{Verdict::kChanged, ""};
  }
  STRATA_RETURN_IF_ERROR(QuarantineBlob(core, digest, row.id, status.message()).status());
  STRATA_ASSIGN_OR_RETURN(const bool is_still, IsStill(core, digest, row.id));
  if (!is_still) return Examination{Verdict::kChanged, ""};
  return Examination{Verdict::kDamaged, std::string(status.message())};
}

absl::StatusOr<Examination> RecheckBlob(const Core& core, const Digest& digest, const Pace& pace) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> row, FindBlob(core.kv, digest));
  if (!row) return absl::NotFoundError(absl::StrCat("the store has no blob ", digest.ToString()));
  STRATA_ASSIGN_OR_RETURN(Examination found, ExamineBlob(core, digest, *row, Depth::kDigest, pace));
  if (found.verdict == Verdict::kSound) STRATA_RETURN_IF_ERROR(ReleaseBlob(core, digest, row->id).status());
  return found;
}

}  // namespace strata::store
