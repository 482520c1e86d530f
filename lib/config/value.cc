#include "lib/config/value.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"

namespace strata::config {

namespace {

absl::Status Bad(absl::string_view text, absl::string_view want) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text.substr(0, 80), "\" is not ", want));
}

}  // namespace

Value ValueOf(std::string* target) {
  return {.set = [target](absl::string_view text) {
            *target = std::string(text);
            return absl::OkStatus();
          },
          .show = [target] { return *target; },
          .clear = [] {},
          .type_name = "TEXT"};
}

Value ValueOf(bool* target) {
  return {.set = [target](absl::string_view text) {
            const std::string word = absl::AsciiStrToLower(text);
            const bool is_true = word == "true" || word == "yes" || word == "on" || word == "1";
            const bool is_false = word == "false" || word == "no" || word == "off" || word == "0";
            if (!is_true && !is_false) return Bad(text, "true or false");
            *target = is_true;
            return absl::OkStatus();
          },
          .show = [target] { return std::string(*target ? "true" : "false"); },
          .clear = [] {},
          .type_name = "",
          .is_bool = true};
}

Value ValueOf(int64_t* target) {
  return {.set = [target](absl::string_view text) {
            int64_t number = 0;
            if (!absl::SimpleAtoi(text, &number)) return Bad(text, "a whole number");
            *target = number;
            return absl::OkStatus();
          },
          .show = [target] { return absl::StrCat(*target); },
          .clear = [] {},
          .type_name = "N"};
}

Value ValueOf(absl::Duration* target) {
  return {.set = [target](absl::string_view text) {
            absl::Duration duration;
            if (!absl::ParseDuration(text, &duration) || duration < absl::ZeroDuration()) {
              return Bad(text, "a duration; write 90s, 15m or 24h");
            }
            *target = duration;
            return absl::OkStatus();
          },
          .show = [target] { return absl::FormatDuration(*target); },
          .clear = [] {},
          .type_name = "DURATION"};
}

Value ValueOf(ByteSize* target) {
  return {.set = [target](absl::string_view text) -> absl::Status {
            STRATA_ASSIGN_OR_RETURN(*target, ParseByteSize(text));
            return absl::OkStatus();
          },
          .show = [target] { return FormatByteSize(*target); },
          .clear = [] {},
          .type_name = "SIZE"};
}

Value ValueOf(std::vector<std::string>* target) {
  return {.set = [target](absl::string_view text) {
            target->push_back(std::string(text));
            return absl::OkStatus();
          },
          .show = [target] { return absl::StrJoin(*target, ","); },
          .clear = [target] { target->clear(); },
          .type_name = "TEXT",
          .is_list = true};
}

}  // namespace strata::config
