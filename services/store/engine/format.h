// The version of a data folder: checked when it is opened, and brought up to this store's version before anything else looks at it.
//
// An upgrade reads rows that do not change while it runs, writes the rows that are new or differ, and records the new version in the
// last transaction, synced: the log keeps their order, so a folder that was left in the middle is one of the old version, and the upgrade
// runs again from the start. It may be run over its own half. docs/formats/store.md tells what each version changed.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/store/engine/key_value.h"

namespace strata::store {

// Makes an empty folder one of kFormatVersion, or upgrades it. `at_step` is called between steps; a test dies there. Before anybody else
// uses `kv`. kFailedPrecondition: written by a newer Strata. kDataLoss: the metadata is damaged.
absl::Status OpenFormat(KeyValueStore& kv, const std::function<void(absl::string_view)>& at_step);

}  // namespace strata::store
