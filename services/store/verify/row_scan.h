// Walking many rows without keeping a cursor for long: a new one every few thousand rows, at the same moment of the same reader.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/store/engine/key_value.h"

namespace strata::store {

using RowVisitor = absl::FunctionRef<absl::Status(absl::string_view key, absl::string_view value)>;

// Calls `visit` for each row whose key begins with `prefix`, in order; its error ends the walk and is returned.
absl::Status ForEachRow(Reader& reader, Table table, absl::string_view prefix, RowVisitor visit);

}  // namespace strata::store
