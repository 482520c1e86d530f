#include "services/builder/dockerfile/json_array.h"

#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace strata::dockerfile {
namespace {

constexpr int kMaxDepth = 32;

void AppendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// Each Read... returns false when the text is not what it names.
class Reader {
 public:
  explicit Reader(absl::string_view text) : rest_(text) {}

  bool Take(char c) {
    SkipBlanks();
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool AtEnd() {
    SkipBlanks();
    return rest_.empty();
  }

  bool AtString() {
    SkipBlanks();
    return !rest_.empty() && rest_[0] == '"';
  }

  bool ReadString(std::string& out) {
    if (!Take('"')) return false;
    while (!rest_.empty()) {
      const char c = rest_[0];
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        out += c;
      } else if (!ReadEscape(out)) {
        return false;
      }
    }
    return false;
  }

  bool SkipValue(int depth) {
    std::string ignored;
    SkipBlanks();
    if (rest_.empty() || depth > kMaxDepth) return false;
    if (rest_[0] == '"') return ReadString(ignored);
    if (rest_[0] == '[') return SkipList('[', ']', /*has_keys=*/false, depth);
    if (rest_[0] == '{') return SkipList('{', '}', /*has_keys=*/true, depth);
    for (const absl::string_view word : {"true", "false", "null"}) {
      if (!absl::StartsWith(rest_, word)) continue;
      rest_.remove_prefix(word.size());
      return true;
    }
    return SkipNumber();
  }

 private:
  void SkipBlanks() {
    while (!rest_.empty() && absl::string_view(" \t\r\n").find(rest_[0]) != absl::string_view::npos) rest_.remove_prefix(1);
  }

  bool ReadEscape(std::string& out) {
    if (rest_.empty()) return false;
    const char c = rest_[0];
    rest_.remove_prefix(1);
    constexpr absl::string_view kLetters = "\"\\/bfnrt";
    constexpr absl::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const size_t known = kLetters.find(c);
    if (known != absl::string_view::npos) {
      out += kMeanings[known];
      return true;
    }
    uint32_t code = 0;
    if (c != 'u' || !ReadHex(code)) return false;
    if (code >= 0xD800 && code < 0xDC00 && absl::StartsWith(rest_, "\\u")) {
      Reader ahead(rest_.substr(2));
      uint32_t low = 0;
      if (ahead.ReadHex(low) && low >= 0xDC00 && low < 0xE000) {
        rest_ = ahead.rest_;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      }
    }
    AppendUtf8(code >= 0xD800 && code < 0xE000 ? 0xFFFD : code, out);
    return true;
  }

  bool ReadHex(uint32_t& code) {
    if (rest_.size() < 4) return false;
    for (int i = 0; i < 4; ++i) {
      const char c = absl::ascii_tolower(rest_[i]);
      if (!absl::ascii_isxdigit(c)) return false;
      code = code * 16 + static_cast<uint32_t>(absl::ascii_isdigit(c) ? c - '0' : c - 'a' + 10);
    }
    rest_.remove_prefix(4);
    return true;
  }

  bool SkipList(char open, char close, bool has_keys, int depth) {
    std::string key;
    Take(open);
    if (Take(close)) return true;
    do {
      if (has_keys && (!ReadString(key) || !Take(':'))) return false;
      if (!SkipValue(depth + 1)) return false;
    } while (Take(','));
    return Take(close);
  }

  size_t SkipDigits() {
    size_t count = 0;
    for (; !rest_.empty() && absl::ascii_isdigit(rest_[0]); ++count) rest_.remove_prefix(1);
    return count;
  }

  bool SkipNumber() {
    if (!rest_.empty() && rest_[0] == '-') rest_.remove_prefix(1);
    const bool starts_with_zero = !rest_.empty() && rest_[0] == '0';
    const size_t digits = SkipDigits();
    if (digits == 0 || (starts_with_zero && digits > 1)) return false;
    if (!rest_.empty() && rest_[0] == '.') {
      rest_.remove_prefix(1);
      if (SkipDigits() == 0) return false;
    }
    if (!rest_.empty() && (rest_[0] == 'e' || rest_[0] == 'E')) {
      rest_.remove_prefix(1);
      if (!rest_.empty() && (rest_[0] == '+' || rest_[0] == '-')) rest_.remove_prefix(1);
      if (SkipDigits() == 0) return false;
    }
    return true;
  }

  absl::string_view rest_;
};

}  // namespace

JsonArray ReadJsonArray(absl::string_view text) {
  Reader reader(text);
  JsonArray array;
  if (!reader.Take('[')) return {};
  bool is_mixed = false;
  if (!reader.Take(']')) {
    do {
      if (reader.AtString()) {
        if (!reader.ReadString(array.strings.emplace_back())) return {};
      } else if (reader.SkipValue(1)) {
        is_mixed = true;
      } else {
        return {};
      }
    } while (reader.Take(','));
    if (!reader.Take(']')) return {};
  }
  if (!reader.AtEnd()) return {};
  if (is_mixed) return {.kind = JsonArray::Kind::kMixed};
  array.kind = JsonArray::Kind::kStrings;
  return array;
}

std::optional<std::string> ReadJsonStringField(absl::string_view text, absl::string_view key) {
  Reader reader(text);
  if (!reader.Take('{')) return std::nullopt;
  do {
    std::string name, value;
    if (!reader.ReadString(name) || !reader.Take(':')) return std::nullopt;
    if (name == key) return reader.ReadString(value) ? std::optional(std::move(value)) : std::nullopt;
    if (!reader.SkipValue(1)) return std::nullopt;
  } while (reader.Take(','));
  return std::nullopt;
}

}  // namespace strata::dockerfile
