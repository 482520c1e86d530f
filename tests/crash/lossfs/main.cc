// lossfs MOUNTPOINT: a file system in memory that loses what was not synced when its power is cut. README.md has the rules.
//
// It is told what to do by lines on standard input and answers each with one line on standard output:
//
//   cut SEED            the power goes now; SEED decides what survives      -> "ok"
//   arm EVENTS SEED     ... goes by itself after so many changes and syncs  -> "ok"
//   on                  the power is back                                   -> "ok"
//   is-on                                                                   -> "yes" or "no"
//   fail-sync COUNT     the COUNTth sync from now fails with EIO            -> "ok"
//   size BYTES          the disk has that many bytes                        -> "ok"
//   figures             -> "changes=N syncs=N cuts=N used=BYTES total=BYTES"
//
// Anything else: "error: ...". Says "ready" once it is mounted. Unmounts and ends with standard input.
#include <signal.h>

#include <cstdio>
#include <iostream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/crash/lossfs/fuse_server.h"

namespace strata::lossfs {
namespace {

constexpr char kUsage[] =
    "usage: lossfs MOUNTPOINT [--rules=strict|ext4] [--size=BYTES]\n"
    "Mounts a file system in memory whose power can be cut; commands are read from standard input.\n";

std::string Describe(const VolumeFigures& figures) {
  return absl::StrCat("changes=", figures.changes, " syncs=", figures.syncs, " cuts=", figures.power_cuts,
                      " used=", figures.used_bytes, " total=", figures.total_bytes);
}

std::string Execute(Volume& volume, const std::string& line) {
  const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  uint64_t numbers[2] = {};
  bool are_numbers = words.size() <= 3;
  for (size_t i = 1; i < words.size() && are_numbers; ++i) are_numbers = absl::SimpleAtoi(words[i], &numbers[i - 1]);
  const auto is = [&](absl::string_view name, size_t count) {
    return are_numbers && words.size() == count + 1 && words[0] == name;
  };
  if (is("is-on", 0)) return volume.is_on() ? "yes" : "no";
  if (is("figures", 0)) return Describe(volume.Figures());
  if (is("cut", 1)) {
    volume.PowerCut(numbers[0]);
  } else if (is("arm", 2)) {
    volume.PowerCutAfter(numbers[0], numbers[1]);
  } else if (is("on", 0)) {
    volume.PowerOn();
  } else if (is("fail-sync", 1)) {
    volume.FailSync(numbers[0]);
  } else if (is("size", 1)) {
    volume.SetTotalBytes(numbers[0]);
  } else {
    return absl::StrCat("error: unknown command \"", line, "\"");
  }
  return "ok";
}

int Main(const std::vector<std::string>& arguments) {
  Rules rules = Rules::kStrict;
  uint64_t total_bytes = uint64_t{2} << 30;
  std::string mount_point;
  for (const std::string& argument : arguments) {
    if (argument == "--rules=strict") {
      rules = Rules::kStrict;
    } else if (argument == "--rules=ext4") {
      rules = Rules::kExt4;
    } else if (argument.starts_with("--size=") && absl::SimpleAtoi(argument.substr(7), &total_bytes)) {
    } else if (mount_point.empty() && !argument.starts_with("-")) {
      mount_point = argument;
    } else {
      std::fprintf(stderr, "lossfs: bad argument \"%s\"\n%s", argument.c_str(), kUsage);
      return 2;
    }
  }
  if (mount_point.empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  // Whoever started us ends us by closing our input; a ^C meant for them must not take the disk away first.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  Volume volume(rules, total_bytes);
  const auto server = FuseServer::Mount(mount_point, volume);
  if (!server.ok()) {
    std::fprintf(stderr, "lossfs: %s\n", std::string(server.status().message()).c_str());
    return 1;
  }
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) std::cout << Execute(volume, line) << std::endl;
  return 0;
}

}  // namespace
}  // namespace strata::lossfs

int main(int argc, char** argv) { return strata::lossfs::Main(std::vector<std::string>(argv + 1, argv + argc)); }
