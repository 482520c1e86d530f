#include "services/builder/layer/background_hasher.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "lib/bytes/byte_stream.h"

namespace strata::layer {

BackgroundHasher::BackgroundHasher(DigestAlgorithm algorithm) : hasher_(algorithm) {
  // Without a thread to be had, the caller hashes.
  try {
    worker_ = std::thread([this] { Work(); });
  } catch (const std::system_error&) {
  }
}

BackgroundHasher::~BackgroundHasher() { Stop(); }

void BackgroundHasher::Work() {
  while (true) {
    std::string chunk;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !ended_) changed_.Wait(mutex_);
      if (queue_.empty()) return;
      chunk = std::move(queue_.front());
      queue_.pop_front();
      changed_.SignalAll();
    }
    hasher_.Update(chunk);
    chunk.clear();
    MutexLock lock(mutex_);
    spare_.push_back(std::move(chunk));
  }
}

void BackgroundHasher::Update(absl::string_view data) {
  if (!worker_.joinable()) {
    hasher_.Update(data);
    return;
  }
  while (!data.empty()) {
    if (filling_.capacity() < kStreamChunkBytes) filling_.reserve(kStreamChunkBytes);
    const size_t n = std::min(data.size(), kStreamChunkBytes - filling_.size());
    filling_.append(data.data(), n);
    data.remove_prefix(n);
    if (filling_.size() == kStreamChunkBytes) Submit();
  }
}

void BackgroundHasher::Submit() {
  MutexLock lock(mutex_);
  while (queue_.size() >= kMaxQueued) changed_.Wait(mutex_);
  queue_.push_back(std::move(filling_));
  changed_.SignalAll();
  filling_ = std::string();
  if (spare_.empty()) return;
  filling_ = std::move(spare_.front());
  spare_.pop_front();
}

void BackgroundHasher::Stop() {
  if (!worker_.joinable()) return;
  {
    MutexLock lock(mutex_);
    ended_ = true;
  }
  changed_.SignalAll();
  worker_.join();
}

Digest BackgroundHasher::Finish() {
  if (worker_.joinable() && !filling_.empty()) Submit();
  Stop();
  return hasher_.Finish();
}

}  // namespace strata::layer
