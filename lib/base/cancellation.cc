#include "lib/base/cancellation.h"

#include <utility>

namespace strata {

void Cancellation::Cancel() {
  if (cancelled_.exchange(true, std::memory_order_acq_rel)) return;
  MutexLock lock(mutex_);
  for (auto& [id, callback] : callbacks_) callback();
  callbacks_.clear();
}

Cancellation::Registration Cancellation::OnCancel(std::function<void()> callback) {
  MutexLock lock(mutex_);
  if (cancelled()) {
    callback();
    return Registration();
  }
  const uint64_t id = next_id_++;
  callbacks_.emplace(id, std::move(callback));
  return Registration(this, id);
}

void Cancellation::Registration::Drop() {
  if (owner_ == nullptr) return;
  MutexLock lock(owner_->mutex_);
  owner_->callbacks_.erase(id_);
  owner_ = nullptr;
}

}  // namespace strata
