#include "services/store/verify/row_scan.h"

#include <memory>

#include "lib/base/status.h"
#include "services/store/engine/keyspace.h"

namespace strata::store {

namespace {
constexpr int kRowsACursor = 4096;
}  // namespace

absl::Status ForEachRow(Reader& reader, Table table, absl::string_view prefix, RowVisitor visit) {
  std::string next;
  while (true) {
    const std::unique_ptr<Cursor> cursor = reader.Scan(table, prefix, next);
    int rows = 0;
    for (; cursor->valid() && rows < kRowsACursor; cursor->Next(), ++rows) {
      STRATA_RETURN_IF_ERROR(visit(cursor->key(), cursor->value()));
      if (rows == kRowsACursor - 1) next = keys::After(std::string(cursor->key()));
    }
    STRATA_RETURN_IF_ERROR(cursor->status());
    if (rows < kRowsACursor) return absl::OkStatus();
  }
}

}  // namespace strata::store
