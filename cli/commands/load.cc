#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/client/image_client.h"
#include "cli/commands/commands.h"
#include "cli/commands/local_file.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::cli {

absl::Status RunLoad(Invocation& invocation) {
  std::string path;
  CommandLine line(invocation, "load", "Takes the images of a tar that strata save or docker save wrote, or of an OCI layout in a tar.", "");
  line.Add(&path, {.flag = "input", .short_flag = 'i', .value_name = "FILE", .help = "Where from; standard input unless given."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(invocation, path));
  ImageClient client(invocation.options.builder);
  STRATA_ASSIGN_OR_RETURN(const auto loaded, client.Load(invocation.Call(), file.source()));
  if (invocation.options.json()) {
    const std::vector<std::string> names(loaded.loaded().begin(), loaded.loaded().end());
    return invocation.Print(absl::StrCat(json::Dump({{"loaded", names}}), "\n"));
  }
  std::string text;
  for (const std::string& name : loaded.loaded()) absl::StrAppend(&text, name, "\n");
  return invocation.Print(text);
}

}  // namespace strata::cli
