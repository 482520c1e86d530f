// engine_bench: the ways to keep large blobs, measured against each other on one disk. tests/bench/run engine starts it.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"
#include "lib/config/parser.h"
#include "tests/bench/engine/payload.h"
#include "tests/bench/engine/scenario.h"

namespace strata::bench {
namespace {

constexpr char kProgram[] = "engine_bench";

struct Options {
  std::string dir;
  std::string scale = "1";
  int64_t rounds = 3;
  std::vector<std::string> only;
  std::vector<std::string> candidates;
  std::string json;
};

template <typename T>
std::vector<std::string> NamesOf(const std::vector<T>& things) {
  std::vector<std::string> names;
  for (const T& thing : things) names.push_back(thing.name);
  return names;
}

// Those that were asked for, in their own order; all when nothing was.
template <typename T>
std::vector<T> Chosen(const std::vector<T>& all, const std::vector<std::string>& wanted) {
  std::vector<T> chosen;
  for (const T& thing : all) {
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), thing.name) != wanted.end()) chosen.push_back(thing);
  }
  return chosen;
}

void AddOptions(config::Parser& parser, Options& options) {
  parser.Add(&options.dir, {.flag = "dir",
                            .value_name = "FOLDER",
                            .help = "An existing folder on the disk to measure; a folder is made in it and removed."});
  parser.Add(&options.scale, {.flag = "scale",
                              .value_name = "PART",
                              .help = "Sizes and counts, as a part of the full ones; at most 4. Full takes 20 GiB of disk."});
  parser.Add(&options.rounds, {.flag = "rounds", .help = "How often everything is measured; the table shows medians."});
  parser.Add(&options.only, {.flag = "only",
                             .value_name = "SCENARIO",
                             .help = "Measure only this; may be repeated.",
                             .one_of = NamesOf(AllScenarios())});
  parser.Add(&options.candidates, {.flag = "candidate",
                                   .value_name = "NAME",
                                   .help = "Compare only this one; may be repeated.",
                                   .one_of = NamesOf(AllCandidates())});
  parser.Add(&options.json, {.flag = "json", .value_name = "FILE", .help = "Write every value there as well."});
}

absl::Status RunRounds(const Options& options, const std::string& folder, double scale, Report* report) {
  const Bench bench{folder, scale, Chosen(AllCandidates(), options.candidates), report};
  for (int64_t round = 1; round <= options.rounds; ++round) {
    for (const Scenario& scenario : Chosen(AllScenarios(), options.only)) {
      std::fprintf(stderr, "round %d of %d: %s\n", static_cast<int>(round), static_cast<int>(options.rounds), scenario.name);
      STRATA_RETURN_IF_ERROR(scenario.run(bench));
    }
  }
  return absl::OkStatus();
}

absl::Status WriteJson(const std::string& path, const Report& report) {
  if (path.empty()) return absl::OkStatus();
  std::ofstream file(path);
  file << report.ToJson() << "\n";
  file.close();
  return file ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write ", path));
}

absl::Status Run(const Options& options) {
  double scale = 0;
  if (!absl::SimpleAtod(options.scale, &scale) || !(scale > 0 && scale <= 4)) {
    return absl::InvalidArgumentError(absl::StrCat("--scale: \"", options.scale, "\" is not a number above 0 and at most 4"));
  }
  if (options.rounds < 1) return absl::InvalidArgumentError("--rounds: at least 1");
  if (options.dir.empty()) return absl::InvalidArgumentError("--dir: name a folder on the disk to measure");
  const std::string folder = options.dir + "/engine_bench";
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (!error) std::filesystem::create_directory(folder, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat("--dir: cannot make ", folder, ": ", error.message()));
  ThePayload();  // before the first child, which would make it at its own expense
  Report report;
  absl::Status status = RunRounds(options, folder, scale, &report);
  std::filesystem::remove_all(folder, error);
  // What was measured before an error is shown all the same.
  std::fputs(report.Render().c_str(), stdout);
  std::printf("\n%d rounds, scale %g\n", static_cast<int>(options.rounds), scale);
  if (status.ok()) status = WriteJson(options.json, report);
  return status;
}

int Main(int argc, char** argv) {
  Options options;
  config::Parser parser(kProgram,
                        "Compares ways to keep large blobs: extent files with records in RocksDB, ingested SST files, BlobDB, "
                        "and Put through the log; and small blobs inline against in files.");
  AddOptions(parser, options);
  const std::vector<std::string> positional = config::ParseOrExit(parser, kProgram, "", argc, argv);
  absl::Status status =
      positional.empty() ? Run(options) : absl::InvalidArgumentError(absl::StrCat("unexpected argument \"", positional[0], "\""));
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s: %s\n", kProgram, std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace
}  // namespace strata::bench

int main(int argc, char** argv) { return strata::bench::Main(argc, argv); }
