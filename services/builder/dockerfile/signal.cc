#include "services/builder/dockerfile/signal.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace strata::dockerfile {
namespace {

constexpr int kLowestRealTime = 34;
constexpr int kHighestRealTime = 64;

// x86-64 and arm64 Linux; a signal number has its place in the list.
constexpr absl::string_view kNames[] = {
    "",     "HUP",  "INT",  "QUIT", "ILL",    "TRAP", "ABRT", "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",  "PWR",  "SYS",
};

// "RTMIN", "RTMIN+3", "RTMAX-2"; 0 when it is none of them.
int RealTimeSignal(absl::string_view name) {
  int number = 0;
  if (absl::ConsumePrefix(&name, "RTMIN")) {
    if (name.empty()) return kLowestRealTime;
    if (name[0] != '+' || !absl::SimpleAtoi(name.substr(1), &number) || number < 0 || number > 30) return 0;
    return kLowestRealTime + number;
  }
  if (absl::ConsumePrefix(&name, "RTMAX")) {
    if (name.empty()) return kHighestRealTime;
    if (name[0] != '-' || !absl::SimpleAtoi(name.substr(1), &number) || number < 0 || number > 30) return 0;
    return kHighestRealTime - number;
  }
  return 0;
}

}  // namespace

absl::StatusOr<int> ParseSignal(absl::string_view text) {
  const auto unknown = [text] {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown signal \"", text.substr(0, 40), "\"; use a name such as SIGTERM or a number from 1 to 64"));
  };
  int number = 0;
  if (absl::SimpleAtoi(text, &number)) {
    if (number < 1 || number > kHighestRealTime) return unknown();
    return number;
  }
  const std::string upper = absl::AsciiStrToUpper(text);
  absl::string_view name = upper;
  absl::ConsumePrefix(&name, "SIG");
  if (name.empty()) return unknown();
  if (name == "IOT") return 6;
  if (name == "CLD") return 17;
  if (name == "POLL") return 29;
  for (size_t i = 1; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<int>(i);
  }
  const int real_time = RealTimeSignal(name);
  if (real_time != 0) return real_time;
  return unknown();
}

}  // namespace strata::dockerfile
