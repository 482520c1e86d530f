// The 512-byte header block of tar: field offsets, numbers and the checksum. Shared by reader and writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace strata::tar {

inline constexpr size_t kBlockBytes = 512;

struct Field {
  size_t offset;
  size_t size;
};
inline constexpr Field kName{0, 100};
inline constexpr Field kMode{100, 8};
inline constexpr Field kUid{108, 8};
inline constexpr Field kGid{116, 8};
inline constexpr Field kSize{124, 12};
inline constexpr Field kMtime{136, 12};
inline constexpr Field kChecksum{148, 8};
inline constexpr Field kTypeFlag{156, 1};
inline constexpr Field kLinkName{157, 100};
inline constexpr Field kMagic{257, 8};  // with the version
inline constexpr Field kUserName{265, 32};
inline constexpr Field kGroupName{297, 32};
inline constexpr Field kDevMajor{329, 8};
inline constexpr Field kDevMinor{337, 8};
inline constexpr Field kPrefix{345, 155};

inline constexpr absl::string_view kUstarMagic("ustar\00000", 8);
inline constexpr absl::string_view kGnuMagic("ustar  \0", 8);

// The field up to its first NUL. `block` has kBlockBytes.
absl::string_view TextOf(const char* block, Field field);

// An octal number with leading spaces, ended by a space, a NUL or the field; or GNU base-256. Empty means 0.
// nullopt: neither, or outside int64_t.
std::optional<int64_t> NumberOf(const char* block, Field field);

// Writes `value` in octal, zero-filled, with a NUL at the end; false when it has too many digits.
bool PutOctal(char* block, Field field, uint64_t value);

// Whether the header's checksum is that of its bytes (taken as unsigned, or as signed as some old programs did).
bool ChecksumMatches(const char* block);
void PutChecksum(char* block);

bool IsZeroBlock(const char* block);

// Bytes from the end of content of `size` bytes to the next block.
inline uint64_t PaddingOf(uint64_t size) { return (kBlockBytes - size % kBlockBytes) % kBlockBytes; }

}  // namespace strata::tar
