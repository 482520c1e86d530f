#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "cli/output/human.h"
#include "cli/progress/progress_view.h"
#include "cli/progress/step_board.h"

namespace strata::cli {
namespace {

// A long transfer shows that it lives, without filling the log.
constexpr absl::Duration kTransferEvery = absl::Seconds(5);

class PlainView final : public ProgressView {
 public:
  PlainView(ByteSink& out, const Clock& clock) : out_(out), clock_(clock) {}

  void Update(const builder::v1::Progress& progress) override {
    const absl::Time now = clock_.Now();
    board_.Apply(progress, now);
    for (const auto& warning : progress.warnings()) Warn(warning);
    for (const auto& step : progress.steps()) {
      if (step.state() == builder::v1::STEP_STATE_RUNNING) Announce(step.id());
    }
    for (const auto& log : progress.logs()) Log(log, now);
    for (const auto& bytes : progress.bytes()) Transfer(bytes, now);
    for (const auto& step : progress.steps()) {
      if (step.state() >= builder::v1::STEP_STATE_DONE) End(step.id());
    }
    Flush();
  }

  void Finish() override {
    for (auto& [id, open] : open_lines_) {
      if (!open.empty()) LogLine(id, clock_.Now(), std::exchange(open, ""));
    }
    Flush();
  }

 private:
  // Steps run side by side: an empty line tells where the talk passes from one to another.
  void Line(uint32_t id, absl::string_view text) {
    if (last_id_.has_value() && *last_id_ != id) text_.push_back('\n');
    last_id_ = id;
    absl::StrAppend(&text_, "#", id, " ", text, "\n");
  }

  void Announce(uint32_t id) {
    if (announced_.insert(id).second) Line(id, board_.Find(id)->name);
  }

  void Log(const builder::v1::StepLog& log, absl::Time now) {
    Announce(log.step_id());
    for (std::string& line : TakeLines(open_lines_[log.step_id()], log.data())) LogLine(log.step_id(), now, std::move(line));
  }

  void LogLine(uint32_t id, absl::Time now, std::string line) {
    const BoardStep* step = board_.Find(id);
    const absl::Duration since = step->seen_running.has_value() ? now - *step->seen_running : absl::ZeroDuration();
    Line(id, absl::StrCat(absl::StrFormat("%.2f ", absl::ToDoubleSeconds(since)), CleanLine(line, true)));
  }

  void Transfer(const builder::v1::StepBytes& bytes, absl::Time now) {
    const auto [shown, is_new] = transfer_shown_.emplace(bytes.step_id(), now);
    if (is_new || now - shown->second < kTransferEvery) return;
    shown->second = now;
    Announce(bytes.step_id());
    Line(bytes.step_id(), DescribeBytes(bytes));
  }

  void End(uint32_t id) {
    if (!ended_.insert(id).second) return;
    Announce(id);
    const auto open = open_lines_.find(id);
    if (open != open_lines_.end() && !open->second.empty()) LogLine(id, clock_.Now(), std::exchange(open->second, ""));
    open_lines_.erase(id);
    const BoardStep& step = *board_.Find(id);
    if (!step.transfer.empty()) Line(id, step.transfer);
    switch (step.state) {
      case builder::v1::STEP_STATE_CACHED:
        return Line(id, "CACHED");
      case builder::v1::STEP_STATE_CANCELLED:
        return Line(id, "CANCELLED");
      case builder::v1::STEP_STATE_FAILED:
        for (const absl::string_view line : absl::StrSplit(step.error, '\n')) Line(id, absl::StrCat("ERROR ", CleanLine(line, true)));
        return;
      default:
        return Line(id, absl::StrCat("DONE ", HumanDuration(step.took)));
    }
  }

  void Warn(const builder::v1::Warning& warning) {
    last_id_.reset();
    absl::StrAppend(&text_, "WARNING ", warning.rule(), ": ", CleanLine(warning.message(), false));
    if (warning.first_line() > 0) absl::StrAppend(&text_, " (", CleanLine(warning.file(), false), ":", warning.first_line(), ")");
    text_.push_back('\n');
  }

  void Flush() {
    if (!text_.empty()) out_.Write(std::exchange(text_, "")).IgnoreError();
  }

  ByteSink& out_;
  const Clock& clock_;
  StepBoard board_;
  std::string text_;
  std::optional<uint32_t> last_id_;
  std::set<uint32_t> announced_;
  std::set<uint32_t> ended_;
  std::map<uint32_t, std::string> open_lines_;
  std::map<uint32_t, absl::Time> transfer_shown_;
};

class QuietView final : public ProgressView {
 public:
  void Update(const builder::v1::Progress&) override {}
  void Finish() override {}
};

}  // namespace

std::unique_ptr<ProgressView> MakePlainView(ByteSink& out, const Clock& clock) { return std::make_unique<PlainView>(out, clock); }

std::unique_ptr<ProgressView> MakeQuietView() { return std::make_unique<QuietView>(); }

}  // namespace strata::cli
