#include "services/store/scrub/scrubber.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/quarantine.h"
#include "services/store/engine/record.h"

namespace strata::store {

namespace {

constexpr size_t kBatchRows = 64;
constexpr int64_t kBatchBytes = 64 << 20;
constexpr absl::Duration kLookEvery = absl::Minutes(10);  // whether a cycle is due
constexpr absl::Duration kRestAfterError = absl::Minutes(1);

// Neither is needed for correctness, and a container may forbid them.
void BecomeIdle() {
  constexpr int kWhoProcess = 1;
  constexpr int kClassIdle = 3 << 13;
  ::syscall(SYS_ioprio_set, kWhoProcess, 0, kClassIdle);
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 19);
}

}  // namespace

std::string ScrubProgress::Encode() const {
  RecordWriter out;
  out.U8(1).U64(static_cast<uint64_t>(cycle)).U8(is_deep ? 1 : 0).Time(started).Time(ended.value_or(absl::UnixEpoch()));
  out.U64(static_cast<uint64_t>(blobs)).U64(static_cast<uint64_t>(bytes)).U64(static_cast<uint64_t>(damaged)).Text(place);
  return out.Take();
}

absl::StatusOr<ScrubProgress> ScrubProgress::Decode(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  ScrubProgress progress;
  progress.cycle = static_cast<int64_t>(in.U64());
  progress.is_deep = in.U8() != 0;
  progress.started = in.Time();
  const absl::Time ended = in.Time();
  if (ended > absl::UnixEpoch()) progress.ended = ended;
  progress.blobs = static_cast<int64_t>(in.U64());
  progress.bytes = static_cast<int64_t>(in.U64());
  progress.damaged = static_cast<int64_t>(in.U64());
  progress.place = in.Text();
  STRATA_RETURN_IF_ERROR(in.Finish("the scrubber's place"));
  if (version != 1) return absl::DataLossError("metadata is damaged: the scrubber's place has an unknown version");
  return progress;
}

absl::StatusOr<ScrubProgress> Scrubber::Progress() const {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row, core_.kv.Get(Table::kFacts, keys::ScrubProgress()));
  if (!row) return ScrubProgress();
  return ScrubProgress::Decode(*row);
}

int64_t Scrubber::bytes_read() const {
  MutexLock lock(mutex_);
  return bytes_read_;
}

absl::Status Scrubber::Save(const ScrubProgress& progress) {
  return InTransaction(core_.kv, Durability::kBuffered, [&](Transaction& transaction) {
    return transaction.Put(Table::kFacts, keys::ScrubProgress(), progress.Encode());
  });
}

absl::StatusOr<bool> Scrubber::Step() {
  const absl::Time now = core_.clock.Now();
  STRATA_ASSIGN_OR_RETURN(ScrubProgress progress, Progress());
  const bool is_idle = progress.cycle == 0 || progress.ended.has_value();
  if (is_idle) {
    if (progress.cycle > 0 && now < progress.started + options_.every) return false;
    ScrubProgress next;
    next.cycle = progress.cycle + 1;
    next.is_deep = next.cycle % options_.deep_every == 0;
    next.started = now;
    progress = std::move(next);
  }
  STRATA_ASSIGN_OR_RETURN(const bool has_more, ReadBatch(&progress));
  if (!has_more) progress.ended = core_.clock.Now();
  STRATA_RETURN_IF_ERROR(Save(progress));
  return has_more;
}

absl::StatusOr<bool> Scrubber::ReadBatch(ScrubProgress* progress) {
  const std::string prefix = keys::Blobs();
  std::vector<std::pair<std::string, std::string>> rows;
  {
    const std::unique_ptr<Reader> snapshot = core_.kv.Snapshot();
    const std::string start = progress->place.empty() ? "" : keys::After(prefix + progress->place);
    const std::unique_ptr<Cursor> cursor = snapshot->Scan(Table::kFacts, prefix, start);
    for (; cursor->valid() && rows.size() < kBatchRows; cursor->Next()) rows.emplace_back(cursor->key(), cursor->value());
    STRATA_RETURN_IF_ERROR(cursor->status());
  }
  const int64_t stop_at = progress->bytes + kBatchBytes;
  for (const auto& [key, value] : rows) {
    const absl::Status status = ReadBlob(key, value, progress);
    if (absl::IsCancelled(status)) {
      STRATA_RETURN_IF_ERROR(Save(*progress));
      return status;
    }
    STRATA_RETURN_IF_ERROR(status);
    progress->place = key.substr(prefix.size());
    core_.AtCommitPoint("scrub.blob_read");
    if (progress->bytes >= stop_at) return true;
  }
  return rows.size() == kBatchRows;
}

absl::Status Scrubber::ReadBlob(const std::string& key, absl::string_view value, ScrubProgress* progress) {
  STRATA_ASSIGN_OR_RETURN(const Digest digest, keys::DigestBehind(keys::Blobs(), key));
  STRATA_ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(value));
  if (row.is_quarantined) {
    // One that an older version found has no note yet.
    return QuarantineBlob(core_, digest, row.id, "found damaged by an earlier version").status();
  }
  const Depth depth = progress->is_deep ? Depth::kDigest : Depth::kChecksums;
  STRATA_ASSIGN_OR_RETURN(const Examination found,
                          ExamineBlob(core_, digest, row, depth, [this](size_t bytes) { return WaitFor(bytes); }));
  progress->blobs += 1;
  progress->bytes += static_cast<int64_t>(row.size_bytes);
  if (found.verdict == Examination::Verdict::kDamaged) progress->damaged += 1;
  return absl::OkStatus();
}

absl::Status Scrubber::WaitFor(size_t bytes) {
  MutexLock lock(mutex_);
  while (!stopping_) {
    const absl::Time now = absl::Now();
    if (next_read_ <= now) {
      // A pause earns nothing: after it the rate is what it was before.
      next_read_ = std::max(next_read_, now);
      if (is_enabled()) next_read_ += absl::Seconds(static_cast<double>(bytes) / static_cast<double>(options_.bytes_per_second));
      bytes_read_ += static_cast<int64_t>(bytes);
      return absl::OkStatus();
    }
    changed_.WaitFor(mutex_, next_read_ - now);
  }
  return absl::CancelledError("the scrubber is stopping");
}

bool Scrubber::Rest(absl::Duration duration) {
  const absl::Time end = absl::Now() + duration;
  MutexLock lock(mutex_);
  while (!stopping_) {
    const absl::Time now = absl::Now();
    if (now >= end) return true;
    changed_.WaitFor(mutex_, end - now);
  }
  return false;
}

void Scrubber::Start() {
  if (!is_enabled() || thread_.joinable()) return;
  thread_ = std::thread([this] { Loop(); });
}

void Scrubber::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Scrubber::Loop() {
  BecomeIdle();
  absl::Duration rest;
  while (Rest(rest)) {
    const absl::StatusOr<bool> has_more = Step();
    if (absl::IsCancelled(has_more.status())) return;
    if (!has_more.ok() && core_.options.on_background_error) core_.options.on_background_error(has_more.status());
    rest = !has_more.ok() ? kRestAfterError : *has_more ? absl::ZeroDuration() : kLookEvery;
  }
}

}  // namespace strata::store
