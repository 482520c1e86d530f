#include "tests/bench/engine/report.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lib/json/json.h"

namespace strata::bench {

namespace {

// Three significant digits.
std::string Short(double value) {
  const double size = std::abs(value);
  if (size >= 100) return absl::StrFormat("%.0f", value);
  if (size >= 10) return absl::StrFormat("%.1f", value);
  return absl::StrFormat(size >= 1 || size == 0 ? "%.2f" : "%.3f", value);
}

// `text` at the end of `list` unless it is there.
void AddOnce(std::vector<std::string>& list, const std::string& text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
}

}  // namespace

double Quantile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(part * static_cast<double>(values.size())))];
}

void Report::Add(absl::string_view scenario, absl::string_view subject, absl::string_view metric, double value) {
  for (Cell& cell : cells_) {
    if (cell.scenario == scenario && cell.subject == subject && cell.metric == metric) {
      cell.values.push_back(value);
      return;
    }
  }
  cells_.push_back({std::string(scenario), std::string(subject), std::string(metric), {value}});
}

const Report::Cell* Report::Find(absl::string_view scenario, absl::string_view subject, absl::string_view metric) const {
  for (const Cell& cell : cells_) {
    if (cell.scenario == scenario && cell.subject == subject && cell.metric == metric) return &cell;
  }
  return nullptr;
}

double Report::Median(absl::string_view scenario, absl::string_view subject, absl::string_view metric) const {
  const Cell* cell = Find(scenario, subject, metric);
  return cell == nullptr ? std::numeric_limits<double>::quiet_NaN() : Quantile(cell->values, 0.5);
}

std::string Report::RenderTable(absl::string_view scenario) const {
  std::vector<std::string> subjects;
  std::vector<std::string> metrics;
  for (const Cell& cell : cells_) {
    if (cell.scenario != scenario) continue;
    AddOnce(subjects, cell.subject);
    AddOnce(metrics, cell.metric);
  }
  std::string text = absl::StrCat("### ", scenario, "\n\n| | ", absl::StrJoin(metrics, " | "), " |\n|---|");
  for (size_t i = 0; i < metrics.size(); ++i) absl::StrAppend(&text, "---:|");
  for (const std::string& subject : subjects) {
    absl::StrAppend(&text, "\n| ", subject, " |");
    for (const std::string& metric : metrics) {
      const Cell* cell = Find(scenario, subject, metric);
      absl::StrAppend(&text, " ", cell == nullptr ? "" : Short(Quantile(cell->values, 0.5)), " |");
    }
  }
  return text + "\n";
}

std::string Report::Render() const {
  std::vector<std::string> scenarios;
  for (const Cell& cell : cells_) AddOnce(scenarios, cell.scenario);
  return absl::StrJoin(scenarios, "\n",
                       [this](std::string* out, const std::string& scenario) { out->append(RenderTable(scenario)); });
}

std::string Report::ToJson() const {
  json::Value list = json::Value::array();
  for (const Cell& cell : cells_) {
    list.push_back({{"scenario", cell.scenario}, {"subject", cell.subject}, {"metric", cell.metric}, {"values", cell.values}});
  }
  return json::DumpPretty(list);
}

}  // namespace strata::bench
