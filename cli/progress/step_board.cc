#include "cli/progress/step_board.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/output/human.h"

namespace strata::cli {
namespace {

using builder::v1::StepState;

constexpr size_t kMaxLineBytes = 64 * 1024;

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

}  // namespace

absl::string_view StateName(StepState state) {
  switch (state) {
    case builder::v1::STEP_STATE_RUNNING:
      return "running";
    case builder::v1::STEP_STATE_DONE:
      return "done";
    case builder::v1::STEP_STATE_CACHED:
      return "cached";
    case builder::v1::STEP_STATE_FAILED:
      return "failed";
    case builder::v1::STEP_STATE_CANCELLED:
      return "cancelled";
    default:
      return "waiting";
  }
}

std::string DescribeBytes(const builder::v1::StepBytes& bytes) {
  const std::string what = CleanLine(bytes.what(), false);
  const std::string total = bytes.total_bytes() > 0 ? absl::StrCat(" / ", HumanSize(bytes.total_bytes())) : "";
  return absl::StrCat(what, what.empty() ? "" : " ", HumanSize(bytes.current_bytes()), total);
}

std::vector<std::string> TakeLines(std::string& open, absl::string_view data) {
  std::vector<std::string> lines;
  while (!data.empty()) {
    const size_t newline = data.find('\n');
    const size_t room = kMaxLineBytes - open.size();
    if (newline == absl::string_view::npos && data.size() < room) {
      absl::StrAppend(&open, data);
      break;
    }
    const size_t taken = std::min(newline == absl::string_view::npos ? data.size() : newline, room);
    absl::StrAppend(&open, data.substr(0, taken));
    data.remove_prefix(taken == newline ? taken + 1 : taken);
    lines.push_back(std::exchange(open, ""));
  }
  return lines;
}

BoardStep& StepBoard::StepOf(uint32_t id) {
  const auto [found, is_new] = index_.emplace(id, steps_.size());
  if (is_new) {
    steps_.emplace_back();
    steps_.back().id = id;
  }
  return steps_[found->second];
}

const BoardStep* StepBoard::Find(uint32_t id) const {
  const auto found = index_.find(id);
  return found == index_.end() ? nullptr : &steps_[found->second];
}

size_t StepBoard::ended_count() const {
  size_t count = 0;
  for (const BoardStep& step : steps_) count += step.ended() ? 1 : 0;
  return count;
}

void StepBoard::Apply(const builder::v1::Progress& progress, absl::Time now) {
  for (const auto& update : progress.steps()) {
    BoardStep& step = StepOf(update.id());
    if (!update.name().empty()) step.name = CleanLine(update.name(), false);
    step.state = update.state();
    if (step.running() && !step.seen_running.has_value()) step.seen_running = now;
    if (!step.ended()) continue;
    step.error = update.error();
    if (update.has_started() && update.has_ended()) {
      step.took = ToTime(update.ended()) - ToTime(update.started());
    } else if (step.seen_running.has_value()) {
      step.took = now - *step.seen_running;
    }
    const auto open = open_lines_.find(step.id);
    if (open != open_lines_.end() && !open->second.empty()) step.last_lines.push_back(CleanLine(open->second, false));
    open_lines_.erase(step.id);
  }
  for (const auto& log : progress.logs()) AddLog(log);
  for (const auto& bytes : progress.bytes()) StepOf(bytes.step_id()).transfer = DescribeBytes(bytes);
}

void StepBoard::AddLog(const builder::v1::StepLog& log) {
  BoardStep& step = StepOf(log.step_id());
  for (const std::string& line : TakeLines(open_lines_[log.step_id()], log.data())) {
    step.last_lines.push_back(CleanLine(line, false));
  }
  while (step.last_lines.size() > kKeptLines) step.last_lines.pop_front();
}

}  // namespace strata::cli
