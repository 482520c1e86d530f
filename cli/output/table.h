// Columns like those of `docker images`: upper-case titles, three spaces between, no lines.
#pragma once

#include <string>
#include <vector>

namespace strata::cli {

// Thread-compatible.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) { rows_.push_back(std::move(titles)); }
  // As many cells as there are titles.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // Lines without blanks at their ends.
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace strata::cli
