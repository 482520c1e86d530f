#include "services/store/ingest/upload_writer.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/repository_table.h"

namespace strata::store {

namespace {

class SessionWriter final : public blobstore::UploadWriter {
 public:
  SessionWriter(const Core& core, SessionClaims::Claim claim, std::string upload_id, SessionRow row,
                std::unique_ptr<UploadContent> content)
      : core_(core), claim_(std::move(claim)), upload_id_(std::move(upload_id)), row_(std::move(row)),
        content_(std::move(content)) {}

  ~SessionWriter() override {
    // A client that vanished: keep what came, so that it can go on from there.
    if (state_ == State::kOpen) Flush().IgnoreError();
    if (state_ != State::kEnded) SettleReservation();
  }

  absl::Status Write(absl::string_view data) override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    absl::Status status = core_.quotas.Reserve(row_.repository, upload_id_, content_->size_bytes() + data.size());
    if (status.ok()) status = content_->Write(data);
    return status.ok() ? status : FailAndCut(status);
  }

  absl::StatusOr<blobstore::DirectUpload*> Direct() override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    if (direct_ != nullptr) return direct_.get();
    absl::StatusOr<UniqueFd> descriptor = content_->OpenForOthers();
    if (absl::IsUnimplemented(descriptor.status())) return nullptr;
    if (!descriptor.ok()) return FailAndCut(descriptor.status());
    direct_ = std::make_unique<DirectPart>(*this, *std::move(descriptor));
    return direct_.get();
  }

  absl::StatusOr<uint64_t> Flush() override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    STRATA_RETURN_IF_ERROR(FailOnError(content_->Settle()));
    if (direct_ != nullptr) {
      // Whoever holds the descriptor still can only add bytes that nobody counts: the next writer waits until it is gone.
      const absl::Status sealed = Seal();
      if (!sealed.ok() && !absl::IsAborted(sealed)) return FailAndCut(sealed);
    }
    STRATA_RETURN_IF_ERROR(FailOnError(Record()));
    End();
    return row_.offset_bytes;
  }

  absl::Status Commit(const Digest& digest, std::optional<uint64_t> size_bytes) override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    STRATA_RETURN_IF_ERROR(FailOnError(content_->Settle()));
    if (direct_ != nullptr) {
      const absl::Status sealed = Seal();
      if (!sealed.ok()) return FailAndCut(sealed);
    }
    const absl::Status matches = CheckContent(digest, size_bytes);
    if (absl::IsInvalidArgument(matches)) {
      const absl::Status discarded = DiscardSession();
      End();
      return discarded.ok() ? matches : discarded;
    }
    STRATA_RETURN_IF_ERROR(FailOnError(matches));
    STRATA_RETURN_IF_ERROR(FailOnError(content_->Sync()));
    core_.AtCommitPoint("upload.synced");
    STRATA_RETURN_IF_ERROR(FailOnError(MakeBlob(digest)));
    End();
    return absl::OkStatus();
  }

 private:
  enum class State { kOpen, kFailed, kEnded };

  // The session holds what is recorded, or is gone.
  void SettleReservation() {
    const absl::StatusOr<SessionRow> session = FindSession(core_.kv, row_.repository, upload_id_);
    core_.quotas.SetReserved(row_.repository, upload_id_, session.ok() ? session->offset_bytes : 0);
  }

  // The file of the extent, filled by another process.
  class DirectPart final : public blobstore::DirectUpload {
   public:
    DirectPart(SessionWriter& writer, UniqueFd descriptor) : writer_(writer), descriptor_(std::move(descriptor)) {}
    int descriptor() const override { return descriptor_.get(); }
    uint64_t offset_bytes() const override { return writer_.content_ ? writer_.content_->size_bytes() : 0; }
    absl::StatusOr<uint64_t> Allowance() override {
      STRATA_RETURN_IF_ERROR(writer_.CheckOpen());
      absl::StatusOr<uint64_t> granted = writer_.content_->Grant();
      if (!granted.ok()) return writer_.FailAndCut(granted.status());
      return granted;
    }
    absl::Status Advance(uint64_t count) override {
      STRATA_RETURN_IF_ERROR(writer_.CheckOpen());
      return writer_.Adopt(count);
    }
    void Close() { descriptor_.Reset(); }

   private:
    SessionWriter& writer_;
    UniqueFd descriptor_;
  };

  absl::Status CheckOpen() const {
    if (state_ == State::kOpen) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("upload \"", upload_id_, "\": this write has ended"));
  }

  absl::Status FailOnError(const absl::Status& status) {
    if (status.ok()) return status;
    const absl::Status failed = Fail(status);
    // Cancelled or expired meanwhile: whoever ended the session left the extent to us.
    if (absl::IsNotFound(status)) RemoveDoomedExtent(core_, row_.blob_id).IgnoreError();
    return failed;
  }

  absl::Status Adopt(uint64_t count) {
    absl::Status status = core_.quotas.Reserve(row_.repository, upload_id_, content_->size_bytes() + count);
    if (status.ok()) status = content_->Adopt(count);
    return status.ok() ? status : FailAndCut(status);
  }

  // kAborted: somebody can write the extent still.
  absl::Status Seal() {
    direct_->Close();
    const absl::Status sealed = content_->Seal();
    // The file is gone when the session was cancelled meanwhile.
    return absl::IsNotFound(sealed) ? NoSuchUpload(upload_id_) : sealed;
  }

  absl::Status FailAndCut(const absl::Status& status) {
    if (absl::IsNotFound(status)) return FailOnError(status);
    const absl::Status failed = Fail(status);
    CutUnrecorded();
    return failed;
  }

  absl::Status Fail(const absl::Status& status) {
    state_ = State::kFailed;
    if (direct_ != nullptr) direct_->Close();
    content_.reset();
    return Annotate(status, absl::StrCat("upload \"", upload_id_, "\""));
  }

  void End() {
    state_ = State::kEnded;
    content_.reset();
    // Before another writer may reserve.
    SettleReservation();
    claim_.Release();
  }

  // Gives back the disk that a failed write took. When this fails too, the next writer or the next start does it. Not done when
  // a transaction failed: it may yet turn out to be in the log, and then names these bytes; nor while another process writes.
  void CutUnrecorded() {
    if (row_.layout == Layout::kInline) {
      core_.extents.Remove(row_.blob_id).IgnoreError();
      core_.extents.SyncRemovals({row_.blob_id}).IgnoreError();
    } else {
      core_.extents.Append(row_.blob_id, row_.offset_bytes).IgnoreError();
    }
  }

  absl::Status Record() {
    STRATA_RETURN_IF_ERROR(content_->Settle());
    if (content_->size_bytes() == row_.offset_bytes) return absl::OkStatus();
    STRATA_RETURN_IF_ERROR(content_->Sync());
    core_.AtCommitPoint("upload.synced");
    SessionRow next = row_;
    next.offset_bytes = content_->size_bytes();
    next.layout = content_->layout();
    next.hash_state = content_->hasher().digest.SaveState();
    next.checksum_state = content_->hasher().checksums.SaveState();
    next.last_write = core_.clock.Now();
    STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
      STRATA_RETURN_IF_ERROR(LockSession(transaction, row_.repository, upload_id_).status());
      STRATA_RETURN_IF_ERROR(PutSessionRows(transaction, upload_id_, &row_, next));
      if (next.layout == Layout::kInline) {
        return transaction.Put(Table::kContent, keys::InlineBytes(next.blob_id), content_->inline_bytes());
      }
      if (row_.layout == Layout::kExtent || row_.offset_bytes == 0) return absl::OkStatus();
      return transaction.Delete(Table::kContent, keys::InlineBytes(next.blob_id));
    }));
    core_.AtCommitPoint("upload.recorded");
    row_ = std::move(next);
    return absl::OkStatus();
  }

  absl::Status CheckContent(const Digest& digest, std::optional<uint64_t> size_bytes) {
    const uint64_t received = content_->size_bytes();
    if (size_bytes && *size_bytes != received) {
      return absl::InvalidArgumentError(absl::StrCat("upload \"", upload_id_, "\": ", received, " bytes were received, but ",
                                                     *size_bytes, " were declared; send the blob again"));
    }
    STRATA_ASSIGN_OR_RETURN(const Digest actual, content_->DigestOfAll(digest.algorithm()));
    if (actual == digest) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("upload \"", upload_id_, "\": the ", received, " bytes received hash to ",
                                                   actual.ToString(), ", but the client declared ", digest.ToString(),
                                                   "; send the blob again"));
  }

  absl::Status MakeBlob(const Digest& digest) {
    bool has_copy = false;
    std::optional<uint64_t> damaged_extent;
    STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
      damaged_extent.reset();
      STRATA_RETURN_IF_ERROR(EnterRepository(core_, transaction, row_.repository));
      STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> existing, LockBlob(transaction, digest, LockMode::kExclusive));
      STRATA_ASSIGN_OR_RETURN(const SessionRow session, LockSession(transaction, row_.repository, upload_id_));
      STRATA_RETURN_IF_ERROR(core_.quotas.Spend(transaction, upload_id_));
      STRATA_RETURN_IF_ERROR(RemoveSessionRows(core_, transaction, upload_id_, session));
      has_copy = IsServed(existing);
      if (existing && existing->is_quarantined) {
        STRATA_RETURN_IF_ERROR(RemoveBlobRows(transaction, digest, *existing));
        if (existing->layout == Layout::kExtent) damaged_extent = existing->id;
      }
      if (!has_copy) {
        STRATA_RETURN_IF_ERROR(PutBlobRows(transaction, digest));
      } else if (content_->layout() == Layout::kExtent) {
        STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::DoomedExtent(row_.blob_id), ""));
      }
      return AddLink(core_, transaction, row_.repository, digest);
    }));
    core_.AtCommitPoint("upload.committed");
    // The blob is there; what cannot be removed now is removed at the next start.
    if (has_copy && content_->layout() == Layout::kExtent) RemoveDoomedExtent(core_, row_.blob_id).IgnoreError();
    if (damaged_extent) RemoveDoomedExtent(core_, *damaged_extent).IgnoreError();
    return absl::OkStatus();
  }

  absl::Status PutBlobRows(Transaction& transaction, const Digest& digest) {
    BlobRow blob;
    blob.id = row_.blob_id;
    blob.size_bytes = content_->size_bytes();
    blob.layout = content_->layout();
    blob.created = core_.clock.Now();
    transaction.Add(keys::Counter(keys::Count::kBlobs), 1);
    transaction.Add(keys::Counter(keys::Count::kBlobBytes), static_cast<int64_t>(blob.size_bytes));
    STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::Blob(digest), blob.Encode()));
    if (blob.layout == Layout::kInline) {
      return transaction.Put(Table::kContent, keys::InlineBytes(blob.id), content_->inline_bytes());
    }
    return transaction.Put(Table::kContent, keys::PieceChecksums(blob.id),
                           EncodeChecksums(content_->hasher().checksums.Finish()));
  }

  absl::Status DiscardSession() {
    content_.reset();
    STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const SessionRow session, LockSession(transaction, row_.repository, upload_id_));
      STRATA_RETURN_IF_ERROR(RemoveSessionRows(core_, transaction, upload_id_, session));
      return transaction.Put(Table::kFacts, keys::DoomedExtent(row_.blob_id), "");
    }));
    return RemoveDoomedExtent(core_, row_.blob_id).status();
  }

  const Core& core_;
  SessionClaims::Claim claim_;
  const std::string upload_id_;
  SessionRow row_;  // as recorded
  std::unique_ptr<UploadContent> content_;
  std::unique_ptr<DirectPart> direct_;
  State state_ = State::kOpen;
};

}  // namespace

std::unique_ptr<blobstore::UploadWriter> NewUploadWriter(const Core& core, SessionClaims::Claim claim, std::string upload_id,
                                                         SessionRow row, std::unique_ptr<UploadContent> content) {
  return std::make_unique<SessionWriter>(core, std::move(claim), std::move(upload_id), std::move(row), std::move(content));
}

}  // namespace strata::store
