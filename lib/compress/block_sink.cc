#include "lib/compress/block_sink.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/status.h"

namespace strata::compress {

BlockSink::BlockSink(ByteSink& inner, const Options& options, const std::function<BlockTransform()>& make_transform)
    : inner_(inner), options_(options), slots_(static_cast<size_t>(std::max(options.threads, 0)) + 1) {
  STRATA_CHECK(options.block_bytes > 0);
  for (int i = 0; i < options.threads; ++i) {
    // A machine that has no threads left still gets its output, from the calling thread.
    try {
      workers_.emplace_back([this, transform = make_transform()] { Work(transform); });
    } catch (const std::system_error&) {
      break;
    }
  }
  if (workers_.empty()) inline_transform_ = make_transform();
}

BlockSink::~BlockSink() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  queued_.SignalAll();
  for (std::thread& worker : workers_) worker.join();
}

void BlockSink::Work(const BlockTransform& transform) {
  mutex_.Lock();
  while (true) {
    while (!stop_ && slots_[next_to_work_].state != State::kQueued) queued_.Wait(mutex_);
    if (stop_) break;
    Slot& slot = slots_[next_to_work_];
    // While it is kWorking the slot belongs to this worker alone, even when `next_to_work_` comes round to it again.
    slot.state = State::kWorking;
    next_to_work_ = (next_to_work_ + 1) % slots_.size();
    mutex_.Unlock();
    absl::StatusOr<size_t> size =
        transform(absl::string_view(slot.input.get(), slot.input_size), slot.output.get(), options_.output_capacity);
    mutex_.Lock();
    slot.output_size = std::move(size);
    slot.state = State::kDone;
    done_.SignalAll();
  }
  mutex_.Unlock();
}

absl::Status BlockSink::Fail(absl::Status status) {
  failure_ = status;
  return status;
}

void BlockSink::SubmitFilling() {
  Slot& slot = slots_[(oldest_ + in_flight_) % slots_.size()];
  any_block_ = true;
  ++in_flight_;
  if (slot.output == nullptr) slot.output.reset(new char[options_.output_capacity]);
  if (inline_transform_) {
    slot.output_size =
        inline_transform_(absl::string_view(slot.input.get(), slot.input_size), slot.output.get(), options_.output_capacity);
    MutexLock lock(mutex_);
    slot.state = State::kDone;
    return;
  }
  MutexLock lock(mutex_);
  slot.state = State::kQueued;
  queued_.SignalAll();
}

absl::Status BlockSink::WriteOldest(bool wait) {
  Slot& slot = slots_[oldest_];
  {
    MutexLock lock(mutex_);
    while (slot.state != State::kDone) {
      if (!wait) return absl::OkStatus();
      done_.Wait(mutex_);
    }
  }
  if (!slot.output_size.ok()) return Fail(slot.output_size.status());
  const absl::Status written = inner_.Write(absl::string_view(slot.output.get(), *slot.output_size));
  if (!written.ok()) return Fail(written);
  {
    MutexLock lock(mutex_);
    slot.state = State::kFilling;
  }
  slot.input_size = 0;
  oldest_ = (oldest_ + 1) % slots_.size();
  --in_flight_;
  return absl::OkStatus();
}

absl::Status BlockSink::Write(absl::string_view data) {
  STRATA_CHECK(!finished_);
  if (!failure_.ok()) return failure_;
  while (!data.empty()) {
    if (in_flight_ == slots_.size()) STRATA_RETURN_IF_ERROR(WriteOldest(/*wait=*/true));
    Slot& slot = slots_[(oldest_ + in_flight_) % slots_.size()];
    if (slot.input == nullptr) slot.input.reset(new char[options_.block_bytes]);
    const size_t n = std::min(data.size(), options_.block_bytes - slot.input_size);
    std::memcpy(slot.input.get() + slot.input_size, data.data(), n);
    slot.input_size += n;
    data.remove_prefix(n);
    if (slot.input_size < options_.block_bytes) continue;
    SubmitFilling();
    size_t before = 0;  // write what is ready, so that the receiver works while we compress
    do {
      before = in_flight_;
      STRATA_RETURN_IF_ERROR(WriteOldest(/*wait=*/false));
    } while (in_flight_ > 0 && in_flight_ < before);
  }
  return absl::OkStatus();
}

absl::Status BlockSink::Finish() {
  STRATA_CHECK(!finished_);
  finished_ = true;
  if (!failure_.ok()) return failure_;
  if (in_flight_ == slots_.size()) STRATA_RETURN_IF_ERROR(WriteOldest(/*wait=*/true));
  const bool has_rest = slots_[(oldest_ + in_flight_) % slots_.size()].input_size > 0;
  if (has_rest || !any_block_) SubmitFilling();
  while (in_flight_ > 0) STRATA_RETURN_IF_ERROR(WriteOldest(/*wait=*/true));
  return absl::OkStatus();
}

}  // namespace strata::compress
