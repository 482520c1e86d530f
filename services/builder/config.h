// What strata-builder can be told: flags, environment (STRATA_BUILDER_...) and file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/config/parser.h"

namespace strata::builder {

struct Config {
  std::vector<std::string> listen = {"127.0.0.1:7072"};
  std::string store = "127.0.0.1:7071";
  std::string data = "/var/lib/strata/builder";
  std::string admin_listen = "127.0.0.1:7082";
  std::vector<std::string> own_hosts = {"127.0.0.1:5000", "localhost:5000"};
  std::vector<std::string> insecure_registries;
  std::string default_registry = "docker.io";
  std::string runtime;
  std::string network = "host";
  int64_t parallelism = 4;
  int64_t compression_threads = 2;
  config::ByteSize snapshot_cache{20'000'000'000};
  config::ByteSize context_cache{5'000'000'000};
  config::ByteSize run_memory{0};
  int64_t run_pids = 32'768;
  absl::Duration run_timeout = absl::Hours(6);
  absl::Duration drain = absl::Seconds(30);
  std::string log_level = "info";
  std::string log_format = "text";
};

// `config` outlives the parser.
inline void AddOptions(Config& config, config::Parser& parser) {
  parser.AddConfigFile("STRATA_BUILDER_CONFIG", "/etc/strata/builder.conf");
  parser.Add(&config.listen, {.flag = "listen", .env = "STRATA_BUILDER_LISTEN", .value_name = "ADDRESS",
                              .help = "Where build requests come in; may be given several times."});
  parser.Add(&config.store, {.flag = "store", .env = "STRATA_STORE", .value_name = "ADDRESS",
                             .help = "The store, host:port or unix:/path."});
  parser.Add(&config.data, {.flag = "data", .env = "STRATA_BUILDER_DATA", .value_name = "FOLDER",
                            .help = "Caches: unpacked layers, context files, cache mounts. May be emptied while stopped."});
  parser.Add(&config.admin_listen, {.flag = "admin-listen", .env = "STRATA_BUILDER_ADMIN_LISTEN", .value_name = "ADDRESS",
                                    .help = "Where /healthz, /readyz and /metrics are."});
  parser.Add(&config.own_hosts, {.flag = "own-host", .env = "STRATA_BUILDER_OWN_HOSTS", .value_name = "HOST",
                                 .help = "A name our registry is reached by: images under it are the store's own."});
  parser.Add(&config.insecure_registries, {.flag = "insecure-registry", .env = "STRATA_BUILDER_INSECURE_REGISTRIES",
                                           .value_name = "HOST", .help = "A registry spoken to in plain HTTP (loopback always is)."});
  parser.Add(&config.default_registry, {.flag = "default-registry", .env = "STRATA_BUILDER_DEFAULT_REGISTRY", .value_name = "HOST",
                                        .help = "Where bases without a host come from when the store has none; \"none\": nowhere."});
  parser.Add(&config.runtime, {.flag = "runtime", .env = "STRATA_BUILDER_RUNTIME", .value_name = "PATH",
                               .help = "crun or runc; empty: whichever works."});
  parser.Add(&config.network, {.flag = "network", .env = "STRATA_BUILDER_NETWORK", .help = "What RUN gets by default.",
                               .one_of = {"host", "none"}});
  parser.Add(&config.parallelism, {.flag = "parallelism", .env = "STRATA_BUILDER_PARALLELISM",
                                   .help = "Steps of one build at the same moment."});
  parser.Add(&config.compression_threads, {.flag = "compression-threads", .env = "STRATA_BUILDER_COMPRESSION_THREADS",
                                           .help = "Threads that compress one layer."});
  parser.Add(&config.snapshot_cache, {.flag = "snapshot-cache", .env = "STRATA_BUILDER_SNAPSHOT_CACHE",
                                      .help = "Unpacked layers kept beyond those in use."});
  parser.Add(&config.context_cache, {.flag = "context-cache", .env = "STRATA_BUILDER_CONTEXT_CACHE",
                                     .help = "Files of build contexts kept between builds."});
  parser.Add(&config.run_memory, {.flag = "run-memory", .env = "STRATA_BUILDER_RUN_MEMORY", .help = "Memory of one RUN; 0: no limit."});
  parser.Add(&config.run_pids, {.flag = "run-pids", .env = "STRATA_BUILDER_RUN_PIDS", .help = "Processes of one RUN; 0: no limit."});
  parser.Add(&config.run_timeout, {.flag = "run-timeout", .env = "STRATA_BUILDER_RUN_TIMEOUT", .help = "How long one RUN may take."});
  parser.Add(&config.drain, {.flag = "drain", .env = "STRATA_BUILDER_DRAIN", .help = "How long running builds may go on after SIGTERM."});
  parser.Add(&config.log_level, {.flag = "log-level", .env = "STRATA_LOG_LEVEL", .help = "The least important lines to log.",
                                 .one_of = {"debug", "info", "warning", "error"}});
  parser.Add(&config.log_format, {.flag = "log-format", .env = "STRATA_LOG_FORMAT", .help = "How lines are logged.",
                                  .one_of = {"text", "json"}});
}

}  // namespace strata::builder
