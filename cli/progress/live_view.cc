#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/output/human.h"
#include "cli/progress/frame.h"
#include "cli/progress/progress_view.h"
#include "cli/progress/step_board.h"
#include "lib/base/mutex.h"

namespace strata::cli {
namespace {

constexpr absl::Duration kRedrawEvery = absl::Milliseconds(100);
constexpr size_t kMaxWarnings = 10;

// Update() only notes what came; a thread of its own draws, so that a slow terminal never holds up the build.
class LiveView final : public ProgressView {
 public:
  LiveView(ByteSink& out, const Clock& clock, ProgressOptions options)
      : out_(out), clock_(clock), options_(std::move(options)), started_(clock.Now()), painter_([this] { Paint(); }) {}

  ~LiveView() override { Finish(); }

  void Update(const builder::v1::Progress& progress) override {
    MutexLock lock(mutex_);
    board_.Apply(progress, clock_.Now());
    for (const auto& warning : progress.warnings()) {
      if (warnings_.size() >= kMaxWarnings) break;
      const std::string place = warning.first_line() > 0 ? absl::StrCat(" (", warning.file(), ":", warning.first_line(), ")") : "";
      warnings_.push_back(CleanLine(absl::StrCat(warning.rule(), ": ", warning.message(), place), false));
    }
  }

  void Finish() override {
    if (!painter_.joinable()) return;
    {
      MutexLock lock(mutex_);
      finished_ = true;
    }
    changed_.Signal();
    painter_.join();
    Draw(/*final=*/true);
    out_.Write("\x1b[?25h").IgnoreError();
  }

 private:
  void Paint() {
    out_.Write("\x1b[?25l").IgnoreError();
    for (;;) {
      Draw(/*final=*/false);
      MutexLock lock(mutex_);
      if (!finished_) changed_.WaitFor(mutex_, kRedrawEvery);
      if (finished_) return;
    }
  }

  void Draw(bool final) {
    const TerminalSize size = options_.terminal_size ? options_.terminal_size() : TerminalSize{};
    std::vector<std::string> lines;
    {
      MutexLock lock(mutex_);
      lines = DrawFrame(board_, size,
                        {.title = options_.title, .utf8 = options_.utf8, .final = final, .started = started_, .now = clock_.Now(),
                         .warnings = warnings_});
      // Nothing ever happened: the error that follows says all there is.
      if (final && board_.steps().empty()) lines.clear();
    }
    // Up to the first line of the last picture, over it line by line, then away with what is left of it.
    std::string text = drawn_lines_ == 0 ? "\r" : absl::StrCat("\r\x1b[", drawn_lines_, "A");
    for (const std::string& line : lines) absl::StrAppend(&text, line, "\x1b[K\n");
    absl::StrAppend(&text, "\x1b[J");
    drawn_lines_ = lines.size();
    out_.Write(text).IgnoreError();
  }

  ByteSink& out_;
  const Clock& clock_;
  const ProgressOptions options_;
  const absl::Time started_;
  size_t drawn_lines_ = 0;  // the painter's, and Finish()'s once that has ended
  Mutex mutex_;
  CondVar changed_;
  StepBoard board_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> warnings_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread painter_;  // last: it starts when all else is there
};

}  // namespace

std::unique_ptr<ProgressView> MakeLiveView(ByteSink& out, const Clock& clock, ProgressOptions options) {
  return std::make_unique<LiveView>(out, clock, std::move(options));
}

}  // namespace strata::cli
