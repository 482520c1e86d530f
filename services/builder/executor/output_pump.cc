#include "services/builder/executor/output_pump.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/time/clock.h"
#include "lib/base/status.h"

namespace strata::executor {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;
constexpr size_t kHeadBytes = 1024;
constexpr absl::Duration kLongestPoll = absl::Minutes(10);

class Pump {
 public:
  Pump(const SandboxProcess& process, const OutputSink& output) : process_(process), output_(output), buffer_(new char[kBufferBytes]) {}

  absl::StatusOr<PumpResult> Run(absl::Time deadline) {
    while (!ended_) STRATA_RETURN_IF_ERROR(Turn(deadline));
    // Every process of the sandbox is gone now, so what the pipes hold is all there will ever be. Waiting for end-of-file instead
    // could hang on a copy of the write end in a process that another thread is about to start.
    while (ReadOnce(1)) {
    }
    while (ReadOnce(2)) {
    }
    return std::move(result_);
  }

 private:
  absl::Status Turn(absl::Time deadline) {
    pollfd fds[3] = {{.fd = output_open_ ? process_.output_fd() : -1, .events = POLLIN, .revents = 0},
                     {.fd = error_open_ ? process_.error_fd() : -1, .events = POLLIN, .revents = 0},
                     {.fd = process_.pid_fd(), .events = POLLIN, .revents = 0}};
    if (::poll(fds, 3, TimeoutMillis(deadline)) < 0 && errno != EINTR) return ErrnoStatus(errno, "waiting for a step's output");
    if (fds[0].revents != 0) (void)ReadOnce(1);
    if (fds[1].revents != 0) (void)ReadOnce(2);
    ended_ = fds[2].revents != 0;
    if (!ended_ && !result_.timed_out && absl::Now() >= deadline) {
      result_.timed_out = true;
      process_.Kill();
    }
    return absl::OkStatus();
  }

  int TimeoutMillis(absl::Time deadline) const {
    if (result_.timed_out) return -1;
    const absl::Duration left = std::clamp(deadline - absl::Now(), absl::ZeroDuration(), kLongestPoll);
    return static_cast<int>(absl::ToInt64Milliseconds(left)) + 1;
  }

  // False when there is nothing to read now, or never again.
  bool ReadOnce(int stream) {
    bool& open = stream == 1 ? output_open_ : error_open_;
    if (!open) return false;
    const ssize_t count = ::read(stream == 1 ? process_.output_fd() : process_.error_fd(), buffer_.get(), kBufferBytes);
    if (count < 0 && errno == EINTR) return true;
    if (count < 0 && errno == EAGAIN) return false;
    if (count <= 0) {
      open = false;
      return false;
    }
    const absl::string_view data(buffer_.get(), static_cast<size_t>(count));
    if (stream == 2) KeepHead(data);
    if (output_) output_(stream, data);
    return true;
  }

  void KeepHead(absl::string_view data) {
    const size_t room = kHeadBytes - result_.error_head.size();
    result_.error_head.append(data.data(), std::min(room, data.size()));
    if (data.size() > room) result_.error_is_whole = false;
  }

  const SandboxProcess& process_;
  const OutputSink& output_;
  std::unique_ptr<char[]> buffer_;
  PumpResult result_;
  bool output_open_ = true;
  bool error_open_ = true;
  bool ended_ = false;
};

}  // namespace

absl::StatusOr<PumpResult> PumpOutput(const SandboxProcess& process, absl::Time deadline, const OutputSink& output) {
  return Pump(process, output).Run(deadline);
}

}  // namespace strata::executor
