#include "services/store/engine/record.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace strata::store {

namespace {

constexpr char kSha256Byte = 1;
constexpr char kSha512Byte = 2;

template <typename T>
void AppendBigEndian(T value, std::string* out) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> shift));
  }
}

template <typename T>
T FromBigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<T>(value);
}

}  // namespace

std::string EncodeDigest(const Digest& digest) {
  const char algorithm = digest.algorithm() == DigestAlgorithm::kSha512 ? kSha512Byte : kSha256Byte;
  return std::string(1, algorithm) + absl::HexStringToBytes(digest.hex());
}

bool ConsumeDigest(absl::string_view* bytes, Digest* digest) {
  if (bytes->empty()) return false;
  const char algorithm = bytes->front();
  if (algorithm != kSha256Byte && algorithm != kSha512Byte) return false;
  const size_t size = algorithm == kSha256Byte ? 32 : 64;
  if (bytes->size() < 1 + size) return false;
  const absl::string_view prefix = algorithm == kSha256Byte ? "sha256:" : "sha512:";
  absl::StatusOr<Digest> parsed = Digest::Parse(absl::StrCat(prefix, absl::BytesToHexString(bytes->substr(1, size))));
  if (!parsed.ok()) return false;
  *digest = *std::move(parsed);
  bytes->remove_prefix(1 + size);
  return true;
}

std::string EncodeU64(uint64_t value) {
  std::string out;
  AppendBigEndian(value, &out);
  return out;
}

bool ConsumeU64(absl::string_view* bytes, uint64_t* value) {
  if (bytes->size() < 8) return false;
  *value = FromBigEndian<uint64_t>(bytes->substr(0, 8));
  bytes->remove_prefix(8);
  return true;
}

uint64_t EncodeTime(absl::Time time) { return static_cast<uint64_t>(std::max<int64_t>(0, absl::ToUnixMicros(time))); }
absl::Time DecodeTime(uint64_t micros) { return absl::FromUnixMicros(static_cast<int64_t>(micros)); }

RecordWriter& RecordWriter::U8(uint8_t value) {
  out_.push_back(static_cast<char>(value));
  return *this;
}

RecordWriter& RecordWriter::U32(uint32_t value) {
  AppendBigEndian(value, &out_);
  return *this;
}

RecordWriter& RecordWriter::U64(uint64_t value) {
  AppendBigEndian(value, &out_);
  return *this;
}

RecordWriter& RecordWriter::Text(absl::string_view value) {
  U32(static_cast<uint32_t>(value.size()));
  absl::StrAppend(&out_, value);
  return *this;
}

RecordWriter& RecordWriter::DigestOf(const Digest& value) {
  out_ += EncodeDigest(value);
  return *this;
}

bool RecordReader::Take(size_t size, absl::string_view* out) {
  if (failed_ || rest_.size() < size) {
    failed_ = true;
    return false;
  }
  *out = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

uint8_t RecordReader::U8() {
  absl::string_view bytes;
  return Take(1, &bytes) ? static_cast<uint8_t>(bytes[0]) : 0;
}

uint32_t RecordReader::U32() {
  absl::string_view bytes;
  return Take(4, &bytes) ? FromBigEndian<uint32_t>(bytes) : 0;
}

uint64_t RecordReader::U64() {
  absl::string_view bytes;
  return Take(8, &bytes) ? FromBigEndian<uint64_t>(bytes) : 0;
}

std::string RecordReader::Text() {
  absl::string_view bytes;
  return Take(U32(), &bytes) ? std::string(bytes) : std::string();
}

Digest RecordReader::DigestOf() {
  Digest digest;
  if (failed_ || !ConsumeDigest(&rest_, &digest)) failed_ = true;
  return digest;
}

uint32_t RecordReader::Count(size_t least_bytes) {
  const uint32_t count = U32();
  if (count > rest_.size() / least_bytes) failed_ = true;
  return failed_ ? 0 : count;
}

absl::Status RecordReader::Finish(absl::string_view what) const {
  if (!failed_ && rest_.empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("metadata is damaged: the row of ", what, " cannot be read"));
}

}  // namespace strata::store
