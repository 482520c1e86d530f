// The last lines a command printed: what an error shows of it. Bounded, whatever the command prints. Thread-compatible.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace strata::ops {

class OutputTail {
 public:
  void Append(absl::string_view data) {
    text_.append(data.data(), data.size());
    // Trimmed rarely, so that each byte is moved a constant number of times.
    if (text_.size() > 2 * kMaxBytes) text_.erase(0, text_.size() - kMaxBytes);
  }

  // At most kMaxLines lines and kMaxBytes bytes, from a line's start where one is left.
  std::string Text() const {
    absl::string_view text = text_;
    if (text.size() > kMaxBytes) text.remove_prefix(text.size() - kMaxBytes);
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    size_t start = text.size();
    for (int lines = 0; lines < kMaxLines && start != absl::string_view::npos && start > 0; ++lines) {
      start = text.rfind('\n', start - 1);
    }
    if (start != absl::string_view::npos && start < text.size() && text[start] == '\n') text.remove_prefix(start + 1);
    return std::string(text);
  }

 private:
  static constexpr size_t kMaxBytes = 1200;  // with the rest of the error it must fit into an RPC status
  static constexpr int kMaxLines = 12;
  std::string text_;
};

}  // namespace strata::ops
