#include "cli/progress/frame.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cli/output/human.h"

namespace strata::cli {
namespace {

constexpr size_t kLogLines = 4;
// Below this the times at the right edge would eat the names.
constexpr int kNarrowColumns = 40;

class Painter {
 public:
  Painter(const TerminalSize& size, const FrameOptions& options)
      : columns_(std::max(size.columns - 1, 10)), rows_(std::max(size.rows - 1, 3)), options_(options) {}

  std::vector<std::string> Draw(const StepBoard& board) {
    std::vector<const BoardStep*> steps;
    for (const BoardStep& step : board.steps()) {
      if (step.ended() || step.running()) steps.push_back(&step);
    }
    lines_.push_back(Fit(absl::StrCat(options_.title, " ", HumanDuration(options_.now - options_.started), "  ", board.ended_count(), "/",
                                      board.steps().size(), " steps")));
    HideWhatDoesNotFit(steps);
    if (hidden_ > 0) lines_.push_back(Fit(absl::StrCat("  ", options_.utf8 ? "\u2026" : "...", " ", hidden_, " more")));
    for (const BoardStep* step : steps) DrawStep(*step);
    for (const std::string& warning : options_.warnings) lines_.push_back(Fit(absl::StrCat("  ! ", warning)));
    if (!options_.final && lines_.size() > rows_) lines_.resize(rows_);
    return std::move(lines_);
  }

 private:
  std::string Fit(absl::string_view text) const { return FitWidth(text, columns_, options_.utf8); }

  // Drops ended steps, the oldest first, until the picture fits; then output lines; then what ran last.
  void HideWhatDoesNotFit(std::vector<const BoardStep*>& steps) {
    if (options_.final) return;
    const auto height = [&] {
      size_t lines = 1 + (hidden_ > 0 ? 1 : 0) + options_.warnings.size();
      for (const BoardStep* step : steps) lines += 1 + DetailLines(*step).size();
      return lines;
    };
    while (height() > rows_) {
      const auto ended = std::find_if(steps.begin(), steps.end(), [](const BoardStep* step) { return !step->running(); });
      if (ended != steps.end()) {
        steps.erase(ended);
        ++hidden_;
      } else if (log_lines_ > 0) {
        --log_lines_;
      } else if (steps.size() > 1) {
        steps.pop_back();
        ++hidden_;
      } else {
        return;
      }
    }
  }

  void DrawStep(const BoardStep& step) {
    const std::string time = TimeOf(step);
    const std::string left = absl::StrCat("  ", Mark(step), " ", step.name);
    if (columns_ < kNarrowColumns) {
      lines_.push_back(Fit(left));
    } else {
      const int room = columns_ - static_cast<int>(time.size()) - 2;
      const std::string fitted = FitWidth(left, room, options_.utf8);
      lines_.push_back(absl::StrCat(fitted, std::string(columns_ - DisplayWidth(fitted) - time.size(), ' '), time));
    }
    for (const std::string& line : DetailLines(step)) lines_.push_back(Fit(line));
  }

  std::vector<std::string> DetailLines(const BoardStep& step) const {
    std::vector<std::string> lines;
    const bool failed = step.state == builder::v1::STEP_STATE_FAILED;
    if (!step.transfer.empty() && (step.running() || failed)) lines.push_back(absl::StrCat("      ", step.transfer));
    if (!step.running() && !failed) return lines;
    const size_t kept = failed ? step.last_lines.size() : std::min(step.last_lines.size(), log_lines_);
    for (size_t i = step.last_lines.size() - kept; i < step.last_lines.size(); ++i) {
      lines.push_back(absl::StrCat("      ", options_.utf8 ? "\u2502" : "|", " ", step.last_lines[i]));
    }
    return lines;
  }

  std::string TimeOf(const BoardStep& step) const {
    switch (step.state) {
      case builder::v1::STEP_STATE_CACHED:
        return "cached";
      case builder::v1::STEP_STATE_CANCELLED:
        return "cancelled";
      case builder::v1::STEP_STATE_RUNNING:
        return HumanDuration(options_.now - step.seen_running.value_or(options_.now));
      default:
        return HumanDuration(step.took);
    }
  }

  absl::string_view Mark(const BoardStep& step) const {
    switch (step.state) {
      case builder::v1::STEP_STATE_RUNNING:
        return options_.utf8 ? "\u25b8" : ">";
      case builder::v1::STEP_STATE_FAILED:
        return options_.utf8 ? "\u2717" : "x";
      case builder::v1::STEP_STATE_CANCELLED:
        return "-";
      default:
        return options_.utf8 ? "\u2713" : "+";
    }
  }

  const int columns_;
  const size_t rows_;
  const FrameOptions& options_;
  std::vector<std::string> lines_;
  size_t log_lines_ = kLogLines;
  size_t hidden_ = 0;
};

}  // namespace

std::vector<std::string> DrawFrame(const StepBoard& board, const TerminalSize& size, const FrameOptions& options) {
  return Painter(size, options).Draw(board);
}

}  // namespace strata::cli
