// strata-builder: executes build requests and streams each layer to the store. Read from top to bottom: this is the wiring.
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "lib/base/call_context.h"
#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/blobstore/store_client.h"
#include "lib/config/parser.h"
#include "lib/http/client.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/call.h"
#include "lib/rpc/server.h"
#include "lib/service/admin_server.h"
#include "lib/service/readiness.h"
#include "lib/service/run.h"
#include "lib/service/version.h"
#include "services/builder/build/build.h"
#include "services/builder/cache/step_cache.h"
#include "services/builder/config.h"
#include "services/builder/context/content_cache.h"
#include "services/builder/executor/executor.h"
#include "services/builder/exporter/image_exporter.h"
#include "services/builder/rpc/build_service.h"
#include "services/builder/rpc/image_service.h"
#include "services/builder/snapshot/snapshot_store.h"
#include "services/builder/solver/solver.h"
#include "services/builder/source/image_puller.h"
#include "services/builder/source/store_layers.h"

namespace strata {
namespace {

absl::Status MakeFolders(const std::string& data) {
  std::error_code leftover;
  std::filesystem::remove_all(absl::StrCat(data, "/scratch"), leftover);  // of steps that a crash ended; what stays does no harm
  for (const char* name : {"snapshots", "context", "executor", "cache-mounts", "scratch"}) {
    std::error_code error;
    std::filesystem::create_directories(absl::StrCat(data, "/", name), error);
    if (error) return ErrnoStatus(error.value(), absl::StrCat("creating ", data, "/", name));
  }
  // What others on this machine must not read: layers may hold anything.
  if (::chmod(data.c_str(), 0700) != 0) return ErrnoStatus(errno, absl::StrCat("closing ", data, " to others"));
  return absl::OkStatus();
}

// A build opens a descriptor for each folder it is in, each upload and each mount; the usual 1024 are soon too few.
void RaiseFileLimit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Why no build could run now; "" when one could.
std::string StoreProblem(blobstore::StoreClient& store) {
  CallContext context;
  context.deadline = absl::Now() + absl::Seconds(2);
  const absl::Status status = store.Ping(context);
  return status.ok() ? "" : std::string(status.message());
}

absl::StatusOr<int> Serve(const builder::Config& config, const config::Parser& parser) {
  STRATA_RETURN_IF_ERROR(MakeFolders(config.data));
  ::umask(0);  // modes in images are what the Dockerfile says, not what this process was started with
  const SystemClock clock;
  metrics::Registry metrics;
  metrics::AddProcessMetrics(metrics);
  service::Readiness readiness;
  const executor::Network default_network = config.network == "none" ? executor::Network::kNone : executor::Network::kHost;
  const std::string default_registry = config.default_registry == "none" ? "" : config.default_registry;

  // What the builder keeps on its disk, and the store.
  const auto store = blobstore::StoreClient::Connect(config.store);
  readiness.SetCheck([&store] { return StoreProblem(*store); });
  source::StoreLayers layers(*store);
  STRATA_ASSIGN_OR_RETURN(const auto snapshots, snapshot::SnapshotStore::Open({.root = absl::StrCat(config.data, "/snapshots"),
                                                                               .max_bytes = config.snapshot_cache.bytes},
                                                                              layers));
  STRATA_ASSIGN_OR_RETURN(const auto files,
                          context::ContentCache::Open(absl::StrCat(config.data, "/context"), config.context_cache.bytes));
  STRATA_ASSIGN_OR_RETURN(
      const auto executor,
      executor::Executor::Open({.state_dir = absl::StrCat(config.data, "/executor"),
                                .runtime = config.runtime,
                                .default_network = default_network}));

  if (!executor->Warning().empty()) log::Warning("RUN steps are limited", {{"why", executor->Warning()}});

  // What builds are made of.
  http::Client http;
  cache::StepCache step_cache(*store);
  solver::Flights flights;
  const ops::OpEnvironment environment{
      .blobs = *store,
      .cache = step_cache,
      .snapshots = *snapshots,
      .executor = *executor,
      .files = *files,
      .http = http,
      .cache_mounts = flights,
      .cache_mount_root = absl::StrCat(config.data, "/cache-mounts"),
      .scratch_root = absl::StrCat(config.data, "/scratch"),
      .limits = {.memory_bytes = config.run_memory.bytes, .pids = config.run_pids, .timeout = config.run_timeout},
      .default_network = default_network,
      .layer = {.compression_threads = static_cast<int>(config.compression_threads)},
  };
  solver::Solver solver(step_cache, static_cast<int>(config.parallelism));
  exporter::ImageExporter exporter(*store, *store);
  source::ImagePuller puller(*store, *store, flights);
  build::Builder builder(solver, environment, exporter, config.own_hosts);

  // Front doors.
  rpc::CallWatcher watcher;
  rpc::BuildServiceImpl build_service({.builder = builder,
                                       .blobs = *store,
                                       .refs = *store,
                                       .puller = puller,
                                       .files = *files,
                                       .http = http,
                                       .clock = clock,
                                       .own_hosts = config.own_hosts,
                                       .insecure_hosts = config.insecure_registries,
                                       .default_registry = default_registry});
  rpc::ImageServiceImpl image_service({.blobs = *store,
                                       .refs = *store,
                                       .puller = puller,
                                       .http = http,
                                       .watcher = watcher,
                                       .clock = clock,
                                       .own_hosts = config.own_hosts,
                                       .insecure_hosts = config.insecure_registries,
                                       .default_registry = default_registry,
                                       .layer = environment.layer});
  STRATA_ASSIGN_OR_RETURN(const auto server, rpc::Server::Start({.listen = config.listen, .metrics = &metrics}, {&build_service, &image_service}));
  STRATA_ASSIGN_OR_RETURN(const auto admin, service::AdminServer::Start({.listen = config.admin_listen,
                                                                         .config = [&parser] { return parser.Describe(); }},
                                                                        metrics, readiness));
  log::Info("strata-builder is ready", {{"listen", absl::StrJoin(server->addresses(), ",")},
                                        {"admin", admin->address()},
                                        {"store", config.store},
                                        {"data", config.data},
                                        {"runtime", executor->Description()}});
  return service::Run({.name = "strata-builder", .drain_limit = config.drain}, readiness,
                      [&](absl::Duration limit) { server->Shutdown(limit); });
}

int Main(int argc, const char* const* argv) {
  service::PrepareSignals();
  builder::Config config;
  config::Parser parser("strata-builder", "Executes build requests and streams each layer to the store.");
  builder::AddOptions(config, parser);
  config::ParseOrExit(parser, "strata-builder", service::kVersion, argc, argv);
  const auto level = log::ParseLevel(config.log_level);
  const auto format = log::ParseFormat(config.log_format);
  if (level.ok() && format.ok()) log::Configure(*level, *format);
  RaiseFileLimit();
  const absl::StatusOr<int> code = Serve(config, parser);
  if (code.ok()) return *code;
  std::fprintf(stderr, "strata-builder: %s\n", std::string(code.status().message()).c_str());
  return 1;
}

}  // namespace
}  // namespace strata

int main(int argc, char** argv) { return strata::Main(argc, argv); }
