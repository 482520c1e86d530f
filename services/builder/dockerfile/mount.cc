#include "services/builder/dockerfile/mount.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/csv.h"
#include "services/builder/dockerfile/suggest.h"

namespace strata::dockerfile {
namespace {

struct Option {
  std::string key;  // canonical: aliases are resolved
  std::string written_key;
  std::string value;
  bool has_value = false;
};

std::string CanonicalKey(absl::string_view key) {
  if (key == "dst" || key == "destination") return "target";
  if (key == "src") return "source";
  if (key == "ro") return "readonly";
  if (key == "rw") return "readwrite";
  return std::string(key);
}

std::vector<std::string> KeysOf(MountType type) {
  switch (type) {
    case MountType::kBind:
      return {"type", "target", "source", "from", "readonly", "readwrite"};
    case MountType::kCache:
      return {"type", "target", "source", "from", "readonly", "readwrite", "id", "sharing", "mode", "uid", "gid"};
    case MountType::kTmpfs:
      return {"type", "target", "size", "readonly", "readwrite"};
    case MountType::kSecret:
      return {"type", "target", "id", "env", "required", "mode", "uid", "gid"};
    case MountType::kSsh:
      return {"type", "target", "id", "required", "mode", "uid", "gid"};
  }
  return {};
}

bool HoldsVariable(absl::string_view text) { return absl::StrContains(text, '$'); }

absl::Status BadValue(const Option& option, absl::string_view want) {
  return absl::InvalidArgumentError(absl::StrCat("invalid value \"", option.value, "\" for ", option.written_key, "; use ", want));
}

absl::StatusOr<bool> BoolValue(const Option& option) {
  if (!option.has_value) return true;
  bool value = false;
  if (!absl::SimpleAtob(option.value, &value)) return BadValue(option, "true or false");
  return value;
}

absl::StatusOr<uint32_t> OctalValue(const Option& option) {
  uint32_t value = 0;
  if (option.value.empty() || option.value.size() > 6) return BadValue(option, "an octal mode such as 0700");
  for (const char c : option.value) {
    if (c < '0' || c > '7') return BadValue(option, "an octal mode such as 0700");
    value = value * 8 + static_cast<uint32_t>(c - '0');
  }
  if (value > 07777) return BadValue(option, "an octal mode up to 07777");
  return value;
}

absl::StatusOr<uint32_t> IdValue(const Option& option) {
  uint32_t value = 0;
  if (!absl::SimpleAtoi(option.value, &value)) return BadValue(option, "a number");
  return value;
}

// "64m", "1.5GiB" have units of 1024; fractions are not taken.
absl::StatusOr<uint64_t> SizeValue(const Option& option) {
  const std::string lower = absl::AsciiStrToLower(option.value);
  const size_t digits = std::min(lower.find_first_not_of("0123456789"), lower.size());
  absl::string_view unit = absl::string_view(lower).substr(digits);
  uint64_t value = 0;
  const absl::string_view units = "bkmgtp";
  const size_t power = unit.empty() ? 0 : units.find(unit[0]);
  const bool is_unit = unit.size() <= 1 || (power > 0 && (unit.substr(1) == "b" || unit.substr(1) == "ib"));
  if (!absl::SimpleAtoi(lower.substr(0, digits), &value) || power == absl::string_view::npos || !is_unit ||
      value > (std::numeric_limits<uint64_t>::max() >> 1) >> (10 * power)) {
    return BadValue(option, "a size such as 64m");
  }
  return value << (10 * power);
}

absl::StatusOr<MountType> TypeValue(absl::string_view value) {
  const std::vector<std::string> names = {"bind", "cache", "tmpfs", "secret", "ssh"};
  for (size_t i = 0; i < names.size(); ++i) {
    if (absl::EqualsIgnoreCase(value, names[i])) return static_cast<MountType>(i);
  }
  const std::string hint = DidYouMean(value, names);
  return absl::InvalidArgumentError(absl::StrCat("unsupported mount type \"", value, "\"",
                                                 hint.empty() ? "; use bind, cache, tmpfs, secret or ssh" : hint));
}

absl::StatusOr<CacheSharing> SharingValue(const Option& option) {
  if (absl::EqualsIgnoreCase(option.value, "shared")) return CacheSharing::kShared;
  if (absl::EqualsIgnoreCase(option.value, "private")) return CacheSharing::kPrivate;
  if (absl::EqualsIgnoreCase(option.value, "locked")) return CacheSharing::kLocked;
  return BadValue(option, "shared, private or locked");
}

absl::StatusOr<std::vector<Option>> ReadOptions(absl::string_view text) {
  STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> fields, ParseCsvRecord(text));
  std::vector<Option> options;
  for (const std::string& field : fields) {
    Option option;
    const size_t equals = field.find('=');
    option.written_key = absl::AsciiStrToLower(field.substr(0, equals));
    option.key = CanonicalKey(option.written_key);
    option.has_value = equals != std::string::npos;
    if (option.has_value) option.value = field.substr(equals + 1);
    const bool is_flag = option.key == "readonly" || option.key == "readwrite" || option.key == "required";
    if (!option.has_value && !is_flag) {
      return absl::InvalidArgumentError(absl::StrCat("invalid field '", field, "' must be a key=value pair"));
    }
    options.push_back(std::move(option));
  }
  return options;
}

absl::Status Apply(const Option& option, Mount& mount) {
  if (option.key == "target") mount.target = option.value;
  if (option.key == "source") mount.source = option.value;
  if (option.key == "id") mount.id = option.value;
  if (option.key == "env") mount.env = option.value;
  if (option.key == "from") {
    if (HoldsVariable(option.value)) {
      return absl::InvalidArgumentError("'from' doesn't support variable expansion, define alias stage instead");
    }
    mount.from = option.value;
  }
  // Read again by ExpandMount once the variables are known.
  if (HoldsVariable(option.value)) return absl::OkStatus();
  if (option.key == "readonly") {
    STRATA_ASSIGN_OR_RETURN(mount.read_only, BoolValue(option));
  } else if (option.key == "readwrite") {
    STRATA_ASSIGN_OR_RETURN(const bool is_writable, BoolValue(option));
    mount.read_only = !is_writable;
  } else if (option.key == "required") {
    STRATA_ASSIGN_OR_RETURN(mount.required, BoolValue(option));
  } else if (option.key == "sharing") {
    STRATA_ASSIGN_OR_RETURN(mount.sharing, SharingValue(option));
  } else if (option.key == "mode") {
    STRATA_ASSIGN_OR_RETURN(mount.mode, OctalValue(option));
  } else if (option.key == "uid") {
    STRATA_ASSIGN_OR_RETURN(mount.uid, IdValue(option));
  } else if (option.key == "gid") {
    STRATA_ASSIGN_OR_RETURN(mount.gid, IdValue(option));
  } else if (option.key == "size") {
    STRATA_ASSIGN_OR_RETURN(mount.size_bytes, SizeValue(option));
  }
  return absl::OkStatus();
}

absl::Status CheckWhole(const Mount& mount) {
  const bool needs_target = mount.type != MountType::kSecret && mount.type != MountType::kSsh;
  if (needs_target && mount.target.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("target can't be empty: a ", ToString(mount.type), " mount needs target=PATH"));
  }
  if (!mount.target.empty() && mount.target.find_first_not_of('/') == std::string::npos) {
    return absl::InvalidArgumentError("invalid mount target \"/\": the root itself cannot be mounted over; name a folder");
  }
  if (mount.type == MountType::kSecret && mount.id.empty() && mount.target.empty()) {
    return absl::InvalidArgumentError("a secret mount needs id=NAME or target=PATH");
  }
  return absl::OkStatus();
}

absl::StatusOr<Mount> Read(absl::string_view text, const WordExpander* expand) {
  STRATA_ASSIGN_OR_RETURN(std::vector<Option> options, ReadOptions(text));
  Mount mount;
  mount.text = std::string(text);
  for (Option& option : options) {
    if (expand != nullptr && option.key != "from" && HoldsVariable(option.value)) {
      STRATA_ASSIGN_OR_RETURN(option.value, (*expand)(option.value));
    } else {
      mount.has_variables = mount.has_variables || HoldsVariable(option.value);
    }
    if (option.key == "type") {
      STRATA_ASSIGN_OR_RETURN(mount.type, TypeValue(option.value));
    }
  }
  mount.read_only = mount.type == MountType::kBind;
  const std::vector<std::string> keys = KeysOf(mount.type);
  for (const Option& option : options) {
    if (std::find(keys.begin(), keys.end(), option.key) == keys.end()) {
      const std::string hint = DidYouMean(option.written_key, keys);
      return absl::InvalidArgumentError(absl::StrCat(
          "unexpected key '", option.written_key, "' in a ", ToString(mount.type), " mount",
          hint.empty() ? absl::StrCat("; it takes ", absl::StrJoin(keys.begin() + 1, keys.end(), ", ")) : hint));
    }
    STRATA_RETURN_IF_ERROR(Apply(option, mount));
  }
  STRATA_RETURN_IF_ERROR(CheckWhole(mount));
  return mount;
}

}  // namespace

absl::StatusOr<Mount> ParseMount(absl::string_view text) { return Read(text, nullptr); }

absl::StatusOr<Mount> ExpandMount(const Mount& mount, WordExpander expand) {
  if (!mount.has_variables) return mount;
  STRATA_ASSIGN_OR_RETURN(Mount expanded, Read(mount.text, &expand));
  // What is left of '$' came out of the values or was escaped: it is text now.
  expanded.has_variables = false;
  return expanded;
}

absl::string_view ToString(MountType type) {
  constexpr absl::string_view kNames[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
  return kNames[static_cast<int>(type)];
}

absl::string_view ToString(CacheSharing sharing) {
  constexpr absl::string_view kNames[] = {"shared", "private", "locked"};
  return kNames[static_cast<int>(sharing)];
}

}  // namespace strata::dockerfile
