#include "lib/distribution/challenge.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::distribution {
namespace {

constexpr size_t kMaxBytes = 8192;

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text), rest_(text) {}

  absl::StatusOr<std::vector<Challenge>> Parse() {
    std::vector<Challenge> challenges;
    while (SkipSeparators(), !rest_.empty()) {
      const std::string word = absl::AsciiStrToLower(TakeToken());
      if (word.empty()) return Bad("unexpected character");
      SkipBlanks();
      if (!Take('=')) {
        challenges.push_back({word, {}});
        continue;
      }
      if (challenges.empty()) return Bad("a parameter without a scheme");
      SkipBlanks();
      STRATA_ASSIGN_OR_RETURN(std::string value, TakeValue());
      challenges.back().parameters.emplace(word, std::move(value));
    }
    if (challenges.empty()) return Bad("empty");
    return challenges;
  }

 private:
  absl::Status Bad(absl::string_view why) const {
    return absl::InvalidArgumentError(
        absl::StrCat("WWW-Authenticate \"", absl::CHexEscape(text_.substr(0, 120)), "\": ", why));
  }
  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void SkipBlanks() {
    while (Take(' ') || Take('\t')) {
    }
  }
  void SkipSeparators() {
    while (Take(' ') || Take('\t') || Take(',')) {
    }
  }
  absl::string_view TakeToken() {
    size_t end = 0;
    while (end < rest_.size() && rest_[end] > ' ' && rest_[end] != ',' && rest_[end] != '=' && rest_[end] != '"') ++end;
    const absl::string_view token = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return token;
  }
  absl::StatusOr<std::string> TakeValue() {
    if (!Take('"')) return std::string(TakeToken());
    std::string value;
    while (!rest_.empty()) {
      if (Take('"')) return value;
      if (rest_.size() > 1) Take('\\');
      value.push_back(rest_.front());
      rest_.remove_prefix(1);
    }
    return Bad("an open quote");
  }

  absl::string_view text_;
  absl::string_view rest_;
};

}  // namespace

absl::StatusOr<std::vector<Challenge>> ParseChallenges(absl::string_view value) {
  if (value.size() > kMaxBytes) return absl::InvalidArgumentError("WWW-Authenticate: too long");
  return Parser(value).Parse();
}

}  // namespace strata::distribution
