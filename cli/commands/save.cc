#include "cli/client/image_client.h"
#include "cli/commands/commands.h"
#include "cli/commands/local_file.h"
#include "lib/base/status.h"

namespace strata::cli {

absl::Status RunSave(Invocation& invocation) {
  std::string path;
  CommandLine line(invocation, "save", "Writes images to a tar that docker, podman and skopeo load: a docker archive and an OCI layout in one.", "REF...");
  line.Add(&path, {.flag = "file", .short_flag = 'o', .value_name = "FILE", .help = "Where to; standard output unless given."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(1, -1));
  if (!operands.has_value()) return absl::OkStatus();
  builder::v1::SaveImagesRequest request;
  for (const std::string& reference : *operands) request.add_references(reference);
  STRATA_ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(invocation, path));
  ImageClient client(invocation.options.builder);
  STRATA_RETURN_IF_ERROR(client.Save(invocation.Call(), request, file.sink()));
  return file.Commit();
}

}  // namespace strata::cli
