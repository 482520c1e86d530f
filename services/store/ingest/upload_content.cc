#include "services/store/ingest/upload_content.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/store/engine/keyspace.h"

namespace strata::store {

absl::StatusOr<std::unique_ptr<UploadContent>> UploadContent::Open(const Core& core, WriterSlots& slots,
                                                                   const SessionRow& row) {
  STRATA_ASSIGN_OR_RETURN(Hasher digest, Hasher::Restore(row.hash_state));
  STRATA_ASSIGN_OR_RETURN(PieceChecksums checksums, PieceChecksums::Restore(row.checksum_state));
  std::unique_ptr<UploadContent> content(
      new UploadContent(core, slots, row.blob_id, ContentHasher{std::move(digest), std::move(checksums)}));
  content->size_bytes_ = row.offset_bytes;
  if (row.layout == Layout::kExtent) {
    STRATA_ASSIGN_OR_RETURN(content->slot_, slots.Take());
    STRATA_ASSIGN_OR_RETURN(content->extent_, core.extents.Append(row.blob_id, row.offset_bytes));
    return content;
  }
  if (row.offset_bytes == 0) return content;
  STRATA_ASSIGN_OR_RETURN(std::optional<std::string> bytes, core.kv.Get(Table::kContent, keys::InlineBytes(row.blob_id)));
  if (!bytes || bytes->size() != row.offset_bytes) return absl::DataLossError("the bytes of an upload are missing");
  content->inline_bytes_ = *std::move(bytes);
  content->inline_hashed_ = content->inline_bytes_.size();
  return content;
}

absl::Status UploadContent::Write(absl::string_view data) {
  if (data.empty()) return absl::OkStatus();
  if (extent_ == nullptr && inline_bytes_.size() + data.size() <= kMaxInlineBytes) return WriteInline(data);
  if (extent_ == nullptr) STRATA_RETURN_IF_ERROR(StartExtent());
  return WriteToExtent(data);
}

absl::Status UploadContent::WriteInline(absl::string_view data) {
  inline_bytes_.append(data.data(), data.size());
  size_bytes_ += data.size();
  return absl::OkStatus();
}

absl::Status UploadContent::StartExtent() {
  STRATA_ASSIGN_OR_RETURN(slot_, slots_.Take());
  STRATA_ASSIGN_OR_RETURN(extent_, core_.extents.Create(id_));
  core_.AtCommitPoint("upload.extent_created");
  settled_.Update(absl::string_view(inline_bytes_).substr(inline_hashed_));
  STRATA_RETURN_IF_ERROR(extent_->Write(inline_bytes_));
  std::string().swap(inline_bytes_);
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> UploadContent::OpenForOthers() {
  if (extent_ == nullptr) STRATA_RETURN_IF_ERROR(StartExtent());
  STRATA_ASSIGN_OR_RETURN(UniqueFd descriptor, extent_->OpenForOthers());
  return descriptor;
}

absl::Status UploadContent::Adopt(uint64_t count) {
  if (pipeline_ != nullptr) {
    STRATA_RETURN_IF_ERROR(Settle());
    pipeline_.reset();
  }
  STRATA_RETURN_IF_ERROR(extent_->Adopt(count, [this](absl::string_view piece) { settled_.Update(piece); }));
  size_bytes_ = extent_->size_bytes();
  return absl::OkStatus();
}

absl::Status UploadContent::StartPipeline() {
  try {
    pipeline_ = std::make_unique<HashPipeline>(settled_);
  } catch (const std::system_error& error) {
    return absl::UnavailableError(absl::StrCat("the store has no thread left for this upload (", error.what(), "); retry in a moment"));
  }
  return absl::OkStatus();
}

absl::Status UploadContent::WriteToExtent(absl::string_view data) {
  if (pipeline_ == nullptr) STRATA_RETURN_IF_ERROR(StartPipeline());
  while (!data.empty()) {
    if (filling_ == nullptr) filling_ = pipeline_->Acquire();
    const size_t n = std::min(data.size(), kStreamChunkBytes - filling_->size);
    std::memcpy(filling_->bytes.get() + filling_->size, data.data(), n);
    filling_->size += n;
    size_bytes_ += n;
    data.remove_prefix(n);
    if (filling_->size == kStreamChunkBytes) STRATA_RETURN_IF_ERROR(EmitBuffer());
  }
  return absl::OkStatus();
}

absl::Status UploadContent::EmitBuffer() {
  HashPipeline::Buffer* buffer = std::exchange(filling_, nullptr);
  const absl::string_view bytes = buffer->view();
  pipeline_->Submit(buffer);
  return extent_->Write(bytes);
}

absl::Status UploadContent::Settle() {
  if (extent_ == nullptr) {
    settled_.Update(absl::string_view(inline_bytes_).substr(inline_hashed_));
    inline_hashed_ = inline_bytes_.size();
    return absl::OkStatus();
  }
  if (pipeline_ == nullptr) return absl::OkStatus();
  if (filling_ != nullptr) STRATA_RETURN_IF_ERROR(EmitBuffer());
  settled_ = pipeline_->Drain();
  return absl::OkStatus();
}

absl::Status UploadContent::Sync() { return extent_ ? extent_->Sync() : absl::OkStatus(); }

absl::StatusOr<Digest> UploadContent::DigestOfAll(DigestAlgorithm algorithm) {
  if (settled_.digest.algorithm() == algorithm) return settled_.digest.Finish();
  if (extent_ == nullptr) return Digest::Of(inline_bytes_, algorithm);
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<ExtentReader> reader, core_.extents.Open(id_));
  Hasher hasher(algorithm);
  std::string buffer(kStreamChunkBytes, '\0');
  for (uint64_t offset = 0; offset < size_bytes_; offset += buffer.size()) {
    buffer.resize(std::min<uint64_t>(buffer.size(), size_bytes_ - offset));
    STRATA_RETURN_IF_ERROR(reader->ReadAt(offset, buffer.data(), buffer.size()));
    hasher.Update(buffer);
  }
  return hasher.Finish();
}

}  // namespace strata::store
