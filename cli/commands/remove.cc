#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/client/image_client.h"
#include "cli/commands/commands.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::cli {

// Goes on after an error, as rm(1) does; the first one is returned.
absl::Status RunRemove(Invocation& invocation) {
  bool force = false;
  CommandLine line(invocation, "rmi", "Removes names of images; an image goes with its last name.", "REF...");
  line.Add(&force, {.flag = "force", .short_flag = 'f', .help = "An id with several names: remove all of them."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(1, -1));
  if (!operands.has_value()) return absl::OkStatus();
  ImageClient client(invocation.options.builder);
  absl::Status first_error;
  json::Value untagged = json::Value::array();
  json::Value deleted = json::Value::array();
  for (const std::string& reference : *operands) {
    builder::v1::RemoveImageRequest request;
    request.set_reference(reference);
    request.set_force(force);
    const auto removed = client.Remove(invocation.Call(), request);
    if (!removed.ok()) {
      if (!first_error.ok()) invocation.Tell(absl::StrCat("strata: ", removed.status().message(), "\n"));
      if (first_error.ok()) first_error = removed.status();
      if (absl::IsUnavailable(first_error) || absl::IsCancelled(first_error)) break;
      continue;
    }
    for (const std::string& name : removed->untagged()) untagged.push_back(name);
    for (const std::string& digest : removed->deleted()) deleted.push_back(digest);
    if (invocation.options.json()) continue;
    std::string text;
    for (const std::string& name : removed->untagged()) absl::StrAppend(&text, "Untagged: ", name, "\n");
    for (const std::string& digest : removed->deleted()) absl::StrAppend(&text, "Deleted: ", digest, "\n");
    STRATA_RETURN_IF_ERROR(invocation.Print(text));
  }
  if (invocation.options.json()) {
    STRATA_RETURN_IF_ERROR(invocation.Print(absl::StrCat(json::Dump({{"untagged", untagged}, {"deleted", deleted}}), "\n")));
  }
  return first_error;
}

}  // namespace strata::cli
