#include "services/store/engine/piece_checksums.h"

#include <algorithm>

#include "services/store/engine/record.h"

namespace strata::store {

void PieceChecksums::Update(absl::string_view data) {
  while (!data.empty()) {
    const absl::string_view part = data.substr(0, kChecksumPieceBytes - filled_);
    crc_ = Crc32(crc_, part);
    filled_ += static_cast<uint32_t>(part.size());
    data.remove_prefix(part.size());
    if (filled_ < kChecksumPieceBytes) continue;
    whole_.push_back(crc_);
    crc_ = 0;
    filled_ = 0;
  }
}

std::vector<uint32_t> PieceChecksums::Finish() const {
  std::vector<uint32_t> all = whole_;
  if (filled_ > 0) all.push_back(crc_);
  return all;
}

std::string PieceChecksums::SaveState() const {
  RecordWriter out;
  out.U32(crc_).U32(filled_).U32(static_cast<uint32_t>(whole_.size()));
  for (uint32_t crc : whole_) out.U32(crc);
  return out.Take();
}

absl::StatusOr<PieceChecksums> PieceChecksums::Restore(absl::string_view state) {
  PieceChecksums result;
  RecordReader in(state);
  result.crc_ = in.U32();
  result.filled_ = in.U32();
  result.whole_.resize(in.Count(4));
  for (uint32_t& crc : result.whole_) crc = in.U32();
  if (absl::Status status = in.Finish("an upload's checksums"); !status.ok()) return status;
  if (result.filled_ >= kChecksumPieceBytes) return absl::DataLossError("metadata is damaged: an upload's checksums");
  return result;
}

std::string EncodeChecksums(const std::vector<uint32_t>& checksums) {
  RecordWriter out;
  for (uint32_t crc : checksums) out.U32(crc);
  return out.Take();
}

absl::StatusOr<std::vector<uint32_t>> DecodeChecksums(absl::string_view bytes, uint64_t size_bytes) {
  std::vector<uint32_t> checksums(bytes.size() / 4);
  RecordReader in(bytes);
  for (uint32_t& crc : checksums) crc = in.U32();
  if (absl::Status status = in.Finish("checksums"); !status.ok()) return status;
  if (checksums.size() != (size_bytes + kChecksumPieceBytes - 1) / kChecksumPieceBytes) {
    return absl::DataLossError("metadata is damaged: the number of checksums is not that of the blob's pieces");
  }
  return checksums;
}

}  // namespace strata::store
