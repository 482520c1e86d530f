#include "lib/service/run.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "absl/time/clock.h"
#include "lib/base/mutex.h"
#include "lib/log/log.h"

namespace strata::service {

namespace {

constexpr absl::Duration kGraceBehindLimit = absl::Seconds(5);
constexpr absl::Duration kLookEvery = absl::Milliseconds(20);

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// 0 when none came in time.
int WaitForSignal(absl::Duration limit) {
  const sigset_t set = StopSignals();
  const timespec timeout = absl::ToTimespec(limit);
  while (true) {
    const int signal = limit == absl::InfiniteDuration() ? sigwaitinfo(&set, nullptr) : sigtimedwait(&set, nullptr, &timeout);
    if (signal > 0) return signal;
    if (errno != EINTR) return 0;
  }
}

class Drain {
 public:
  Drain(const std::function<void(absl::Duration)>& drain, absl::Duration limit) : thread_([this, drain, limit] {
    drain(limit);
    MutexLock lock(mutex_);
    is_done_ = true;
  }) {}
  ~Drain() { thread_.join(); }
  bool is_done() {
    MutexLock lock(mutex_);
    return is_done_;
  }

 private:
  Mutex mutex_;
  bool is_done_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace

void PrepareSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

int Run(const RunOptions& options, Readiness& readiness, const std::function<void(absl::Duration)>& drain) {
  readiness.SetReady();
  const int signal = WaitForSignal(absl::InfiniteDuration());
  readiness.SetNotReady("draining");
  const absl::Time start = absl::Now();
  log::Info("draining", {{"service", options.name}, {"signal", signal}, {"limit", options.drain_limit}});
  {
    Drain running(drain, options.drain_limit);
    while (!running.is_done()) {
      const bool is_late = absl::Now() - start > options.drain_limit + kGraceBehindLimit;
      if (WaitForSignal(kLookEvery) == 0 && !is_late) continue;
      log::Error(is_late ? "drain did not end in time; exiting" : "second signal; exiting at once", {{"service", options.name}});
      // Threads still run: unwinding would pull the ground from under them.
      ::_exit(1);
    }
  }
  log::Info("stopped", {{"service", options.name}, {"took", absl::Now() - start}});
  return 0;
}

}  // namespace strata::service
