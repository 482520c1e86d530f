// Removing ids from the real store, by their size: unlinked, then collected. 100 GiB worth of the largest, never more than 16 GiB at once.
//
// "allocated": a small blob whose extent file is then given the blocks of a large one (fallocate), as pushing 100 GiB would wear the disk
// for nothing; the file system frees these blocks as it frees any others. "written": really pushed, and still in the page cache,
// which removing has to empty too.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/call_context.h"
#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/blobstore/blob_store.h"
#include "services/store/engine/store_engine.h"
#include "tests/bench/engine/payload.h"
#include "tests/bench/engine/push.h"
#include "tests/bench/engine/scenario.h"
#include "tests/bench/engine/usage.h"

namespace strata::bench {

namespace {

constexpr char kRepository[] = "bench";
constexpr uint64_t kSmallestExtent = kPayloadGrain;  // more than the store keeps inline

class PayloadSource final : public ByteSource {
 public:
  PayloadSource(uint64_t id, uint64_t size_bytes) : id_(id), size_bytes_(size_bytes) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    const size_t n = std::min<uint64_t>(size, size_bytes_ - offset_);
    ThePayload().Fill(id_, offset_, buffer, n);
    offset_ += n;
    return n;
  }

 private:
  const uint64_t id_;
  const uint64_t size_bytes_;
  uint64_t offset_ = 0;
};

struct Shape {
  const char* name;
  uint64_t blob_bytes;
  bool is_written;
  uint64_t batch;  // blobs at once
  uint64_t batches;
};

absl::Status Grow(const std::string& path, uint64_t size) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, "open an extent");
  if (::fallocate(fd.get(), 0, 0, static_cast<off_t>(size)) != 0) return ErrnoStatus(errno, "allocate an extent");
  if (::fdatasync(fd.get()) != 0) return ErrnoStatus(errno, "sync an extent");
  return absl::OkStatus();
}

absl::Status GrowExtents(const std::string& data_dir, uint64_t size) {
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator entry(data_dir + "/extents", error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_regular_file(error)) STRATA_RETURN_IF_ERROR(Grow(entry->path(), size));
  }
  return error ? absl::InternalError(absl::StrCat("walk the extents: ", error.message())) : absl::OkStatus();
}

absl::StatusOr<std::vector<Digest>> Fill(store::StoreEngine& engine, const std::string& data_dir, const Shape& shape,
                                         uint64_t first_id) {
  const uint64_t pushed_bytes = shape.is_written ? shape.blob_bytes : kSmallestExtent;
  std::vector<Digest> digests;
  for (uint64_t id = first_id; id < first_id + shape.batch; ++id) {
    PayloadSource source(id, pushed_bytes);
    digests.push_back(DigestOfPayload(id, pushed_bytes));
    STRATA_RETURN_IF_ERROR(blobstore::UploadBlob(engine, CallContext(), kRepository, source, digests.back()));
  }
  if (!shape.is_written) STRATA_RETURN_IF_ERROR(GrowExtents(data_dir, shape.blob_bytes));
  return digests;
}

absl::Status Remove(store::StoreEngine& engine, const std::vector<Digest>& digests) {
  for (const Digest& digest : digests) STRATA_RETURN_IF_ERROR(engine.UnlinkBlob(CallContext(), kRepository, digest));
  STRATA_ASSIGN_OR_RETURN(const blobstore::GarbageReport report, engine.CollectDue());
  if (report.blobs_removed == static_cast<int64_t>(digests.size())) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the collector removed ", report.blobs_removed, " blobs instead of ", digests.size()));
}

absl::Status FillAndRemove(const Shape& shape, const std::string& path, const Teller& teller) {
  const SystemClock clock;
  store::EngineOptions options;
  options.data_dir = path + "/data";
  options.grace = absl::ZeroDuration();
  options.reserved_bytes = 0;
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<store::StoreEngine> engine, store::StoreEngine::Open(options, clock));
  STRATA_ASSIGN_OR_RETURN(const int64_t allocated_empty, AllocatedBytes(path));
  double seconds = 0;
  double cpu_seconds = 0;
  int64_t taken = 0;
  int64_t back = 0;
  int64_t free_gained = 0;
  for (uint64_t batch = 0; batch < shape.batches; ++batch) {
    STRATA_ASSIGN_OR_RETURN(const std::vector<Digest> digests, Fill(*engine, options.data_dir, shape, batch * shape.batch));
    STRATA_ASSIGN_OR_RETURN(const Usage before, UsageNow(path));
    STRATA_ASSIGN_OR_RETURN(const int64_t allocated_before, AllocatedBytes(path));
    STRATA_ASSIGN_OR_RETURN(const int64_t free_before, FreeBytes(path));
    const Stopwatch watch;
    STRATA_RETURN_IF_ERROR(Remove(*engine, digests));
    seconds += watch.Seconds();
    STRATA_ASSIGN_OR_RETURN(const Usage after, UsageNow(path));
    STRATA_ASSIGN_OR_RETURN(const int64_t free_after, FreeBytes(path));
    STRATA_ASSIGN_OR_RETURN(const int64_t allocated_after, AllocatedBytes(path));
    cpu_seconds += (after - before).cpu_seconds;
    taken += allocated_before - allocated_empty;
    back += allocated_before - allocated_after;
    free_gained += free_after - free_before;
  }
  const double ids = static_cast<double>(shape.batch * shape.batches);
  teller.Tell("ids", ids);
  teller.Tell("GiB", static_cast<double>(taken) / kGiB);
  teller.Tell("s", seconds);
  teller.Tell("ms an id", seconds / ids * 1e3);
  teller.Tell("CPU ms an id", cpu_seconds / ids * 1e3);
  teller.Tell("back %", static_cast<double>(back) / static_cast<double>(taken) * 100);
  teller.Tell("free space gained GiB", static_cast<double>(free_gained) / kGiB);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunDeleteCost(const Bench& bench) {
  const uint64_t gib = 1 << 30;
  const std::vector<Shape> shapes = {
      {"1 MiB, allocated", kMiB, false, bench.Scaled(2000, 8), 1},
      {"64 MiB, allocated", 64 * kMiB, false, bench.Scaled(200, 4), 1},
      {"1 GiB, allocated", bench.ScaledBytes(gib, 64 * kMiB), false, bench.Scaled(16, 2), bench.Scaled(7, 1)},
      {"1 MiB, written", kMiB, true, bench.Scaled(2000, 8), 1},
      {"64 MiB, written", bench.ScaledBytes(64 * kMiB, kMiB), true, bench.Scaled(32, 2), 1},
      {"1 GiB, written", bench.ScaledBytes(gib, kMiB), true, bench.Scaled(4, 1), 1},
  };
  for (const Shape& shape : shapes) {
    STRATA_ASSIGN_OR_RETURN(const Folder folder, Folder::Make(bench, "delete"));
    STRATA_RETURN_IF_ERROR(
        Measure(bench, "delete", shape.name, [&](const Teller& teller) { return FillAndRemove(shape, folder.path(), teller); }));
  }
  return absl::OkStatus();
}

}  // namespace strata::bench
