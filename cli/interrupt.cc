#include "cli/interrupt.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "cli/exit_code.h"

namespace strata::cli {
namespace {

constexpr int kLookEveryMs = 100;
// Shows the cursor again: the live view may have hidden it.
constexpr char kShowCursor[] = "\x1b[?25h";

}  // namespace

InterruptWatcher::InterruptWatcher(Cancellation& cancellation) : cancellation_(cancellation) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A reader that goes away is an error of write(2), not the end of us.
  ::signal(SIGPIPE, SIG_IGN);
  signals_.Reset(::signalfd(-1, &signals, SFD_CLOEXEC));
  stop_.Reset(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this] { Watch(); });
}

InterruptWatcher::~InterruptWatcher() {
  const uint64_t one = 1;
  // Cannot fail: the counter is at zero.
  while (::write(stop_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
  }
  thread_.join();
}

void InterruptWatcher::Watch() {
  for (;;) {
    pollfd waits[] = {{.fd = signals_.get(), .events = POLLIN, .revents = 0}, {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    if (::poll(waits, 2, -1) < 0) continue;
    if (waits[1].revents != 0) return;
    signalfd_siginfo info;
    if (::read(signals_.get(), &info, sizeof(info)) != sizeof(info)) continue;
    if (cancellation_.cancelled()) {
      if (::isatty(STDERR_FILENO) == 1) WriteFully(STDERR_FILENO, kShowCursor).IgnoreError();
      ::_exit(static_cast<int>(ExitCode::kInterrupted));
    }
    cancellation_.Cancel();
  }
}

absl::StatusOr<size_t> InterruptibleSource::Read(char* buffer, size_t size) {
  for (;;) {
    if (cancellation_.cancelled()) return absl::CancelledError("interrupted while reading standard input");
    pollfd wait = {.fd = fd_, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wait, 1, kLookEveryMs);
    // Files are always ready; a descriptor that poll(2) cannot watch is for read(2) to judge.
    if (ready > 0 || (ready < 0 && errno != EINTR)) return source_.Read(buffer, size);
  }
}

}  // namespace strata::cli
