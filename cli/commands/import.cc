#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/client/image_client.h"
#include "cli/commands/commands.h"
#include "cli/commands/local_file.h"
#include "cli/output/human.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::cli {

absl::Status RunImport(Invocation& invocation) {
  builder::v1::ImportImageRequest::Header header;
  std::vector<std::string> changes;
  std::string message, platform;
  CommandLine line(invocation, "import",
                   "Makes an image with one layer of a root file system: a tar, plain or compressed with gzip, zstd, bzip2 or xz.", "FILE|- NAME[:TAG]");
  line.Add(&changes, {.flag = "change", .short_flag = 'c', .value_name = "INSTRUCTION", .help = "A Dockerfile instruction for the config, as 'CMD [\"/bin/sh\"]'."});
  line.Add(&message, {.flag = "message", .short_flag = 'm', .help = "A remark for the image's history."});
  line.Add(&platform, {.flag = "platform", .value_name = "OS/ARCH", .help = "What the files are for; the builder's own unless given."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(2, 2));
  if (!operands.has_value()) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(invocation, (*operands)[0]));
  header.set_name((*operands)[1]);
  header.set_message(message);
  header.set_platform(platform);
  for (const std::string& change : changes) header.add_changes(change);
  ImageClient client(invocation.options.builder);
  STRATA_ASSIGN_OR_RETURN(const auto imported, client.Import(invocation.Call(), header, file.source()));
  if (invocation.options.json()) {
    return invocation.Print(absl::StrCat(json::Dump({{"name", imported.name()},
                                                     {"manifest_digest", imported.manifest_digest()},
                                                     {"config_digest", imported.config_digest()},
                                                     {"size_bytes", imported.size_bytes()}}),
                                         "\n"));
  }
  invocation.Tell(absl::StrCat("Imported ", imported.name(), ", ", HumanSize(imported.size_bytes()), "\n"));
  return invocation.Print(absl::StrCat(imported.manifest_digest(), "\n"));
}

}  // namespace strata::cli
