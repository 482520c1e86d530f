#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/client/maintenance_client.h"
#include "cli/commands/store/store_commands.h"
#include "cli/exit_code.h"
#include "cli/output/human.h"
#include "lib/base/status.h"
#include "lib/json/json.h"
#include "lib/rpc/timestamp.h"

namespace strata::cli {
namespace {

using store::v1::QuarantinedBlob;

absl::StatusOr<std::vector<QuarantinedBlob>> ListAll(Invocation& invocation, MaintenanceClient& client) {
  std::vector<QuarantinedBlob> blobs;
  store::v1::ListQuarantinedRequest request;
  request.set_limit(1000);
  while (true) {
    STRATA_ASSIGN_OR_RETURN(auto page, client.ListQuarantined(invocation.Call(), request));
    for (auto& blob : *page.mutable_blobs()) blobs.push_back(std::move(blob));
    if (!page.has_more() || page.blobs().empty()) return blobs;
    request.set_last_digest(blobs.back().digest());
  }
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime(absl::RFC3339_sec, rpc::ToTime(time), absl::UTCTimeZone());
}

json::Value ToJson(const QuarantinedBlob& blob) {
  return {{"digest", blob.digest()},
          {"size_bytes", blob.size_bytes()},
          {"since", TimeText(blob.since())},
          {"reason", blob.reason()},
          {"repositories", std::vector<std::string>(blob.repositories().begin(), blob.repositories().end())},
          {"named_by", std::vector<std::string>(blob.named_by().begin(), blob.named_by().end())},
          {"is_cached", blob.is_cached()}};
}

std::string AsText(const QuarantinedBlob& blob, absl::Time now) {
  std::string text = absl::StrCat(blob.digest(), "  ", HumanSize(blob.size_bytes()), "  ", HumanAge(rpc::ToTime(blob.since()), now), "\n  why: ",
                                  CleanLine(blob.reason(), false), "\n");
  for (const std::string& name : blob.named_by()) absl::StrAppend(&text, "  needed by: ", CleanLine(name, false), "\n");
  if (blob.named_by().empty()) absl::StrAppend(&text, "  in: ", CleanLine(absl::StrJoin(blob.repositories(), ", "), false), "\n");
  if (blob.is_cached()) absl::StrAppend(&text, "  the build cache has it: the step is built again when it is next needed\n");
  absl::StrAppend(&text, "  to heal: push ", blob.named_by().empty() ? "it" : "the image", " again, or after a repair of the disk: strata store quarantine recheck ", blob.digest(), "\n");
  return text;
}

absl::Status RunList(Invocation& invocation) {
  CommandLine line(invocation, "store quarantine ls", "Lists the blobs that were found damaged, and what needs them. They are not served until they are pushed again.", "");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  MaintenanceClient client(invocation.options.store);
  STRATA_ASSIGN_OR_RETURN(const std::vector<QuarantinedBlob> blobs, ListAll(invocation, client));
  if (invocation.options.json()) {
    json::Value list = json::Value::array();
    for (const QuarantinedBlob& blob : blobs) list.push_back(ToJson(blob));
    return invocation.Print(absl::StrCat(json::DumpPretty(list), "\n"));
  }
  if (blobs.empty()) invocation.Tell("No blob is quarantined.\n");
  for (const QuarantinedBlob& blob : blobs) STRATA_RETURN_IF_ERROR(invocation.Print(AsText(blob, invocation.environment.clock.Now())));
  return absl::OkStatus();
}

absl::Status RunRecheck(Invocation& invocation) {
  bool all = false;
  CommandLine line(invocation, "store quarantine recheck",
                   "Reads quarantined blobs again and serves those that are sound: for after a disk or a cable was repaired.", "[DIGEST...]");
  line.Add(&all, {.flag = "all", .help = "All that are quarantined."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, -1));
  if (!operands.has_value()) return absl::OkStatus();
  if (all != operands->empty()) return UsageError("name the digests, or give --all");
  MaintenanceClient client(invocation.options.store);
  std::vector<std::string> digests = *operands;
  if (all) {
    STRATA_ASSIGN_OR_RETURN(const std::vector<QuarantinedBlob> blobs, ListAll(invocation, client));
    for (const QuarantinedBlob& blob : blobs) digests.push_back(blob.digest());
  }
  int damaged = 0;
  json::Value list = json::Value::array();
  for (const std::string& digest : digests) {
    store::v1::RecheckBlobRequest request;
    request.set_digest(digest);
    STRATA_ASSIGN_OR_RETURN(const auto found, client.RecheckBlob(invocation.Call(), request));
    if (!found.is_sound()) ++damaged;
    list.push_back({{"digest", digest}, {"is_sound", found.is_sound()}, {"reason", found.reason()}});
    if (invocation.options.json()) continue;
    STRATA_RETURN_IF_ERROR(invocation.Print(absl::StrCat(digest, found.is_sound() ? ": sound, served again" : ": damaged: ", CleanLine(found.reason(), false), "\n")));
  }
  if (invocation.options.json()) STRATA_RETURN_IF_ERROR(invocation.Print(absl::StrCat(json::DumpPretty(list), "\n")));
  if (damaged == 0) return absl::OkStatus();
  return WithExitCode(absl::DataLossError(absl::StrCat(damaged, " of ", digests.size(), " blobs are still damaged; push them again (strata store quarantine ls says what needs them)")),
                      ExitCode::kDamaged);
}

}  // namespace

absl::Status RunStoreQuarantine(Invocation& invocation) {
  return RunGroup(invocation, "store quarantine", "Blobs that were found damaged.",
                  {{"ls", "List them, and what needs them.", RunList}, {"recheck", "Read them again; serve those that are sound.", RunRecheck}});
}

}  // namespace strata::cli
