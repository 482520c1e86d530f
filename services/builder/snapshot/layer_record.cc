#include "services/builder/snapshot/layer_record.h"

#include <fcntl.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/unique_fd.h"
#include "lib/bytes/byte_stream.h"

namespace strata::snapshot {
namespace {

constexpr absl::string_view kVersion = "strata-layer-1";

}  // namespace

std::string FormatRecord(const LayerRecord& record) {
  // The last line tells a whole record from a torn one.
  return absl::StrCat(kVersion, "\n", record.key, "\n", record.size_bytes, "\n", record.has_root_entry ? 1 : 0, "\n", record.unsynced_boot, "\nend\n");
}

absl::StatusOr<LayerRecord> ParseRecord(absl::string_view text) {
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  LayerRecord record;
  const bool is_whole = lines.size() == 7 && lines[0] == kVersion && lines[5] == "end" && lines[6].empty();
  if (!is_whole || lines[1].empty() || !absl::SimpleAtoi(lines[2], &record.size_bytes) || record.size_bytes < 0) {
    return absl::DataLossError("the record of an unpacked layer is damaged");
  }
  record.key = lines[1];
  record.has_root_entry = lines[3] == "1";
  record.unsynced_boot = lines[4];
  return record;
}

std::string CurrentBoot() {
  const UniqueFd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return "";
  FdSource source(fd.get());
  const auto text = ReadAll(source, 4096);
  return text.ok() ? std::string(absl::StripAsciiWhitespace(*text)) : "";
}

}  // namespace strata::snapshot
