#include "services/store/engine/blobs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/store/engine/blob_reader.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/piece_checksums.h"
#include "services/store/engine/quarantine.h"
#include "services/store/engine/repository_table.h"

namespace strata::store {

namespace {

constexpr size_t kMaxDigestsACall = 10000;
constexpr size_t kRenewedAtOnce = 100;

absl::Status NoSuchBlob(absl::string_view repository, const Digest& digest) {
  if (repository.empty()) return absl::NotFoundError(absl::StrCat("no blob ", digest.ToString()));
  return absl::NotFoundError(absl::StrCat("repository \"", repository, "\" has no blob ", digest.ToString()));
}

absl::Status CheckCount(size_t count) {
  if (count <= kMaxDigestsACall) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(count, " digests in one call; at most ", kMaxDigestsACall, " are taken"));
}

}  // namespace

absl::StatusOr<std::optional<BlobRow>> Blobs::FindReadable(absl::string_view repository, const Digest& digest) {
  if (!repository.empty()) {
    STRATA_RETURN_IF_ERROR(CheckRepository(repository));
    STRATA_ASSIGN_OR_RETURN(const bool is_linked, HasLink(core_.kv, repository, digest));
    if (!is_linked) return std::optional<BlobRow>();
  }
  return FindBlob(core_.kv, digest);
}

absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> Blobs::Open(absl::string_view repository, const Digest& digest,
                                                                   uint64_t offset_bytes,
                                                                   std::optional<uint64_t> length_bytes) {
  // A second look: between the row and its bytes the blob may have been replaced or removed.
  for (int attempt = 0;; ++attempt) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> row, FindReadable(repository, digest));
    if (!row) return NoSuchBlob(repository, digest);
    if (row->is_quarantined) {
      return absl::DataLossError(absl::StrCat("blob ", digest.ToString(), " was found damaged; push it again"));
    }
    if (offset_bytes > row->size_bytes) {
      return absl::OutOfRangeError(
          absl::StrCat("offset ", offset_bytes, " is past the ", row->size_bytes, " bytes of ", digest.ToString()));
    }
    const uint64_t length = std::min(length_bytes.value_or(UINT64_MAX), row->size_bytes - offset_bytes);
    absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> reader;
    if (row->layout == Layout::kExtent) {
      reader = OpenExtent(digest, *row, offset_bytes, length);
    } else {
      absl::StatusOr<std::string> bytes = ReadInline(digest, *row);
      if (bytes.ok()) return NewInlineReader(*std::move(bytes), offset_bytes, length);
      reader = bytes.status();
    }
    if (reader.ok() || !absl::IsDataLoss(reader.status())) return reader;
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> now, FindReadable(repository, digest));
    const bool has_changed = !now || now->id != row->id;
    if (has_changed && attempt < 3) continue;
    Quarantine(digest, row->id, reader.status().message());
    return Annotate(reader.status(), absl::StrCat("reading blob ", digest.ToString()));
  }
}

absl::StatusOr<std::string> Blobs::ReadInline(const Digest& digest, const BlobRow& row) {
  STRATA_ASSIGN_OR_RETURN(std::optional<std::string> bytes, core_.kv.Get(Table::kContent, keys::InlineBytes(row.id)));
  if (!bytes) return absl::DataLossError("the bytes are missing");
  if (bytes->size() != row.size_bytes || Digest::Of(*bytes, digest.algorithm()) != digest) {
    return absl::DataLossError("stored bytes do not match the digest; push the blob again");
  }
  return *std::move(bytes);
}

absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> Blobs::OpenExtent(const Digest& digest, const BlobRow& row,
                                                                         uint64_t offset, uint64_t length) {
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<ExtentReader> extent, core_.extents.Open(row.id));
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, core_.kv.Get(Table::kContent, keys::PieceChecksums(row.id)));
  if (!bytes) return absl::DataLossError("its checksums are missing");
  STRATA_ASSIGN_OR_RETURN(std::vector<uint32_t> checksums, DecodeChecksums(*bytes, row.size_bytes));
  return NewExtentReader(std::move(extent), std::move(checksums), row.size_bytes, offset, length,
                         [this, digest, id = row.id] { Quarantine(digest, id, "a reader met damaged bytes"); });
}

void Blobs::Quarantine(const Digest& digest, uint64_t id, absl::string_view reason) {
  // The reader is told of the damage anyway; the next one finds it again if this mark cannot be written.
  QuarantineBlob(core_, digest, id, reason).IgnoreError();
}

absl::StatusOr<std::vector<std::optional<uint64_t>>> Blobs::Stat(absl::string_view repository,
                                                                 absl::Span<const Digest> digests) {
  STRATA_RETURN_IF_ERROR(CheckCount(digests.size()));
  std::vector<Digest> old;
  for (const Digest& digest : repository.empty() ? absl::Span<const Digest>() : digests) {
    STRATA_ASSIGN_OR_RETURN(const bool is_old, IsLeaseOld(core_.kv, repository, digest));
    if (is_old) old.push_back(digest);
  }
  // Before the look that is answered: what the collector takes meanwhile is then not said to be there.
  if (!old.empty()) STRATA_RETURN_IF_ERROR(RenewLeases(repository, SortedUnique(old)));
  std::vector<std::optional<uint64_t>> sizes;
  sizes.reserve(digests.size());
  for (const Digest& digest : digests) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> row, FindReadable(repository, digest));
    sizes.push_back(IsServed(row) ? std::optional<uint64_t>(row->size_bytes) : std::nullopt);
  }
  return sizes;
}

absl::StatusOr<bool> Blobs::IsLeaseOld(Reader& reader, absl::string_view repository, const Digest& digest) const {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, reader.Get(Table::kFacts, keys::Link(repository, digest)));
  if (!bytes) return false;
  STRATA_ASSIGN_OR_RETURN(const LinkRow link, LinkRow::Decode(*bytes));
  return link.linked + core_.options.grace / 2 < core_.clock.Now();
}

absl::Status Blobs::RenewLeases(absl::string_view repository, std::vector<Digest> digests) {
  for (size_t from = 0; from < digests.size(); from += kRenewedAtOnce) {
    const size_t to = std::min(digests.size(), from + kRenewedAtOnce);
    // A lease that a power failure takes back is that of a push which failed with it.
    const absl::Status status = InTransaction(core_.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
      std::vector<Digest> served;
      for (size_t i = from; i < to; ++i) {
        STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, LockBlob(transaction, digests[i], LockMode::kShared));
        if (IsServed(blob)) served.push_back(digests[i]);
      }
      for (const Digest& digest : served) {
        STRATA_RETURN_IF_ERROR(
            transaction.GetForUpdate(Table::kFacts, keys::Link(repository, digest), LockMode::kExclusive).status());
        STRATA_ASSIGN_OR_RETURN(const bool is_old, IsLeaseOld(transaction, repository, digest));
        if (is_old) STRATA_RETURN_IF_ERROR(AddLink(core_, transaction, repository, digest));
      }
      return absl::OkStatus();
    });
    // A full disk refuses no question: what is on it is not pushed now either.
    if (!status.ok() && !absl::IsResourceExhausted(status)) return status;
  }
  return absl::OkStatus();
}

absl::Status Blobs::Link(absl::string_view repository, absl::string_view from_repository, absl::Span<const Digest> digests) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  STRATA_RETURN_IF_ERROR(CheckCount(digests.size()));
  const std::vector<Digest> sorted = SortedUnique(digests);
  return InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    STRATA_RETURN_IF_ERROR(EnterRepository(core_, transaction, repository));
    for (const Digest& digest : sorted) {
      STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> row, LockBlob(transaction, digest, LockMode::kShared));
      if (!IsServed(row)) return NoSuchBlob(from_repository, digest);
    }
    for (const Digest& digest : sorted) {
      if (!from_repository.empty()) {
        STRATA_ASSIGN_OR_RETURN(const bool is_linked, HasLink(transaction, from_repository, digest));
        if (!is_linked) return NoSuchBlob(from_repository, digest);
      }
      STRATA_RETURN_IF_ERROR(AddLink(core_, transaction, repository, digest));
    }
    return absl::OkStatus();
  });
}

absl::Status Blobs::Unlink(absl::string_view repository, const Digest& digest) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  return InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row,
                            transaction.GetForUpdate(Table::kFacts, keys::Link(repository, digest), LockMode::kExclusive));
    if (!row) return NoSuchBlob(repository, digest);
    STRATA_RETURN_IF_ERROR(ReviewRepository(core_, transaction, repository, /*due_now=*/false));
    return RemoveLink(core_, transaction, repository, digest, GraceEnd(core_));
  });
}

}  // namespace strata::store
