#include "services/store/config.h"

#include <algorithm>

namespace strata::store {

void AddOptions(config::Parser& parser, Config& config) {
  parser.Add(&config.listen, {.flag = "listen", .env = "STRATA_STORE_LISTEN", .value_name = "ADDRESS",
                              .help = "Where to serve gRPC: host:port or unix:/path. There is no authentication: keep it on "
                                      "loopback or a private network."});
  parser.Add(&config.data, {.flag = "data", .env = "STRATA_STORE_DATA", .value_name = "FOLDER",
                            .help = "Where everything is kept; made when missing."});
  parser.Add(&config.descriptor_socket, {.flag = "descriptor-socket", .env = "STRATA_STORE_DESCRIPTOR_SOCKET", .value_name = "PATH",
                                         .help = "Socket over which registry and builder on this host, run by the same user or root, "
                                                 "get the files of blobs; \"auto\": descriptors.sock in the data folder; \"off\": none."});
  parser.Add(&config.admin_listen, {.flag = "admin-listen", .env = "STRATA_STORE_ADMIN_LISTEN", .value_name = "ADDRESS",
                                    .help = "Where to answer /healthz, /readyz and /metrics over HTTP; empty: nowhere."});
  parser.Add(&config.gc_grace, {.flag = "gc-grace", .env = "STRATA_STORE_GC_GRACE",
                                .help = "How long content stays that nothing refers to. At least the longest push or build."});
  parser.Add(&config.gc_interval, {.flag = "gc-interval", .env = "STRATA_STORE_GC_INTERVAL",
                                   .help = "How often to look for content that can go."});
  parser.Add(&config.retention_interval, {.flag = "retention-interval", .env = "STRATA_STORE_RETENTION_INTERVAL",
                                          .help = "How often the retention rules are applied. Without rules nothing is removed."});
  parser.Add(&config.history_entries, {.flag = "history-entries", .env = "STRATA_STORE_HISTORY_ENTRIES",
                                       .help = "How many changes of a tag its history keeps."});
  parser.Add(&config.history_age, {.flag = "history-age", .env = "STRATA_STORE_HISTORY_AGE",
                                   .help = "How long a tag's history keeps where it pointed before."});
  parser.Add(&config.upload_ttl, {.flag = "upload-ttl", .env = "STRATA_STORE_UPLOAD_TTL",
                                  .help = "How long an upload may rest before it is discarded."});
  parser.Add(&config.max_uploads, {.flag = "max-uploads", .env = "STRATA_STORE_MAX_UPLOADS",
                                   .help = "Unfinished uploads kept at the same time; more are refused until some end."});
  parser.Add(&config.max_uploads_per_repository,
             {.flag = "max-uploads-per-repository", .env = "STRATA_STORE_MAX_UPLOADS_PER_REPOSITORY",
              .help = "The same for each repository."});
  parser.Add(&config.cache_records_budget,
             {.flag = "cache-records-budget", .env = "STRATA_STORE_CACHE_RECORDS_BUDGET",
              .help = "Size of build-cache records and the blobs they need; beyond it those unused for longest go. 0: no limit."});
  parser.Add(&config.cache_records_max, {.flag = "cache-records-max", .env = "STRATA_STORE_CACHE_RECORDS_MAX",
                                         .help = "Build-cache records kept; beyond it those unused for longest go. 0: no limit."});
  parser.Add(&config.reserved_disk, {.flag = "reserved-disk", .env = "STRATA_STORE_RESERVED_DISK",
                                     .help = "Disk that uploads leave free."});
  parser.Add(&config.min_upload_rate,
             {.flag = "min-upload-rate", .env = "STRATA_STORE_MIN_UPLOAD_RATE",
              .help = "What an upload must bring a minute, on average over ten minutes of waiting for it. 0: anything."});
  parser.Add(&config.backup_dir, {.flag = "backup-dir", .env = "STRATA_STORE_BACKUP_DIR", .value_name = "FOLDER",
                                  .help = "Where \"strata store backup NAME\" makes its folders: clients choose names in it and nothing "
                                          "else. Empty: backups are refused."});
  parser.Add(&config.scrub_rate, {.flag = "scrub-rate", .env = "STRATA_STORE_SCRUB_RATE",
                                  .help = "Bytes a second that are read in the background to find damage; 0 is none."});
  parser.Add(&config.scrub_every, {.flag = "scrub-every", .env = "STRATA_STORE_SCRUB_EVERY",
                                   .help = "How often to read everything again. Checksums are compared; every fourth time digests."});
  parser.Add(&config.max_calls, {.flag = "max-calls", .env = "STRATA_STORE_MAX_CALLS",
                                 .help = "Calls served at the same moment; each open upload and download is one, and these may take "
                                         "seven eighths."});
  parser.Add(&config.drain, {.flag = "drain", .env = "STRATA_STORE_DRAIN",
                             .help = "How long running calls may go on after SIGTERM."});
  parser.Add(&config.log_format, {.flag = "log-format", .env = "STRATA_LOG_FORMAT", .help = "Shape of log lines.",
                                  .one_of = {"text", "json"}});
  parser.Add(&config.log_level, {.flag = "log-level", .env = "STRATA_LOG_LEVEL", .help = "The least level shown.",
                                 .one_of = {"debug", "info", "warning", "error"}});
  parser.AddConfigFile("STRATA_STORE_CONFIG", "/etc/strata/store.conf");
}

absl::Status Check(const Config& config) {
  if (config.listen.empty()) return absl::InvalidArgumentError("--listen: at least one address is needed");
  if (config.data.empty()) return absl::InvalidArgumentError("--data: a folder is needed");
  if (config.max_calls < 4 || config.max_calls > 10'000) return absl::InvalidArgumentError("--max-calls: want 4 to 10000");
  if (config.max_uploads < 1) return absl::InvalidArgumentError("--max-uploads: want at least 1");
  if (config.max_uploads_per_repository < 1) return absl::InvalidArgumentError("--max-uploads-per-repository: want at least 1");
  if (config.cache_records_max < 0) return absl::InvalidArgumentError("--cache-records-max: want 0 or more");
  if (config.gc_interval < absl::Seconds(1)) return absl::InvalidArgumentError("--gc-interval: want at least 1s");
  if (config.scrub_rate.bytes < 0) return absl::InvalidArgumentError("--scrub-rate: want 0 or more");
  if (config.scrub_every < absl::Hours(1)) return absl::InvalidArgumentError("--scrub-every: want at least 1h");
  if (config.retention_interval < absl::Seconds(1)) return absl::InvalidArgumentError("--retention-interval: want at least 1s");
  if (config.history_entries < 1 || config.history_entries > 10'000) {
    return absl::InvalidArgumentError("--history-entries: want 1 to 10000");
  }
  if (config.history_age < absl::Minutes(1)) return absl::InvalidArgumentError("--history-age: want at least 1m");
  return absl::OkStatus();
}

std::string DescriptorSocket(const Config& config) {
  if (config.descriptor_socket == "off") return "";
  if (config.descriptor_socket.empty() || config.descriptor_socket == "auto") return config.data + "/descriptors.sock";
  return config.descriptor_socket;
}

int MaxStreams(const Config& config) {
  return static_cast<int>(config.max_calls - std::max<int64_t>(2, config.max_calls / 8));
}

EngineOptions ToEngineOptions(const Config& config) {
  EngineOptions options;
  options.data_dir = config.data;
  options.grace = config.gc_grace;
  options.session_ttl = config.upload_ttl;
  options.collect_every = config.gc_interval;
  options.max_sessions = config.max_uploads;
  options.max_sessions_a_repository = config.max_uploads_per_repository;
  options.cache_budget_bytes = config.cache_records_budget.bytes;
  options.cache_budget_records = config.cache_records_max;
  options.apply_retention_every = config.retention_interval;
  options.history_entries = static_cast<int>(config.history_entries);
  options.history_age = config.history_age;
  options.reserved_bytes = config.reserved_disk.bytes;
  options.max_large_writers = static_cast<int>(config.max_calls / 2);
  return options;
}

ScrubOptions ToScrubOptions(const Config& config) {
  return {.bytes_per_second = config.scrub_rate.bytes, .every = config.scrub_every};
}

}  // namespace strata::store
