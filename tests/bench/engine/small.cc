// Small blobs through the store's own seams: bytes and record in one synced transaction, or the bytes in a file of their own first.
// Written bytes are counted after the database was closed and opened again, which moves what is in its log into tables.
#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/store/engine/extent_files.h"
#include "services/store/engine/rocks_key_value.h"
#include "tests/bench/engine/blob_record.h"
#include "tests/bench/engine/payload.h"
#include "tests/bench/engine/scenario.h"
#include "tests/bench/engine/usage.h"

namespace strata::bench {

namespace {

using store::Durability;
using store::Table;

struct Shape {
  bool is_inline = true;
  size_t size_bytes = 0;
  int threads = 1;
  uint64_t blobs = 0;
};

struct Seams {
  std::unique_ptr<store::KeyValueStore> kv;
  std::unique_ptr<store::ExtentStore> extents;
};

absl::StatusOr<Seams> OpenSeams(const std::string& path) {
  Seams seams;
  STRATA_ASSIGN_OR_RETURN(seams.extents, store::OpenExtentFiles(path + "/extents", 0));
  STRATA_ASSIGN_OR_RETURN(seams.kv, store::OpenRocksKeyValue(path + "/meta"));
  return seams;
}

absl::Status Commit(Seams& seams, const Shape& shape, uint64_t id, absl::string_view bytes) {
  if (!shape.is_inline) {
    STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<store::ExtentWriter> extent, seams.extents->Create(id));
    STRATA_RETURN_IF_ERROR(extent->Write(bytes));
    STRATA_RETURN_IF_ERROR(extent->Sync());
  }
  return store::InTransaction(*seams.kv, Durability::kSynced, [&](store::Transaction& transaction) -> absl::Status {
    if (shape.is_inline) STRATA_RETURN_IF_ERROR(transaction.Put(Table::kContent, NumberKey(id), bytes));
    return transaction.Put(Table::kFacts, NumberKey(id), BlobRecord{true, bytes.size(), ""}.Encode());
  });
}

// Commits blobs until `next` has reached the number wanted.
absl::Status CommitSome(Seams& seams, const Shape& shape, std::atomic<uint64_t>& next) {
  std::string bytes(shape.size_bytes, '\0');
  for (uint64_t id = next++; id < shape.blobs; id = next++) {
    ThePayload().Fill(id, 0, bytes.data(), bytes.size());
    STRATA_RETURN_IF_ERROR(Commit(seams, shape, id, bytes));
  }
  return absl::OkStatus();
}

absl::Status CommitAll(Seams& seams, const Shape& shape) {
  std::atomic<uint64_t> next = 0;
  std::vector<absl::Status> statuses(shape.threads);
  std::vector<std::thread> threads;
  for (absl::Status& status : statuses) {
    threads.emplace_back([&] { status = CommitSome(seams, shape, next); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) STRATA_RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

absl::Status CheckAll(Seams& seams, const Shape& shape) {
  std::string want(shape.size_bytes, '\0');
  for (uint64_t id = 0; id < shape.blobs; ++id) {
    ThePayload().Fill(id, 0, want.data(), want.size());
    std::string got(shape.size_bytes, '\0');
    if (shape.is_inline) {
      STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row, seams.kv->Get(Table::kContent, NumberKey(id)));
      got = row.value_or("");
    } else {
      STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<store::ExtentReader> extent, seams.extents->Open(id));
      STRATA_RETURN_IF_ERROR(extent->ReadAt(0, got.data(), got.size()));
    }
    if (got != want) return absl::DataLossError(absl::StrCat("small blob ", id, " reads back differently"));
  }
  return absl::OkStatus();
}

absl::Status CommitSmall(const Shape& shape, const std::string& path, const Teller& teller) {
  STRATA_ASSIGN_OR_RETURN(Seams seams, OpenSeams(path));
  STRATA_ASSIGN_OR_RETURN(const Usage before, UsageAtRest(path));
  STRATA_ASSIGN_OR_RETURN(const int64_t allocated_before, AllocatedBytes(path));
  const Stopwatch watch;
  STRATA_RETURN_IF_ERROR(CommitAll(seams, shape));
  const double seconds = watch.Seconds();
  STRATA_ASSIGN_OR_RETURN(const Usage committed, UsageNow(path));
  const double blobs = static_cast<double>(shape.blobs);
  teller.Tell("commits/s", blobs / seconds);
  teller.Tell("CPU us", (committed - before).cpu_seconds / blobs * 1e6);
  seams.kv.reset();
  STRATA_ASSIGN_OR_RETURN(seams, OpenSeams(path));
  STRATA_ASSIGN_OR_RETURN(const Usage after, UsageAtRest(path));
  const double bytes = blobs * static_cast<double>(shape.size_bytes);
  teller.Tell("written/byte", static_cast<double>((after - before).written_bytes) / bytes);
  teller.Tell("disk/byte", static_cast<double>((after - before).device_bytes) / bytes);
  STRATA_ASSIGN_OR_RETURN(const int64_t allocated, AllocatedBytes(path));
  teller.Tell("kept/byte", static_cast<double>(allocated - allocated_before) / bytes);
  return CheckAll(seams, shape);
}

}  // namespace

absl::Status RunSmall(const Bench& bench) {
  for (const int threads : {1, 8}) {
    for (const size_t kib : {1, 4, 8, 16, 32, 64, 128, 256}) {
      for (const bool is_inline : {true, false}) {
        const Shape shape{is_inline, kib * 1024, threads, bench.Scaled(2000, 4)};
        STRATA_ASSIGN_OR_RETURN(const Folder folder, Folder::Make(bench, "small"));
        const std::string subject =
            absl::StrCat(kib, " KiB, ", threads, threads == 1 ? " thread, " : " threads, ", is_inline ? "inline" : "file");
        STRATA_RETURN_IF_ERROR(
            Measure(bench, "small", subject, [&](const Teller& teller) { return CommitSmall(shape, folder.path(), teller); }));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace strata::bench
