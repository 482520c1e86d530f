// The compression formats that container layers, contexts and ADD archives come in, told apart by their first bytes.
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace strata::compress {

enum class Format { kPlain, kGzip, kZstd, kBzip2, kXz };

// "plain", "gzip", "zstd", "bzip2", "xz".
absl::string_view FormatName(Format format);

// How many bytes SniffFormat() wants to see; fewer only when the content is shorter.
inline constexpr size_t kSniffBytes = 10;

// The format whose magic number `head` starts with, else kPlain.
Format SniffFormat(absl::string_view head);

}  // namespace strata::compress
