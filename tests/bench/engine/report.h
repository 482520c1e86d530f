// Collects what was measured and prints it: a table a scenario, medians of the rounds.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace strata::bench {

class Report {
 public:
  // One value of one round. Rows (subjects) and columns (metrics) keep the order in which they came first.
  void Add(absl::string_view scenario, absl::string_view subject, absl::string_view metric, double value);

  // The median; NaN when nothing was added under these names.
  double Median(absl::string_view scenario, absl::string_view subject, absl::string_view metric) const;

  std::string Render() const;  // Markdown
  std::string ToJson() const;  // every value

 private:
  struct Cell {
    std::string scenario;
    std::string subject;
    std::string metric;
    std::vector<double> values;
  };
  const Cell* Find(absl::string_view scenario, absl::string_view subject, absl::string_view metric) const;
  std::string RenderTable(absl::string_view scenario) const;

  std::vector<Cell> cells_;
};

// The value at `part` (0 to 1) of the sorted values; 0 for none.
double Quantile(std::vector<double> values, double part);

}  // namespace strata::bench
