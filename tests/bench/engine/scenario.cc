#include "tests/bench/engine/scenario.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::bench {

std::vector<CandidateKind> Bench::Keepers(bool with_large_only) const {
  std::vector<CandidateKind> keepers;
  for (const CandidateKind& kind : candidates) {
    if (kind.keeps_blobs && (with_large_only || !kind.only_for_large_blobs)) keepers.push_back(kind);
  }
  return keepers;
}

absl::StatusOr<Folder> Folder::Make(const Bench& bench, absl::string_view name) {
  const std::string path = absl::StrCat(bench.dir, "/", name);
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (!error) std::filesystem::create_directory(path, error);
  if (error) return absl::InternalError(absl::StrCat("cannot make ", path, ": ", error.message()));
  return Folder(path);
}

Folder::~Folder() {
  std::error_code ignored;  // what is left is left in a folder that the caller removes
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

absl::Status Measure(const Bench& bench, absl::string_view scenario, absl::string_view subject,
                     const std::function<absl::Status(const Teller&)>& body) {
  Measurements told;
  STRATA_RETURN_IF_ERROR(Annotate(RunInChild(body, &told), absl::StrCat(scenario, ", ", subject)));
  for (const auto& [metric, value] : told) bench.report->Add(scenario, subject, metric, value);
  return absl::OkStatus();
}

const std::vector<Scenario>& AllScenarios() {
  static const auto* const scenarios = new std::vector<Scenario>{
      {"transfer", RunTransfer}, {"reclaim", RunReclaim}, {"growth", RunGrowth},    {"contention", RunContention},
      {"resume", RunResume},     {"small", RunSmall},     {"delete", RunDeleteCost}};
  return *scenarios;
}

}  // namespace strata::bench
