#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "cli/client/image_client.h"
#include "cli/commands/commands.h"
#include "cli/commands/image_text.h"
#include "cli/exit_code.h"
#include "cli/output/human.h"
#include "cli/output/table.h"
#include "lib/base/status.h"

namespace strata::cli {
namespace {

std::string OrNone(const std::string& text) { return text.empty() ? "<none>" : text; }

std::string AsTable(const builder::v1::ListImagesResponse& images, bool in_full, absl::Time now) {
  Table table({"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"});
  for (const auto& image : images.images()) {
    table.AddRow({OrNone(image.repository()), OrNone(image.tag()), in_full ? IdOf(image) : ShortDigest(IdOf(image)),
                  HumanAge(CreatedOf(image), now), HumanSize(image.size_bytes())});
  }
  return table.ToString();
}

std::string AsJson(const builder::v1::ListImagesResponse& images) {
  json::Value list = json::Value::array();
  for (const auto& image : images.images()) list.push_back(ToJson(image));
  return absl::StrCat(json::DumpPretty(list), "\n");
}

std::string AsIds(const builder::v1::ListImagesResponse& images, bool in_full) {
  std::string text;
  for (const auto& image : images.images()) absl::StrAppend(&text, in_full ? IdOf(image) : ShortDigest(IdOf(image)), "\n");
  return text;
}

// "reference=app*" -> "app*".
absl::StatusOr<std::string> PatternOf(const std::vector<std::string>& filters, const std::vector<std::string>& operands) {
  std::string pattern = operands.empty() ? "" : operands[0];
  for (absl::string_view filter : filters) {
    if (!absl::ConsumePrefix(&filter, "reference=")) {
      return UsageError(absl::StrCat("--filter ", filter, ": only reference=GLOB is known"));
    }
    if (!pattern.empty()) return UsageError("more than one name to look for; give NAME or one --filter reference=GLOB");
    pattern = std::string(filter);
  }
  return pattern;
}

}  // namespace

absl::Status RunImages(Invocation& invocation) {
  bool all = false, ids_only = false, no_trunc = false;
  std::vector<std::string> filters;
  CommandLine line(invocation, "images", "Lists the images of the store; NAME is a glob on \"name\" or \"name:tag\".", "[NAME]");
  line.Add(&all, {.flag = "all", .short_flag = 'a', .help = "Untagged images too."});
  line.Add(&ids_only, {.flag = "quiet", .short_flag = 'q', .help = "Only the ids."});
  line.Add(&no_trunc, {.flag = "no-trunc", .help = "Digests in full."});
  line.Add(&filters, {.flag = "filter", .value_name = "reference=GLOB", .help = "Only images whose name matches."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 1));
  if (!operands.has_value()) return absl::OkStatus();
  builder::v1::ListImagesRequest request;
  request.set_all(all);
  STRATA_ASSIGN_OR_RETURN(*request.mutable_pattern(), PatternOf(filters, *operands));
  ImageClient client(invocation.options.builder);
  STRATA_ASSIGN_OR_RETURN(const auto images, client.List(invocation.Call(), request));
  if (ids_only) return invocation.Print(AsIds(images, no_trunc));
  if (invocation.options.json()) return invocation.Print(AsJson(images));
  return invocation.Print(AsTable(images, no_trunc, invocation.environment.clock.Now()));
}

}  // namespace strata::cli
