// What strata-store can be told, and how.
#pragma once

#include <string>
#include <vector>

#include "lib/config/parser.h"
#include "services/store/engine/core.h"
#include "services/store/scrub/scrubber.h"

namespace strata::store {

struct Config {
  std::vector<std::string> listen = {"127.0.0.1:7071"};
  std::string admin_listen = "127.0.0.1:7081";
  std::string data = "/var/lib/strata/store";
  std::string descriptor_socket = "auto";
  absl::Duration gc_grace = absl::Hours(24);
  absl::Duration gc_interval = absl::Minutes(1);
  absl::Duration retention_interval = absl::Hours(1);
  int64_t history_entries = 100;
  absl::Duration history_age = absl::Hours(24 * 90);
  absl::Duration upload_ttl = absl::Hours(24);
  int64_t max_uploads = 100'000;
  int64_t max_uploads_per_repository = 10'000;
  config::ByteSize cache_records_budget{64LL << 30};
  int64_t cache_records_max = 1'000'000;
  config::ByteSize reserved_disk{128 << 20};
  config::ByteSize min_upload_rate{64 << 10};  // a minute
  std::string backup_dir;                // empty: no backups
  config::ByteSize scrub_rate{20 << 20};  // a second; 0: no scrubbing
  absl::Duration scrub_every = absl::Hours(24 * 30);
  int64_t max_calls = 320;  // all requests of a registry may stream, and there is room for more
  absl::Duration drain = absl::Seconds(30);
  std::string log_format = "text";
  std::string log_level = "info";
};

// `config` outlives the parser.
void AddOptions(config::Parser& parser, Config& config);

// kInvalidArgument, naming the flag: values that make no sense together or alone.
absl::Status Check(const Config& config);

// Where open files are handed out; empty: nowhere.
std::string DescriptorSocket(const Config& config);

EngineOptions ToEngineOptions(const Config& config);
ScrubOptions ToScrubOptions(const Config& config);
// Of max_calls one in eight, and two at least, are kept for calls that carry no content.
int MaxStreams(const Config& config);

}  // namespace strata::store
