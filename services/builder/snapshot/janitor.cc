#include "services/builder/snapshot/janitor.h"

#include <utility>

namespace strata::snapshot {

Janitor::Janitor(StoreDir& dir) : dir_(dir), thread_([this] { Run(); }) {}

Janitor::~Janitor() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void Janitor::Delete(std::string relative) {
  MutexLock lock(mutex_);
  queue_.push_back(std::move(relative));
  changed_.SignalAll();
}

void Janitor::DrainForTest() {
  MutexLock lock(mutex_);
  while (busy_ || !queue_.empty()) changed_.Wait(mutex_);
}

void Janitor::Run() {
  while (true) {
    std::string next;
    {
      MutexLock lock(mutex_);
      busy_ = false;
      changed_.SignalAll();
      while (queue_.empty() && !stopping_) changed_.Wait(mutex_);
      if (stopping_) return;
      next = std::move(queue_.front());
      queue_.pop_front();
      busy_ = true;
    }
    // What cannot be deleted stays in t/, where the next start tries again.
    (void)dir_.Delete(next);
  }
}

}  // namespace strata::snapshot
