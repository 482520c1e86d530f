#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/client/image_client.h"
#include "cli/commands/commands.h"
#include "cli/commands/image_text.h"
#include "cli/output/human.h"
#include "cli/output/table.h"
#include "lib/base/status.h"
#include "lib/oci/image_config.h"

namespace strata::cli {
namespace {

constexpr int kCommandColumns = 60;

struct Row {
  oci::HistoryEntry entry;
  std::string layer;  // its digest; "" for an entry that changes no files
  int64_t size_bytes = 0;
};

// The newest first, each entry with the layer it made.
std::vector<Row> RowsOf(const oci::ImageConfig& config, const builder::v1::InspectImageResponse& image) {
  std::vector<Row> rows;
  int layer = 0;
  for (const oci::HistoryEntry& entry : config.history) {
    Row row = {.entry = entry};
    if (!entry.empty_layer && layer < image.layers_size()) {
      row.layer = image.layers(layer).digest();
      row.size_bytes = image.layers(layer).size_bytes();
      ++layer;
    }
    rows.push_back(std::move(row));
  }
  // Layers nobody wrote a line about.
  for (; layer < image.layers_size(); ++layer) {
    rows.push_back({.layer = image.layers(layer).digest(), .size_bytes = image.layers(layer).size_bytes()});
  }
  std::reverse(rows.begin(), rows.end());
  return rows;
}

std::string AsTable(const std::vector<Row>& rows, bool in_full, absl::Time now) {
  Table table({"CREATED", "CREATED BY", "SIZE", "COMMENT"});
  for (const Row& row : rows) {
    const std::string command = CleanLine(row.entry.created_by, false);
    table.AddRow({HumanAge(row.entry.created.value_or(absl::UnixEpoch()), now),
                  in_full ? command : FitWidth(command, kCommandColumns, /*utf8=*/true), HumanSize(row.size_bytes),
                  CleanLine(row.entry.comment, false)});
  }
  return table.ToString();
}

std::string AsJson(const std::vector<Row>& rows) {
  json::Value list = json::Value::array();
  for (const Row& row : rows) {
    json::Value value = {{"created", nullptr}, {"created_by", row.entry.created_by}, {"comment", row.entry.comment},
                         {"layer", row.layer}, {"size_bytes", row.size_bytes}};
    if (row.entry.created.has_value()) {
      value["created"] = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", *row.entry.created, absl::UTCTimeZone());
    }
    list.push_back(std::move(value));
  }
  return absl::StrCat(json::DumpPretty(list), "\n");
}

}  // namespace

absl::Status RunHistory(Invocation& invocation) {
  bool no_trunc = false;
  std::string platform;
  CommandLine line(invocation, "history", "Shows the steps that made an image, the newest first. Sizes are those of the compressed layers.", "REF");
  line.Add(&no_trunc, {.flag = "no-trunc", .help = "Commands in full."});
  line.Add(&platform, {.flag = "platform", .value_name = "OS/ARCH", .help = "Which image of an index."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(1, 1));
  if (!operands.has_value()) return absl::OkStatus();
  builder::v1::InspectImageRequest request;
  request.set_reference(operands->front());
  request.set_platform(platform);
  ImageClient client(invocation.options.builder);
  STRATA_ASSIGN_OR_RETURN(const auto image, client.Inspect(invocation.Call(), request));
  const auto config = oci::ImageConfig::Parse(image.config());
  if (!config.ok()) return Annotate(config.status(), absl::StrCat("the config of \"", operands->front(), "\""));
  const std::vector<Row> rows = RowsOf(*config, image);
  if (invocation.options.json()) return invocation.Print(AsJson(rows));
  return invocation.Print(AsTable(rows, no_trunc, invocation.environment.clock.Now()));
}

}  // namespace strata::cli
