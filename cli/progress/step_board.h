// The steps of a build as far as they are known, for the views to draw. Thread-compatible; memory is bounded per step.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/strata/builder/v1/build.pb.h"

namespace strata::cli {

struct BoardStep {
  uint32_t id = 0;
  std::string name;
  builder::v1::StepState state = builder::v1::STEP_STATE_WAITING;
  std::optional<absl::Time> seen_running;  // by our own clock: the builder's may be wrong
  absl::Duration took;                     // of an ended step, by the builder's clock
  std::string error;
  std::string transfer;                    // "transferring context 3.1MB / 12MB"
  std::deque<std::string> last_lines;      // cleaned, at most kKeptLines

  bool running() const { return state == builder::v1::STEP_STATE_RUNNING; }
  bool ended() const { return state >= builder::v1::STEP_STATE_DONE; }
};

class StepBoard {
 public:
  static constexpr size_t kKeptLines = 20;

  void Apply(const builder::v1::Progress& progress, absl::Time now);
  // In the order in which they were first seen.
  const std::vector<BoardStep>& steps() const { return steps_; }
  const BoardStep* Find(uint32_t id) const;
  size_t ended_count() const;

 private:
  BoardStep& StepOf(uint32_t id);
  void AddLog(const builder::v1::StepLog& log);

  std::vector<BoardStep> steps_;
  std::map<uint32_t, size_t> index_;
  std::map<uint32_t, std::string> open_lines_;  // by step id: a line whose end has not come
};

// "waiting", "running", "done", "cached", "failed", "cancelled".
absl::string_view StateName(builder::v1::StepState state);
// "transferring context 3.1MB / 12MB".
std::string DescribeBytes(const builder::v1::StepBytes& bytes);
// Takes whole lines off the front of `open` + `data`; what is left stays in `open`. A line over 64 KiB is cut into several.
std::vector<std::string> TakeLines(std::string& open, absl::string_view data);

}  // namespace strata::cli
