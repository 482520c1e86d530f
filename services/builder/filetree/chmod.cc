#include "services/builder/filetree/chmod.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace strata::filetree {

namespace {

absl::Status Bad(absl::string_view spec) {
  return absl::InvalidArgumentError(absl::StrCat("invalid chmod parameter: '", spec.substr(0, 80),
                                                 "'. it should be octal string and between 0 and 07777, or symbolic such as u=rwX,go=rX"));
}

struct Who {
  uint32_t permissions = 0;  // of 0777
  uint32_t special = 0;      // set-id and sticky bits that s and t mean for them
};

bool TakeWho(absl::string_view& clause, Who& who) {
  while (!clause.empty()) {
    const char c = clause[0];
    if (c == 'u' || c == 'a') who.permissions |= 0700, who.special |= 04000;
    if (c == 'g' || c == 'a') who.permissions |= 0070, who.special |= 02000;
    if (c == 'o' || c == 'a') who.permissions |= 0007, who.special |= 01000;
    if (c != 'u' && c != 'g' && c != 'o' && c != 'a') break;
    clause.remove_prefix(1);
  }
  if (who.permissions == 0) who = {.permissions = 0777, .special = 07000};
  return !clause.empty();
}

// The bits that a run of permission letters stands for; false on a letter that is none.
bool TakeBits(absl::string_view& clause, const Who& who, uint32_t mode, uint32_t& bits) {
  bits = 0;
  while (!clause.empty() && clause[0] != '+' && clause[0] != '-' && clause[0] != '=') {
    switch (clause[0]) {
      case 'r': bits |= 0444; break;
      case 'w': bits |= 0222; break;
      case 'x': bits |= 0111; break;
      case 'X': bits |= S_ISDIR(mode) || (mode & 0111) != 0 ? 0111 : 0; break;
      case 's': bits |= 06000; break;
      case 't': bits |= 01000; break;
      default: return false;
    }
    clause.remove_prefix(1);
  }
  bits &= who.permissions | who.special | ((bits & 01000) != 0 ? 01000 : 0);
  return true;
}

}  // namespace

absl::StatusOr<uint32_t> ApplyChmod(absl::string_view spec, uint32_t mode) {
  if (spec.empty() || spec.size() > 64) return Bad(spec);
  if (spec.find_first_not_of("01234567") == absl::string_view::npos) {
    uint32_t bits = 0;
    for (const char c : spec) {
      bits = bits * 8 + static_cast<uint32_t>(c - '0');
      if (bits > 07777) return Bad(spec);
    }
    return bits;
  }
  uint32_t result = mode;
  for (absl::string_view clause : absl::StrSplit(spec, ',')) {
    Who who;
    if (!TakeWho(clause, who)) return Bad(spec);
    while (!clause.empty()) {
      const char action = clause[0];
      if (action != '+' && action != '-' && action != '=') return Bad(spec);
      clause.remove_prefix(1);
      uint32_t bits = 0;
      if (!TakeBits(clause, who, result, bits)) return Bad(spec);
      if (action == '=') result = (result & ~(who.permissions | (who.special & 06000))) | bits;
      if (action == '+') result |= bits;
      if (action == '-') result &= ~bits;
    }
  }
  return result & 07777;
}

}  // namespace strata::filetree
