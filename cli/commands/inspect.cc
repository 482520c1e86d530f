#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/client/image_client.h"
#include "cli/commands/commands.h"
#include "cli/commands/image_text.h"
#include "cli/output/human.h"
#include "lib/base/status.h"

namespace strata::cli {
namespace {

using builder::v1::InspectImageResponse;

// The documents are shown as they are; one that is no JSON is the builder's fault and shown as text.
json::Value Document(const std::string& text) {
  auto value = json::Parse(text, {.max_bytes = 16 * 1024 * 1024});
  return value.ok() ? *std::move(value) : json::Value(text);
}

json::Value AsJson(const InspectImageResponse& image) {
  json::Value value = ToJson(image.summary());
  value["names"] = std::vector<std::string>(image.names().begin(), image.names().end());
  value["media_type"] = image.media_type();
  value["layers"] = json::Value::array();
  for (const auto& layer : image.layers()) {
    value["layers"].push_back({{"digest", layer.digest()}, {"diff_id", layer.diff_id()}, {"media_type", layer.media_type()},
                               {"size_bytes", layer.size_bytes()}});
  }
  value["manifest"] = Document(image.manifest());
  if (!image.config().empty()) value["config"] = Document(image.config());
  return value;
}

std::string ListOf(const json::Value& config, absl::string_view key) {
  const auto list = json::StringListField(config, key);
  return list.ok() ? absl::StrJoin(*list, " ") : "";
}

void AppendLine(std::string& text, absl::string_view label, absl::string_view value) {
  if (!value.empty()) absl::StrAppend(&text, label, std::string(14 - label.size(), ' '), CleanLine(value, false), "\n");
}

std::string AsText(const InspectImageResponse& image, absl::Time now) {
  std::string text;
  AppendLine(text, "Names:", absl::StrJoin(image.names(), " "));
  AppendLine(text, "Id:", IdOf(image.summary()));
  AppendLine(text, "Manifest:", image.summary().manifest_digest());
  AppendLine(text, "Media type:", image.media_type());
  AppendLine(text, "Platforms:", absl::StrJoin(image.summary().platforms(), " "));
  AppendLine(text, "Created:", HumanAge(CreatedOf(image.summary()), now));
  AppendLine(text, "Size:", HumanSize(image.summary().size_bytes()));
  const auto document = json::Parse(image.config(), {.max_bytes = 16 * 1024 * 1024});
  const json::Value* config = document.ok() ? json::Find(*document, "config") : nullptr;
  if (config != nullptr) {
    AppendLine(text, "Entrypoint:", ListOf(*config, "Entrypoint"));
    AppendLine(text, "Command:", ListOf(*config, "Cmd"));
    AppendLine(text, "Folder:", json::StringField(*config, "WorkingDir").value_or(""));
    AppendLine(text, "User:", json::StringField(*config, "User").value_or(""));
    AppendLine(text, "Ports:", absl::StrJoin(json::KeySetField(*config, "ExposedPorts").value_or(std::vector<std::string>()), " "));
    const auto env = json::StringListField(*config, "Env").value_or(std::vector<std::string>());
    for (const std::string& variable : env) AppendLine(text, "Env:", variable);
    const auto labels = json::StringMapField(*config, "Labels").value_or(std::vector<std::pair<std::string, std::string>>());
    for (const auto& [name, value] : labels) AppendLine(text, "Label:", absl::StrCat(name, "=", value));
  }
  for (const auto& layer : image.layers()) {
    AppendLine(text, "Layer:", absl::StrCat(layer.digest(), "  ", HumanSize(layer.size_bytes())));
  }
  return text;
}

}  // namespace

absl::Status RunInspect(Invocation& invocation) {
  builder::v1::InspectImageRequest request;
  std::string platform, raw;
  CommandLine line(invocation, "inspect", "Shows what images are made of. With --output json, everything, as a list.", "REF...");
  line.Add(&platform, {.flag = "platform", .value_name = "OS/ARCH", .help = "Which image of an index."});
  line.Add(&raw, {.flag = "raw", .value_name = "DOCUMENT", .help = "Print this document byte for byte instead.", .one_of = {"manifest", "config"}});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(1, -1));
  if (!operands.has_value()) return absl::OkStatus();
  ImageClient client(invocation.options.builder);
  json::Value list = json::Value::array();
  std::string text;
  for (const std::string& reference : *operands) {
    request.set_reference(reference);
    request.set_platform(platform);
    STRATA_ASSIGN_OR_RETURN(const auto image, client.Inspect(invocation.Call(), request));
    if (!raw.empty()) {
      STRATA_RETURN_IF_ERROR(invocation.Print(raw == "manifest" ? image.manifest() : image.config()));
    } else if (invocation.options.json()) {
      list.push_back(AsJson(image));
    } else {
      absl::StrAppend(&text, text.empty() ? "" : "\n", AsText(image, invocation.environment.clock.Now()));
    }
  }
  if (!raw.empty()) return absl::OkStatus();
  return invocation.Print(invocation.options.json() ? absl::StrCat(json::DumpPretty(list), "\n") : text);
}

}  // namespace strata::cli
