#include "absl/strings/str_cat.h"
#include "cli/client/maintenance_client.h"
#include "cli/commands/store/progress_line.h"
#include "cli/commands/store/store_commands.h"
#include "cli/exit_code.h"
#include "cli/output/human.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::cli {
namespace {

json::Value ToJson(const store::v1::VerifySummary& summary, json::Value findings) {
  return {{"is_sound", summary.findings() == 0},
          {"rows", summary.rows()},
          {"blobs", summary.blobs()},
          {"bytes_read", summary.bytes_read()},
          {"findings_total", summary.findings()},
          {"quarantined_blobs", summary.quarantined_blobs()},
          {"findings", std::move(findings)}};
}

std::string AsText(const store::v1::VerifySummary& summary) {
  std::string text = absl::StrCat(summary.rows(), " rows and ", summary.blobs(), " blobs checked, ", HumanSize(summary.bytes_read()), " read: ",
                                  summary.findings() == 0 ? "sound" : absl::StrCat(summary.findings(), " findings"), "\n");
  if (summary.quarantined_blobs() > 0) absl::StrAppend(&text, summary.quarantined_blobs(), " blobs were quarantined before; strata store quarantine ls\n");
  return text;
}

}  // namespace

absl::Status RunStoreVerify(Invocation& invocation) {
  bool deep = false;
  CommandLine line(invocation, "store verify",
                   "Checks that everything the store knows agrees with itself and with its files. Safe while others push, pull and build.", "");
  line.Add(&deep, {.flag = "deep", .help = "Read all content and compare it with its digests; damaged blobs are quarantined."});
  line.SetEpilogue("Exit code 6: damage was found. A folder that no store runs on is checked by strata-store verify --data FOLDER.");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  MaintenanceClient client(invocation.options.store);
  store::v1::VerifyRequest request;
  request.set_is_deep(deep);
  store::v1::VerifySummary summary;
  bool has_summary = false;
  json::Value findings = json::Value::array();
  {
    ProgressLine progress(invocation);
    STRATA_RETURN_IF_ERROR(client.Verify(invocation.Call(), request, [&](const store::v1::VerifyResponse& response) -> absl::Status {
      if (response.has_progress()) {
        const auto& now = response.progress();
        progress.Show(now.stage(), absl::StrCat(OutOf(now.items(), now.total_items()), now.bytes() > 0 ? absl::StrCat(", ", HumanSize(now.bytes())) : ""));
      } else if (response.has_finding()) {
        progress.End();
        const auto& finding = response.finding();
        findings.push_back({{"what", finding.what()}, {"subject", finding.subject()}, {"advice", finding.advice()}});
        if (invocation.options.json()) return absl::OkStatus();
        return invocation.Print(absl::StrCat(CleanLine(finding.what(), false), ": ", CleanLine(finding.subject(), false), "\n    ", CleanLine(finding.advice(), false), "\n"));
      } else if (response.has_summary()) {
        summary = response.summary();
        has_summary = true;
      }
      return absl::OkStatus();
    }));
  }
  if (!has_summary) return absl::InternalError("the store ended the verification without a result; update the store or strata");
  STRATA_RETURN_IF_ERROR(invocation.Print(invocation.options.json() ? absl::StrCat(json::DumpPretty(ToJson(summary, std::move(findings))), "\n") : AsText(summary)));
  if (summary.findings() == 0) return absl::OkStatus();
  return WithExitCode(absl::DataLossError(absl::StrCat("the store is not sound: ", summary.findings(),
                                                       " findings, above; docs/operations/store.md says what to do about them")),
                      ExitCode::kDamaged);
}

}  // namespace strata::cli
