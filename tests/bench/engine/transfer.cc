// One blob of 1 GiB: pushed, left alone until nothing moves, compacted; read by another process in order, and in random ranges of 1 MiB.
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "tests/bench/engine/payload.h"
#include "tests/bench/engine/push.h"
#include "tests/bench/engine/scenario.h"
#include "tests/bench/engine/usage.h"

namespace strata::bench {

namespace {

constexpr uint64_t kId = 1;
constexpr size_t kReadBytes = kMiB;

absl::Status Write(const CandidateKind& kind, const std::string& path, uint64_t size, const Teller& teller) {
  const double bytes = static_cast<double>(size);
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Candidate> candidate, kind.open(path));
  STRATA_ASSIGN_OR_RETURN(const Usage before, UsageAtRest(path));
  STRATA_ASSIGN_OR_RETURN(const Pushed pushed, Push(*candidate, kId, {.size_bytes = size}));
  STRATA_ASSIGN_OR_RETURN(const Usage committed, UsageNow(path));
  teller.Tell("push GB/s", bytes / 1e9 / pushed.seconds);
  teller.Tell("push CPU s/GiB", (committed - before).cpu_seconds / bytes * kGiB);
  teller.Tell("commit ms", pushed.commit_seconds * 1e3);
  if (pushed.digest != DigestOfPayload(kId, size)) return absl::DataLossError("the digest is not that of the payload");
  STRATA_ASSIGN_OR_RETURN(const int64_t peak, PeakResidentBytes());
  teller.Tell("peak MiB", static_cast<double>(peak) / kMiB);
  if (!kind.keeps_blobs) return absl::OkStatus();

  STRATA_ASSIGN_OR_RETURN(const Usage checked, UsageNow(path));  // checking the digest cost CPU
  STRATA_RETURN_IF_ERROR(candidate->WaitForBackgroundWork());
  STRATA_ASSIGN_OR_RETURN(const Usage quiet, UsageAtRest(path));
  teller.Tell("written/byte", static_cast<double>((quiet - before).written_bytes) / bytes);
  teller.Tell("disk/byte", static_cast<double>((quiet - before).device_bytes) / bytes);
  STRATA_RETURN_IF_ERROR(candidate->Compact());
  STRATA_ASSIGN_OR_RETURN(const Usage compacted, UsageAtRest(path));
  teller.Tell("written/byte, compacted", static_cast<double>((compacted - before).written_bytes) / bytes);
  teller.Tell("CPU s/GiB, compacted", ((committed - before).cpu_seconds + (compacted - checked).cpu_seconds) / bytes * kGiB);
  return absl::OkStatus();
}

absl::Status ReadInOrder(Reader& reader, const std::string& path, const Teller& teller) {
  const double bytes = static_cast<double>(reader.size_bytes());
  std::vector<char> buffer(kReadBytes);
  STRATA_ASSIGN_OR_RETURN(const Usage before, UsageNow(path));
  const Stopwatch watch;
  for (uint64_t offset = 0; offset < reader.size_bytes(); offset += buffer.size()) {
    STRATA_RETURN_IF_ERROR(reader.ReadAt(offset, buffer.data(), std::min<uint64_t>(buffer.size(), reader.size_bytes() - offset)));
  }
  const double seconds = watch.Seconds();
  STRATA_ASSIGN_OR_RETURN(const Usage after, UsageNow(path));
  teller.Tell("read GB/s", bytes / 1e9 / seconds);
  teller.Tell("read CPU s/GiB", (after - before).cpu_seconds / bytes * kGiB);
  return absl::OkStatus();
}

absl::Status ReadRandomly(Reader& reader, const std::string& path, uint64_t count, const Teller& teller) {
  std::vector<char> buffer(kReadBytes);
  std::mt19937_64 random(1);
  std::uniform_int_distribution<uint64_t> grains(0, (reader.size_bytes() - kReadBytes) / kPayloadGrain);
  STRATA_ASSIGN_OR_RETURN(const Usage before, UsageNow(path));
  const Stopwatch watch;
  for (uint64_t i = 0; i < count; ++i) {
    STRATA_RETURN_IF_ERROR(reader.ReadAt(grains(random) * kPayloadGrain, buffer.data(), buffer.size()));
  }
  const double seconds = watch.Seconds();
  STRATA_ASSIGN_OR_RETURN(const Usage after, UsageNow(path));
  teller.Tell("1 MiB ranges/s", static_cast<double>(count) / seconds);
  teller.Tell("range CPU ms", (after - before).cpu_seconds / static_cast<double>(count) * 1e3);
  return absl::OkStatus();
}

absl::Status Read(const CandidateKind& kind, const std::string& path, uint64_t size, uint64_t ranges, const Teller& teller) {
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Candidate> candidate, kind.open(path));
  // Also brings everything into the page cache, for all alike.
  STRATA_RETURN_IF_ERROR(CheckBlob(*candidate, kId, size));
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Reader> reader, candidate->Open(kId));
  STRATA_RETURN_IF_ERROR(ReadInOrder(*reader, path, teller));
  return ReadRandomly(*reader, path, ranges, teller);
}

}  // namespace

absl::Status RunTransfer(const Bench& bench) {
  const uint64_t size = bench.ScaledBytes(1 << 30, 3 * kMiB);
  const uint64_t ranges = bench.Scaled(2000, 10);
  for (const CandidateKind& kind : bench.candidates) {
    STRATA_ASSIGN_OR_RETURN(const Folder folder, Folder::Make(bench, kind.name));
    STRATA_RETURN_IF_ERROR(
        Measure(bench, "transfer", kind.name, [&](const Teller& teller) { return Write(kind, folder.path(), size, teller); }));
    if (!kind.keeps_blobs) continue;
    STRATA_RETURN_IF_ERROR(Measure(bench, "transfer", kind.name,
                                   [&](const Teller& teller) { return Read(kind, folder.path(), size, ranges, teller); }));
  }
  return absl::OkStatus();
}

}  // namespace strata::bench
