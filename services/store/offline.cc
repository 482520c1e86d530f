#include "services/store/offline.h"

#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "lib/base/call_context.h"
#include "lib/config/parser.h"
#include "lib/service/version.h"
#include "services/store/backup/restore.h"
#include "services/store/verify/verifier.h"

namespace strata::store {

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kNotFound = 4;
constexpr int kDamaged = 6;

void Say(std::FILE* to, const std::string& text) { std::fputs(text.c_str(), to); }

int Fail(const std::string& program, const absl::Status& status) {
  Say(stderr, absl::StrCat(program, ": ", std::string(status.message()), "\n"));
  if (absl::IsInvalidArgument(status)) return kUsage;
  if (absl::IsDataLoss(status)) return kDamaged;
  return absl::IsNotFound(status) ? kNotFound : kFailed;
}

class Printer final : public VerifyObserver {
 public:
  absl::Status OnProgress(const VerifyProgress& progress) override {
    if (progress.stage == stage_ && !is_terminal_) return absl::OkStatus();
    stage_ = progress.stage;
    Say(stderr, absl::StrCat(is_terminal_ ? "\r" : "", stage_, ": ", progress.items, progress.total_items > 0 ? absl::StrCat(" of ", progress.total_items) : "",
                             progress.bytes > 0 ? absl::StrCat(", ", progress.bytes >> 20, " MiB read") : "", is_terminal_ ? "    " : "\n"));
    return absl::OkStatus();
  }
  absl::Status OnFinding(const Finding& finding) override {
    Say(stdout, absl::StrCat(finding.what, ": ", finding.subject, "\n    ", finding.advice, "\n"));
    return absl::OkStatus();
  }
  ~Printer() override {
    if (is_terminal_ && !stage_.empty()) Say(stderr, "\n");
  }

 private:
  const bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  std::string stage_;
};

std::string Describe(const VerifySummary& summary) {
  return absl::StrCat(summary.rows, " rows and ", summary.blobs, " blobs checked, ", summary.bytes_read, " bytes read: ",
                      summary.findings == 0 ? "sound" : absl::StrCat(summary.findings, " findings"),
                      summary.quarantined_blobs == 0 ? "" : absl::StrCat("; ", summary.quarantined_blobs, " blobs were quarantined before"));
}

// Parses; anything but flags is wrong.
absl::Status NoOperands(const std::vector<std::string>& positional) {
  if (positional.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("unexpected argument \"", positional[0], "\""));
}

}  // namespace

int RunVerify(int argc, const char* const* argv) {
  const std::string program = "strata-store verify";
  std::string data = "/var/lib/strata/store";
  bool is_deep = false;
  config::Parser parser(program, "Checks a data folder, or a backup, that no store runs on; changes nothing. A store that runs is asked with \"strata store verify\".");
  parser.Add(&data, {.flag = "data", .env = "STRATA_STORE_DATA", .value_name = "FOLDER", .help = "The data folder, or a backup, or the folder of its copies."});
  parser.Add(&is_deep, {.flag = "deep", .help = "Read all content and compare it with its digests."});
  const std::vector<std::string> positional = config::ParseOrExit(parser, program, service::kVersion, argc, argv);
  const absl::Status usage = NoOperands(positional);
  if (!usage.ok()) return Fail(program, usage);
  // Of a folder of backups the newest; any other folder as it is, so that the message names it.
  const absl::StatusOr<std::string> backup = FindBackup(data);
  absl::StatusOr<VerifySummary> summary = absl::UnknownError("");
  {
    Printer printer;
    summary = VerifyFolder(CallContext(), backup.ok() ? *backup : data, is_deep, printer);
  }
  if (!summary.ok()) return Fail(program, summary.status());
  Say(stdout, absl::StrCat(Describe(*summary), "\n"));
  return summary->findings == 0 ? 0 : kDamaged;
}

int RunRestore(int argc, const char* const* argv) {
  const std::string program = "strata-store restore";
  std::string from;
  std::string data = "/var/lib/strata/store";
  bool accept_damage = false;
  config::Parser parser(program, "Makes a data folder of a backup, and verifies everything in it. No store may run on it.");
  parser.Add(&from, {.flag = "from", .value_name = "FOLDER", .help = "What \"strata store backup\" printed, or the folder above it: then the newest copy is taken."});
  parser.Add(&data, {.flag = "data", .env = "STRATA_STORE_DATA", .value_name = "FOLDER", .help = "The new data folder; empty, or not there yet."});
  parser.Add(&accept_damage, {.flag = "accept-damage", .help = "Make the store even if parts of the backup are damaged; what is sound is served."});
  const std::vector<std::string> positional = config::ParseOrExit(parser, program, service::kVersion, argc, argv);
  absl::Status usage = NoOperands(positional);
  if (usage.ok() && from.empty()) usage = absl::InvalidArgumentError("--from: say which backup");
  if (!usage.ok()) return Fail(program, usage);
  absl::StatusOr<RestoreSummary> summary = absl::UnknownError("");
  {
    Printer printer;
    summary = Restore(CallContext(), from, data, accept_damage, printer);
  }
  if (!summary.ok()) return Fail(program, summary.status());
  Say(stdout, absl::StrCat("restored ", summary->backup, " to ", data, ": ", Describe(summary->verified), "\nnext: strata-store --data ", data, "\n"));
  return 0;
}

}  // namespace strata::store
