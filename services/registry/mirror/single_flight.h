// Many callers, one piece of work: whoever asks while it runs waits for its result.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "lib/base/mutex.h"

namespace strata::registry::mirror {

// Thread-safe. `Result` is copied to each caller.
template <typename Result>
class SingleFlight {
 public:
  // Runs `work` on this thread, or waits for another thread that does it for the same key.
  Result Do(const std::string& key, const std::function<Result()>& work) {
    std::shared_ptr<Flight> flight;
    {
      MutexLock lock(mutex_);
      std::shared_ptr<Flight>& entry = flights_[key];
      if (entry != nullptr) return Wait(entry);
      entry = flight = std::make_shared<Flight>();
    }
    Result result = work();
    MutexLock lock(mutex_);
    flight->result = result;
    flights_.erase(key);
    landed_.SignalAll();
    return result;
  }

 private:
  struct Flight {
    std::optional<Result> result;
  };

  // By value: the map's entry goes when the flight lands.
  Result Wait(std::shared_ptr<Flight> flight) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!flight->result) landed_.Wait(mutex_);
    return *flight->result;
  }

  Mutex mutex_;
  CondVar landed_;
  std::map<std::string, std::shared_ptr<Flight>> flights_ ABSL_GUARDED_BY(mutex_);  // shared with those who wait
};

}  // namespace strata::registry::mirror
