#include "lib/compress/decompressing_source.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::compress {
namespace {

// igzip and bzip2 count in 32 bits.
constexpr size_t kMaxStepBytes = 1u << 30;

}  // namespace

DecompressingSource::DecompressingSource(ByteSource& inner, const DecompressOptions& options)
    : inner_(inner), options_(options), buffer_(new char[kStreamChunkBytes]) {}

absl::StatusOr<std::unique_ptr<DecompressingSource>> DecompressingSource::Open(ByteSource& inner, const DecompressOptions& options) {
  std::unique_ptr<DecompressingSource> source(new DecompressingSource(inner, options));
  size_t have = 0;
  while (have < kSniffBytes && !source->input_ended_) {
    STRATA_ASSIGN_OR_RETURN(const size_t n, inner.Read(source->buffer_.get() + have, kStreamChunkBytes - have));
    source->input_ended_ = n == 0;
    have += n;
  }
  source->input_ = absl::string_view(source->buffer_.get(), have);
  source->format_ = SniffFormat(source->input_);
  if (source->format_ != Format::kPlain) {
    STRATA_ASSIGN_OR_RETURN(source->decoder_, MakeDecoder(source->format_));
  }
  return source;
}

absl::Status DecompressingSource::Refill() {
  STRATA_ASSIGN_OR_RETURN(const size_t n, inner_.Read(buffer_.get(), kStreamChunkBytes));
  input_ended_ = n == 0;
  input_ = absl::string_view(buffer_.get(), n);
  return absl::OkStatus();
}

absl::StatusOr<size_t> DecompressingSource::ReadPlain(char* buffer, size_t size) {
  if (!input_.empty()) {
    const size_t n = std::min(size, input_.size());
    std::memcpy(buffer, input_.data(), n);
    input_.remove_prefix(n);
    return n;
  }
  if (input_ended_) return 0;
  return inner_.Read(buffer, size);
}

absl::StatusOr<bool> DecompressingSource::StartNextMember() {
  bool padding = false;
  while (true) {
    // `gzip` itself ignores zero padding, which tapes and block devices leave behind.
    while (format_ == Format::kGzip && !input_.empty() && input_.front() == '\0') {
      padding = true;
      input_.remove_prefix(1);
    }
    if (!input_.empty()) break;
    if (input_ended_) return false;
    STRATA_RETURN_IF_ERROR(Refill());
  }
  if (padding) return absl::InvalidArgumentError("gzip: there is data after the zero padding at the end");
  STRATA_RETURN_IF_ERROR(decoder_->StartNextMember());
  between_members_ = false;
  return true;
}

absl::StatusOr<size_t> DecompressingSource::Decompress(char* buffer, size_t size) {
  size = std::min(size, kMaxStepBytes);
  while (true) {
    if (between_members_) {
      STRATA_ASSIGN_OR_RETURN(const bool more, StartNextMember());
      if (!more) return 0;
    }
    if (input_.empty() && !input_ended_) STRATA_RETURN_IF_ERROR(Refill());
    STRATA_ASSIGN_OR_RETURN(const Decoder::Step step, decoder_->Decode(input_, input_ended_, buffer, size));
    input_.remove_prefix(step.consumed);
    between_members_ = step.at_member_end;
    if (step.produced > 0) return step.produced;
    if (step.consumed == 0 && !step.at_member_end && input_ended_) {
      return absl::InvalidArgumentError(absl::StrCat(FormatName(format_), ": the data is cut short"));
    }
  }
}

absl::StatusOr<size_t> DecompressingSource::Read(char* buffer, size_t size) {
  STRATA_ASSIGN_OR_RETURN(const size_t n, decoder_ == nullptr ? ReadPlain(buffer, size) : Decompress(buffer, size));
  if (n > options_.output_limit_bytes - produced_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the content is longer than the limit of ", options_.output_limit_bytes, " bytes when decompressed"));
  }
  produced_ += n;
  return n;
}

}  // namespace strata::compress
