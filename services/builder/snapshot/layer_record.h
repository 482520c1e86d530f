// What the store remembers about one unpacked layer, and how that is written in its file i/<number>.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::snapshot {

struct LayerRecord {
  // The diff ID; or "<diff ID>@<chain below>" for a layer that looks different over other layers (see layer_cache.h).
  std::string key;
  int64_t size_bytes = 0;
  bool has_root_entry = false;  // the layer itself says owner and mode of the root directory
  // The boot during which the layer was written and not yet synced; empty: it survives a crash of the machine.
  std::string unsynced_boot;
};

std::string FormatRecord(const LayerRecord& record);
// kDataLoss: torn or of another version.
absl::StatusOr<LayerRecord> ParseRecord(absl::string_view text);

// Identifies the current boot of this machine; empty when the kernel does not tell.
std::string CurrentBoot();

}  // namespace strata::snapshot
