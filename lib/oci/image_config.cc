#include "lib/oci/image_config.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::oci {

namespace {

constexpr size_t kMaxConfigBytes = 8 * 1024 * 1024;

absl::StatusOr<std::optional<absl::Time>> ReadTime(const json::Value& object, absl::string_view key) {
  STRATA_ASSIGN_OR_RETURN(const std::string text, json::StringField(object, key));
  if (text.empty()) return std::nullopt;
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return absl::InvalidArgumentError(absl::StrCat("field \"", key, "\" is not an RFC 3339 time: \"", text.substr(0, 40), "\""));
  }
  return time;
}

std::string WriteTime(absl::Time time) { return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E*SZ", time, absl::UTCTimeZone()); }

absl::StatusOr<std::optional<std::vector<std::string>>> ReadOptionalList(const json::Value& object, absl::string_view key) {
  if (json::Find(object, key) == nullptr) return std::nullopt;
  STRATA_ASSIGN_OR_RETURN(std::vector<std::string> list, json::StringListField(object, key));
  return list;
}

absl::StatusOr<Healthcheck> ReadHealthcheck(const json::Value& value) {
  Healthcheck check;
  STRATA_ASSIGN_OR_RETURN(check.test, json::StringListField(value, "Test"));
  STRATA_ASSIGN_OR_RETURN(check.interval_ns, json::IntField(value, "Interval"));
  STRATA_ASSIGN_OR_RETURN(check.timeout_ns, json::IntField(value, "Timeout"));
  STRATA_ASSIGN_OR_RETURN(check.start_period_ns, json::IntField(value, "StartPeriod"));
  STRATA_ASSIGN_OR_RETURN(check.start_interval_ns, json::IntField(value, "StartInterval"));
  STRATA_ASSIGN_OR_RETURN(check.retries, json::IntField(value, "Retries"));
  return check;
}

json::Value WriteHealthcheck(const Healthcheck& check) {
  json::Value value = json::Value::object();
  if (!check.test.empty()) value["Test"] = check.test;
  if (check.interval_ns != 0) value["Interval"] = check.interval_ns;
  if (check.timeout_ns != 0) value["Timeout"] = check.timeout_ns;
  if (check.start_period_ns != 0) value["StartPeriod"] = check.start_period_ns;
  if (check.start_interval_ns != 0) value["StartInterval"] = check.start_interval_ns;
  if (check.retries != 0) value["Retries"] = check.retries;
  return value;
}

absl::Status ReadRunConfig(const json::Value& run, ImageConfig& config) {
  STRATA_ASSIGN_OR_RETURN(config.user, json::StringField(run, "User"));
  STRATA_ASSIGN_OR_RETURN(const auto ports, json::KeySetField(run, "ExposedPorts"));
  config.exposed_ports.insert(ports.begin(), ports.end());
  STRATA_ASSIGN_OR_RETURN(config.env, json::StringListField(run, "Env"));
  STRATA_ASSIGN_OR_RETURN(config.entrypoint, ReadOptionalList(run, "Entrypoint"));
  STRATA_ASSIGN_OR_RETURN(config.cmd, ReadOptionalList(run, "Cmd"));
  STRATA_ASSIGN_OR_RETURN(const auto volumes, json::KeySetField(run, "Volumes"));
  config.volumes.insert(volumes.begin(), volumes.end());
  STRATA_ASSIGN_OR_RETURN(config.working_dir, json::StringField(run, "WorkingDir"));
  STRATA_ASSIGN_OR_RETURN(const auto labels, json::StringMapField(run, "Labels"));
  config.labels.insert(labels.begin(), labels.end());
  STRATA_ASSIGN_OR_RETURN(config.stop_signal, json::StringField(run, "StopSignal"));
  if (const json::Value* check = json::Find(run, "Healthcheck")) {
    STRATA_ASSIGN_OR_RETURN(config.healthcheck, ReadHealthcheck(*check));
  }
  STRATA_ASSIGN_OR_RETURN(config.shell, ReadOptionalList(run, "Shell"));
  STRATA_ASSIGN_OR_RETURN(config.on_build, json::StringListField(run, "OnBuild"));
  STRATA_ASSIGN_OR_RETURN(config.args_escaped, json::BoolField(run, "ArgsEscaped"));
  return absl::OkStatus();
}

json::Value WriteKeySet(const std::set<std::string>& keys) {
  json::Value value = json::Value::object();
  for (const std::string& key : keys) value[key] = json::Value::object();
  return value;
}

json::Value WriteRunConfig(const ImageConfig& config) {
  json::Value run = json::Value::object();
  if (!config.user.empty()) run["User"] = config.user;
  if (!config.exposed_ports.empty()) run["ExposedPorts"] = WriteKeySet(config.exposed_ports);
  if (!config.env.empty()) run["Env"] = config.env;
  if (config.entrypoint) run["Entrypoint"] = *config.entrypoint;
  if (config.cmd) run["Cmd"] = *config.cmd;
  if (config.healthcheck) run["Healthcheck"] = WriteHealthcheck(*config.healthcheck);
  if (config.args_escaped) run["ArgsEscaped"] = true;
  if (!config.volumes.empty()) run["Volumes"] = WriteKeySet(config.volumes);
  if (!config.working_dir.empty()) run["WorkingDir"] = config.working_dir;
  if (!config.on_build.empty()) run["OnBuild"] = config.on_build;
  if (!config.labels.empty()) {
    run["Labels"] = json::Value::object();
    for (const auto& [key, value] : config.labels) run["Labels"][key] = value;
  }
  if (!config.stop_signal.empty()) run["StopSignal"] = config.stop_signal;
  if (config.shell) run["Shell"] = *config.shell;
  return run;
}

absl::Status ReadRootfs(const json::Value& document, ImageConfig& config) {
  const json::Value* rootfs = json::Find(document, "rootfs");
  if (rootfs == nullptr) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(const auto diff_ids, json::StringListField(*rootfs, "diff_ids"));
  for (const std::string& text : diff_ids) {
    STRATA_ASSIGN_OR_RETURN(Digest digest, Digest::Parse(text));
    config.diff_ids.push_back(std::move(digest));
  }
  return absl::OkStatus();
}

absl::Status ReadHistory(const json::Value& document, ImageConfig& config) {
  const json::Value* history = json::Find(document, "history");
  if (history == nullptr) return absl::OkStatus();
  if (!history->is_array()) return absl::InvalidArgumentError("field \"history\" must be a list");
  for (const json::Value& item : *history) {
    HistoryEntry entry;
    STRATA_ASSIGN_OR_RETURN(entry.created, ReadTime(item, "created"));
    STRATA_ASSIGN_OR_RETURN(entry.created_by, json::StringField(item, "created_by"));
    STRATA_ASSIGN_OR_RETURN(entry.author, json::StringField(item, "author"));
    STRATA_ASSIGN_OR_RETURN(entry.comment, json::StringField(item, "comment"));
    STRATA_ASSIGN_OR_RETURN(entry.empty_layer, json::BoolField(item, "empty_layer"));
    config.history.push_back(std::move(entry));
  }
  return absl::OkStatus();
}

json::Value WriteHistory(const std::vector<HistoryEntry>& history) {
  json::Value list = json::Value::array();
  for (const HistoryEntry& entry : history) {
    json::Value item = json::Value::object();
    if (entry.created) item["created"] = WriteTime(*entry.created);
    if (!entry.created_by.empty()) item["created_by"] = entry.created_by;
    if (!entry.author.empty()) item["author"] = entry.author;
    if (!entry.comment.empty()) item["comment"] = entry.comment;
    if (entry.empty_layer) item["empty_layer"] = true;
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace

absl::StatusOr<ImageConfig> ImageConfig::Parse(absl::string_view content) {
  STRATA_ASSIGN_OR_RETURN(const json::Value document, json::Parse(content, {.max_bytes = kMaxConfigBytes}));
  if (!document.is_object()) return absl::InvalidArgumentError("an image config must be a JSON object");
  ImageConfig config;
  STRATA_ASSIGN_OR_RETURN(config.created, ReadTime(document, "created"));
  STRATA_ASSIGN_OR_RETURN(config.author, json::StringField(document, "author"));
  STRATA_ASSIGN_OR_RETURN(config.platform.os, json::StringField(document, "os"));
  STRATA_ASSIGN_OR_RETURN(config.platform.architecture, json::StringField(document, "architecture"));
  STRATA_ASSIGN_OR_RETURN(config.platform.variant, json::StringField(document, "variant"));
  STRATA_ASSIGN_OR_RETURN(config.platform.os_version, json::StringField(document, "os.version"));
  if (config.platform.architecture == "arm64" && config.platform.variant == "v8") config.platform.variant.clear();
  if (const json::Value* run = json::Find(document, "config")) STRATA_RETURN_IF_ERROR(ReadRunConfig(*run, config));
  STRATA_RETURN_IF_ERROR(ReadRootfs(document, config));
  STRATA_RETURN_IF_ERROR(ReadHistory(document, config));
  return config;
}

std::string ImageConfig::ToJson() const {
  json::Value document = json::Value::object();
  if (created) document["created"] = WriteTime(*created);
  if (!author.empty()) document["author"] = author;
  document["architecture"] = platform.architecture;
  if (!platform.variant.empty()) document["variant"] = platform.variant;
  document["os"] = platform.os;
  if (!platform.os_version.empty()) document["os.version"] = platform.os_version;
  document["config"] = WriteRunConfig(*this);
  json::Value ids = json::Value::array();
  for (const Digest& digest : diff_ids) ids.push_back(digest.ToString());
  document["rootfs"] = {{"type", "layers"}, {"diff_ids", std::move(ids)}};
  if (!history.empty()) document["history"] = WriteHistory(history);
  return json::Dump(document);
}

const std::string* ImageConfig::FindEnv(absl::string_view name) const {
  const std::string prefix = absl::StrCat(name, "=");
  for (const std::string& entry : env) {
    if (absl::StartsWith(entry, prefix)) return &entry;
  }
  return nullptr;
}

void ImageConfig::SetEnv(absl::string_view name, absl::string_view value) {
  const std::string prefix = absl::StrCat(name, "=");
  for (std::string& entry : env) {
    if (absl::StartsWith(entry, prefix)) {
      entry = absl::StrCat(prefix, value);
      return;
    }
  }
  env.push_back(absl::StrCat(prefix, value));
}

}  // namespace strata::oci
