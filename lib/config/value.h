// One option's value as text: how each type is read and shown. Used by Parser.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/config/byte_size.h"

namespace strata::config {

struct Value {
  std::function<absl::Status(absl::string_view)> set;  // kInvalidArgument: the message quotes the text, not the option
  std::function<std::string()> show;                   // "" for an empty string or list
  std::function<void()> clear;                         // lists only: before the first value from a source
  std::string type_name;                               // "ADDRESS"-like word for the help text: "TEXT", "N", "DURATION"
  bool is_bool = false;
  bool is_list = false;
};

// The target must outlive the value.
Value ValueOf(std::string* target);
Value ValueOf(bool* target);
Value ValueOf(int64_t* target);
Value ValueOf(absl::Duration* target);  // "90s", "1h30m", "250ms"; "0" and "inf"; not negative
Value ValueOf(ByteSize* target);
Value ValueOf(std::vector<std::string>* target);

}  // namespace strata::config
