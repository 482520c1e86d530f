#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/progress/progress_view.h"
#include "cli/progress/step_board.h"
#include "lib/json/json.h"

namespace strata::cli {
namespace {

class JsonView final : public ProgressView {
 public:
  JsonView(ByteSink& out, const Clock& clock) : out_(out), clock_(clock) {}

  void Update(const builder::v1::Progress& progress) override {
    const absl::Time now = clock_.Now();
    board_.Apply(progress, now);
    time_ = absl::FormatTime(absl::RFC3339_full, now, absl::UTCTimeZone());
    for (const auto& step : progress.steps()) AddStep(step);
    for (const auto& log : progress.logs()) {
      Add({{"type", "log"}, {"time", time_}, {"step", log.step_id()}, {"stream", log.stream() == 2 ? "stderr" : "stdout"}, {"text", log.data()}});
    }
    for (const auto& bytes : progress.bytes()) {
      Add({{"type", "bytes"}, {"time", time_}, {"step", bytes.step_id()}, {"what", bytes.what()},
           {"current_bytes", bytes.current_bytes()}, {"total_bytes", bytes.total_bytes()}});
    }
    for (const auto& warning : progress.warnings()) {
      Add({{"type", "warning"}, {"time", time_}, {"rule", warning.rule()}, {"message", warning.message()}, {"file", warning.file()},
           {"line", warning.first_line()}});
    }
    if (!text_.empty()) out_.Write(std::exchange(text_, "")).IgnoreError();
  }

  void Finish() override {}

 private:
  void AddStep(const builder::v1::Step& step) {
    const BoardStep& known = *board_.Find(step.id());
    json::Value event = {{"type", "step"}, {"time", time_}, {"step", step.id()}, {"name", known.name},
                         {"state", std::string(StateName(step.state()))}};
    if (known.ended()) event["seconds"] = absl::ToDoubleSeconds(known.took);
    if (!step.error().empty()) event["error"] = step.error();
    Add(event);
  }

  void Add(const json::Value& event) { absl::StrAppend(&text_, json::Dump(event), "\n"); }

  ByteSink& out_;
  const Clock& clock_;
  StepBoard board_;
  std::string time_;
  std::string text_;
};

}  // namespace

std::unique_ptr<ProgressView> MakeJsonView(ByteSink& out, const Clock& clock) { return std::make_unique<JsonView>(out, clock); }

}  // namespace strata::cli
