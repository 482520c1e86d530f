// strata-store: reads from top to bottom as the wiring diagram of the service.
#include <grpcpp/impl/service_type.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/config/parser.h"
#include "lib/descriptor/descriptor_server.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/call.h"
#include "lib/rpc/server.h"
#include "lib/service/admin_server.h"
#include "lib/service/run.h"
#include "lib/service/version.h"
#include "services/store/backup/backup.h"
#include "services/store/config.h"
#include "services/store/engine/generations.h"
#include "services/store/engine/store_engine.h"
#include "services/store/maintenance.h"
#include "services/store/maintenance_metrics.h"
#include "services/store/offline.h"
#include "services/store/rpc/maintenance_service.h"
#include "services/store/rpc/services.h"
#include "services/store/scrub/scrubber.h"
#include "services/store/statistics_metrics.h"
#ifdef STRATA_STOPS_AT_COMMIT_POINT
#include "services/store/commit_point_stop.h"
#endif

namespace strata::store {
namespace {

constexpr char kProgram[] = "strata-store";

absl::Status MakeParent(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::absolute(folder, error).parent_path(), error);
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("cannot make the folder above ", folder, ": ", error.message(), "; choose another one with --data"));
}

// "" stays "".
absl::StatusOr<std::string> Absolute(const std::string& folder) {
  if (folder.empty()) return folder;
  std::error_code error;
  std::string path = std::filesystem::absolute(folder, error).lexically_normal().string();
  if (error) return absl::FailedPreconditionError(absl::StrCat("--backup-dir: ", error.message()));
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Null when they are off or cannot be had: everything works without, through gRPC.
std::unique_ptr<descriptor::DescriptorServer> ServeDescriptors(const Config& config, const Clock& clock) {
  const std::string path = DescriptorSocket(config);
  if (path.empty()) return nullptr;
  auto server = descriptor::DescriptorServer::Start({.path = path}, clock);
  if (server.ok()) return *std::move(server);
  log::Warning("no files are handed to services on this host; blobs go through gRPC, which costs more",
               {{"descriptor_socket", path}, {"error", server.status()}});
  return nullptr;
}

absl::StatusOr<int> Serve(const Config& config, const std::string& described_config) {
  const SystemClock clock;
  metrics::Registry metrics;
  metrics::AddProcessMetrics(metrics);
  service::Readiness readiness;
  std::unique_ptr<service::AdminServer> admin_server;
  if (!config.admin_listen.empty()) {
    service::AdminOptions options{.listen = config.admin_listen, .config = [described_config] { return described_config; }};
    STRATA_ASSIGN_OR_RETURN(admin_server, service::AdminServer::Start(std::move(options), metrics, readiness));
  }

  STRATA_RETURN_IF_ERROR(MakeParent(config.data));
  EngineOptions engine_options = ToEngineOptions(config);
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Generations> generations, Generations::Create());
  engine_options.generations = generations.get();
  engine_options.on_background_error = [](const absl::Status& status) {
    log::Error("work in the background failed; it is tried again", {{"error", status}});
  };
  StoreMetrics store_metrics(metrics);
  store_metrics.Observe(engine_options);
#ifdef STRATA_STOPS_AT_COMMIT_POINT
  engine_options.commit_point_for_test = StopAtCommitPointForTest();
#endif
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<StoreEngine> engine, StoreEngine::Open(std::move(engine_options), clock));
  engine->StartCollector();
  Scrubber scrubber(engine->core(), ToScrubOptions(config));
  STRATA_ASSIGN_OR_RETURN(const std::string backup_dir, Absolute(config.backup_dir));
  Backups backups(engine->core(), backup_dir);
  Maintenance maintenance(engine->core(), scrubber, backups);
  scrubber.Start();

  rpc::CallWatcher watcher;
  const std::unique_ptr<descriptor::DescriptorServer> descriptors = ServeDescriptors(config, clock);
  const std::unique_ptr<grpc::Service> blobs =
      NewBlobService(*engine, watcher, {.max_streams = MaxStreams(config), .min_bytes_a_minute = config.min_upload_rate.bytes},
                     descriptors.get());
  const std::unique_ptr<grpc::Service> manifests = NewManifestService(*engine, watcher);
  const std::unique_ptr<grpc::Service> counters = NewGenerationService(generations.get(), descriptors.get(), watcher);
  const std::unique_ptr<grpc::Service> cache = NewCacheService(*engine, watcher);
  const std::unique_ptr<grpc::Service> quotas = NewQuotaService(*engine, watcher);
  const std::unique_ptr<grpc::Service> admin = NewAdminService(*engine, watcher);
  const std::unique_ptr<grpc::Service> upkeep = NewMaintenanceService(maintenance, watcher);
  const std::unique_ptr<grpc::Service> retention = NewRetentionService(*engine, watcher);
  STRATA_ASSIGN_OR_RETURN(
      const std::unique_ptr<rpc::Server> server,
      rpc::Server::Start({.listen = config.listen,
                          .max_threads = static_cast<int>(config.max_calls),
                          .max_streams_a_connection = static_cast<int>(config.max_calls),
                          .metrics = &metrics},
                         {blobs.get(), counters.get(), manifests.get(), cache.get(), quotas.get(), admin.get(), upkeep.get(), retention.get()}));
  AddStatisticsMetrics(metrics, *engine);
  AddMaintenanceMetrics(metrics, engine->core(), maintenance, scrubber);

  log::Info("ready", {{"service", kProgram},
                      {"version", service::kVersion},
                      {"listen", absl::StrJoin(server->addresses(), ",")},
                      {"admin", admin_server == nullptr ? "" : admin_server->address()},
                      {"data", config.data}});
  const int code = service::Run({.name = kProgram, .drain_limit = config.drain}, readiness, [&](absl::Duration limit) {
    server->Shutdown(limit);
    scrubber.Stop();
    engine->StopCollector();
  });
  // It was there before the engine, but may ask it for figures.
  admin_server.reset();
  return code;
}

int Main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "verify") return RunVerify(argc - 1, argv + 1);
  if (command == "restore") return RunRestore(argc - 1, argv + 1);
  service::PrepareSignals();
  Config config;
  config::Parser parser(kProgram, "Keeps the blobs, manifests, tags and build-cache records of a Strata installation.");
  AddOptions(parser, config);
  parser.SetUsage("[flags]  |  verify [flags]  |  restore [flags]");
  parser.AddCommand("verify", "Check a data folder, or a backup, that no store runs on.");
  parser.AddCommand("restore", "Make a data folder of a backup.");
  parser.SetEpilogue("Without a command it serves. strata-store verify --help and strata-store restore --help show their flags.");
  const std::vector<std::string> positional = config::ParseOrExit(parser, kProgram, service::kVersion, argc, argv);
  absl::Status status = Check(config);
  if (!positional.empty()) status = absl::InvalidArgumentError(absl::StrCat("unexpected argument \"", positional[0], "\""));
  const auto level = log::ParseLevel(config.log_level);
  const auto format = log::ParseFormat(config.log_format);
  if (status.ok()) status = level.status();
  if (status.ok()) status = format.status();
  if (!status.ok()) {
    std::fputs(absl::StrCat(kProgram, ": ", std::string(status.message()), "\nTry \"", kProgram, " --help\".\n").c_str(), stderr);
    return 2;
  }
  log::Configure(*level, *format);
  const absl::StatusOr<int> code = Serve(config, parser.Describe());
  if (code.ok()) return *code;
  log::Error("cannot start", {{"service", kProgram}, {"error", code.status()}});
  return 1;
}

}  // namespace
}  // namespace strata::store

int main(int argc, char** argv) { return strata::store::Main(argc, argv); }
