#include "services/store/ingest/hash_pipeline.h"

#include <utility>

namespace strata::store {

HashPipeline::HashPipeline(ContentHasher hasher) : hasher_(std::move(hasher)) {
  for (Buffer& buffer : buffers_) {
    buffer.bytes = std::make_unique<char[]>(kStreamChunkBytes);
    free_.push_back(&buffer);
  }
  thread_ = std::thread([this] { Run(); });
}

HashPipeline::~HashPipeline() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

HashPipeline::Buffer* HashPipeline::Acquire() {
  MutexLock lock(mutex_);
  while (free_.empty()) changed_.Wait(mutex_);
  Buffer* buffer = free_.front();
  free_.pop_front();
  buffer->size = 0;
  return buffer;
}

void HashPipeline::Submit(Buffer* buffer) {
  MutexLock lock(mutex_);
  submitted_.push_back(buffer);
  changed_.SignalAll();
}

const ContentHasher& HashPipeline::Drain() {
  MutexLock lock(mutex_);
  while (!submitted_.empty()) changed_.Wait(mutex_);
  return hasher_;
}

void HashPipeline::Run() {
  mutex_.Lock();
  while (true) {
    while (submitted_.empty() && !ending_) changed_.Wait(mutex_);
    if (submitted_.empty()) break;
    Buffer* buffer = submitted_.front();
    mutex_.Unlock();
    hasher_.Update(buffer->view());
    mutex_.Lock();
    submitted_.pop_front();
    free_.push_back(buffer);
    changed_.SignalAll();
  }
  mutex_.Unlock();
}

}  // namespace strata::store
