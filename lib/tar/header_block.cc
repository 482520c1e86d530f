#include "lib/tar/header_block.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace strata::tar {
namespace {

std::optional<int64_t> Base256(absl::string_view field) {
  // The first bit marks the format, the second is the sign; two's complement, big-endian.
  const bool negative = (static_cast<unsigned char>(field[0]) & 0x40) != 0;
  uint64_t value = negative ? ~uint64_t{0} : 0;
  for (size_t i = 0; i < field.size(); ++i) {
    unsigned char byte = static_cast<unsigned char>(field[i]);
    if (i == 0) byte = static_cast<unsigned char>(negative ? (byte | 0x80) : (byte & 0x7f));
    const unsigned char top = static_cast<unsigned char>(value >> 56);
    if (top != (negative ? 0xff : 0)) return std::nullopt;
    value = value << 8 | byte;
  }
  if ((value >> 63 != 0) != negative) return std::nullopt;
  return static_cast<int64_t>(value);
}

}  // namespace

absl::string_view TextOf(const char* block, Field field) {
  const absl::string_view all(block + field.offset, field.size);
  return all.substr(0, all.find('\0'));
}

std::optional<int64_t> NumberOf(const char* block, Field field) {
  absl::string_view text(block + field.offset, field.size);
  if ((static_cast<unsigned char>(text[0]) & 0x80) != 0) return Base256(text);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  text = text.substr(0, text.find('\0'));
  int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '7' || value > std::numeric_limits<int64_t>::max() >> 3) return std::nullopt;
    value = value << 3 | (c - '0');
  }
  return value;
}

bool PutOctal(char* block, Field field, uint64_t value) {
  char* const at = block + field.offset;
  at[field.size - 1] = '\0';
  for (size_t i = field.size - 1; i-- > 0;) {
    at[i] = static_cast<char>('0' + (value & 7));
    value >>= 3;
  }
  return value == 0;
}

namespace {

template <typename Byte>
int64_t SumOf(const char* block) {
  int64_t sum = 0;
  for (size_t i = 0; i < kBlockBytes; ++i) {
    const bool in_checksum = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    sum += static_cast<Byte>(in_checksum ? ' ' : block[i]);
  }
  return sum;
}

}  // namespace

bool ChecksumMatches(const char* block) {
  const std::optional<int64_t> stored = NumberOf(block, kChecksum);
  return stored.has_value() && (*stored == SumOf<unsigned char>(block) || *stored == SumOf<signed char>(block));
}

void PutChecksum(char* block) {
  // Six digits, NUL, space: the form every tar has written since V7.
  PutOctal(block, Field{kChecksum.offset, 7}, static_cast<uint64_t>(SumOf<unsigned char>(block)));
  block[kChecksum.offset + 7] = ' ';
}

bool IsZeroBlock(const char* block) {
  return std::all_of(block, block + kBlockBytes, [](char c) { return c == '\0'; });
}

}  // namespace strata::tar
