#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands/store/store_commands.h"
#include "cli/exit_code.h"
#include "cli/output/human.h"
#include "cli/output/table.h"
#include "lib/base/status.h"
#include "lib/blobstore/store_client.h"
#include "lib/config/byte_size.h"
#include "lib/json/json.h"

namespace strata::cli {
namespace {

using blobstore::Quota;

// How the whole store is called here: an empty argument is too easily a mistake of a script.
constexpr char kWholeStore[] = "/";

std::string ToPrefix(const std::string& operand) { return operand == kWholeStore ? "" : operand; }
std::string FromPrefix(const std::string& prefix) { return prefix.empty() ? kWholeStore : prefix; }

json::Value ToJson(const Quota& quota) {
  return {{"prefix", quota.prefix},
          {"max_bytes", quota.limits.bytes},
          {"max_manifests", quota.limits.manifests},
          {"used_bytes", quota.used_bytes},
          {"used_manifests", quota.used_manifests},
          {"reserved_bytes", quota.reserved_bytes}};
}

absl::Status PrintQuotas(const Invocation& invocation, const std::vector<Quota>& quotas) {
  if (invocation.options.json()) {
    json::Value list = json::Value::array();
    for (const Quota& quota : quotas) list.push_back(ToJson(quota));
    return invocation.Print(absl::StrCat(json::DumpPretty(list), "\n"));
  }
  Table table({"PREFIX", "USED", "UPLOADING", "LIMIT", "MANIFESTS", "LIMIT"});
  for (const Quota& quota : quotas) {
    table.AddRow({FromPrefix(quota.prefix), HumanSize(quota.used_bytes), HumanSize(quota.reserved_bytes),
                  quota.limits.bytes == 0 ? "-" : HumanSize(quota.limits.bytes), absl::StrCat(quota.used_manifests),
                  quota.limits.manifests == 0 ? "-" : absl::StrCat(quota.limits.manifests)});
  }
  return invocation.Print(table.ToString());
}

}  // namespace

absl::Status RunStoreQuota(Invocation& invocation) {
  config::ByteSize bytes{0};
  int64_t manifests = 0;
  CommandLine line(invocation, "store quota", "Limits what the repositories under a prefix may hold; \"/\" is the whole store.",
                   "[flags] ls | set PREFIX | rm PREFIX");
  line.Add(&bytes, {.flag = "bytes", .help = "set: the most bytes of blobs and manifests. 0: no limit."});
  line.Add(&manifests, {.flag = "manifests", .help = "set: the most manifests. 0: no limit."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(1, 2));
  if (!operands.has_value()) return absl::OkStatus();
  const std::string& verb = (*operands)[0];
  const bool wants_prefix = verb == "set" || verb == "rm";
  if (!wants_prefix && verb != "ls") return UsageError(absl::StrCat("quota ", verb, ": want ls, set or rm"));
  if (wants_prefix != (operands->size() == 2)) {
    return UsageError(wants_prefix ? absl::StrCat("quota ", verb, " needs a prefix, such as \"team\"") : "quota ls takes no prefix");
  }
  const auto store = blobstore::StoreClient::Connect(invocation.options.store);
  if (verb == "ls") {
    STRATA_ASSIGN_OR_RETURN(const std::vector<Quota> quotas, store->ListQuotas(invocation.Call()));
    return PrintQuotas(invocation, quotas);
  }
  const std::string prefix = ToPrefix((*operands)[1]);
  if (verb == "rm") return store->DeleteQuota(invocation.Call(), prefix);
  STRATA_ASSIGN_OR_RETURN(const Quota quota,
                          store->SetQuota(invocation.Call(), prefix, {.bytes = bytes.bytes, .manifests = manifests}));
  return PrintQuotas(invocation, {quota});
}

}  // namespace strata::cli
