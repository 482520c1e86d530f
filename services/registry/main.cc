// strata-registry: the wiring, from top to bottom.
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/blobstore/store_client.h"
#include "lib/config/parser.h"
#include "lib/http/server.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/service/admin_server.h"
#include "lib/service/run.h"
#include "lib/service/version.h"
#include "services/registry/auth/access_files.h"
#include "services/registry/auth/commands.h"
#include "services/registry/auth/registry_access.h"
#include "services/registry/cache/manifest_cache.h"
#include "services/registry/config.h"
#include "services/registry/mirror/mirrors.h"
#include "services/registry/repository/access.h"
#include "services/registry/request_observer.h"
#include "services/registry/routes/router.h"

namespace strata::registry {
namespace {

constexpr char kProgram[] = "strata-registry";
constexpr absl::Duration kPingDeadline = absl::Seconds(2);
// A Range header of podman, which pulls parts of a layer, names up to 1024 ranges.
constexpr size_t kMaxHeaderBytes = 32 * 1024;

int Fail(absl::string_view doing, const absl::Status& status) {
  log::Error("cannot start", {{"doing", doing}, {"error", status}});
  return 1;
}

// Why the store cannot be used, or "".
std::string StoreProblem(blobstore::StoreClient& store) {
  CallContext context;
  context.deadline = absl::Now() + kPingDeadline;
  const absl::Status status = store.Ping(context);
  return status.ok() ? "" : std::string(status.message());
}

// A client's connection is a descriptor; the usual 1024 are far fewer than --max-connections.
void RaiseFileLimit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

absl::StatusOr<std::shared_ptr<http::TlsServerContext>> LoadTls(const Config& config) {
  http::TlsServerOptions options;
  options.certificate_file = config.tls_cert;
  options.key_file = config.tls_key;
  options.client_ca_file = config.tls_client_ca;
  if (config.tls_client_auth == "optional") options.client_auth = http::TlsServerOptions::ClientAuth::kOptional;
  if (config.tls_client_auth == "required") options.client_auth = http::TlsServerOptions::ClientAuth::kRequired;
  options.on_reload = [](const absl::Status& status) {
    if (status.ok()) return log::Info("the changed TLS files are in use");
    log::Error("the changed TLS files cannot be used; the ones before stay in use", {{"error", status}});
  };
  return http::TlsServerContext::Load(std::move(options));
}

http::ServerOptions ServerOptions(const Config& config) {
  http::ServerOptions options;
  options.listen = PlainListen(config);
  options.tls_listen = config.tls_listen;
  options.max_connections = static_cast<size_t>(config.max_connections);
  options.max_header_bytes = kMaxHeaderBytes;
  options.worker_threads = static_cast<size_t>(config.worker_threads);
  return options;
}

void AddMetrics(metrics::Registry& metrics, const ManifestCache& manifests) {
  metrics.AddCallback("strata_registry_manifest_cache_bytes", "Memory that kept manifests take.",
                      [&manifests] { return static_cast<double>(manifests.size_bytes()); });
  metrics.AddCallback("strata_registry_manifest_cache_hits", "Manifests answered from memory since the start.",
                      [&manifests] { return static_cast<double>(manifests.hits()); });
  metrics.AddCallback("strata_registry_manifest_cache_misses", "Manifests asked of the store although the cache was on.",
                      [&manifests] { return static_cast<double>(manifests.misses()); });
}

// SIGHUP: look at the files of authentication now. Without it a changed file is seen within a second all the same.
AccessFiles* refreshed_by_signal = nullptr;
void OnHangUp(int) {
  if (refreshed_by_signal != nullptr) refreshed_by_signal->RequestRefresh();
}

absl::StatusOr<std::unique_ptr<AccessFiles>> OpenAccessFiles(const Config& config) {
  if (config.auth == "none") return nullptr;
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<AccessFiles> files, AccessFiles::Open({.htpasswd = config.htpasswd,
                                                                                 .policy = config.policy,
                                                                                 .token_keys = config.token_key_dir,
                                                                                 .trusted_issuers = config.trusted_issuers}));
  refreshed_by_signal = files.get();
  ::signal(SIGHUP, OnHangUp);
  return files;
}

std::unique_ptr<AccessControl> MakeAccess(const Config& config, AccessFiles* files, const Clock& clock) {
  if (files == nullptr) return std::make_unique<OpenAccess>();
  RegistryAccessOptions options;
  options.issues_tokens = config.auth == "token";
  options.names = {.issuer = config.token_issuer, .service = config.service};
  options.public_url = config.public_url;
  options.lifetimes = {.access = config.token_lifetime, .refresh = config.refresh_lifetime};
  return std::make_unique<RegistryAccess>(*files, clock, options);
}

// Null without --mirrors.
absl::StatusOr<std::unique_ptr<mirror::Mirrors>> OpenMirrors(const Config& config, blobstore::StoreClient& store, const Clock& clock,
                                                             metrics::Registry& metrics) {
  if (config.mirrors.empty()) return nullptr;
  STRATA_ASSIGN_OR_RETURN(auto configs, mirror::LoadMirrors(config.mirrors));
  STRATA_ASSIGN_OR_RETURN(auto mirrors, mirror::Mirrors::Open(std::move(configs), {store, store, store}, clock, metrics,
                                                              {.spool_folder = config.mirror_spool}));
  metrics.AddCallback("strata_registry_mirror_fetches", "Blobs that are being fetched from upstream registries now.",
                      [mirrors = mirrors.get()] { return static_cast<double>(mirrors->blobs().running()); });
  return mirrors;
}

int Serve(const Config& config, std::string described_config) {
  RaiseFileLimit();
  const SystemClock clock;
  metrics::Registry metrics;
  metrics::AddProcessMetrics(metrics);
  const std::unique_ptr<blobstore::StoreClient> store = blobstore::StoreClient::Connect(
      config.store, {.use_descriptors = config.store_descriptors == "auto"});
  service::Readiness readiness;
  readiness.SetCheck([&store] { return StoreProblem(*store); });

  auto mirrors = OpenMirrors(config, *store, clock, metrics);
  if (!mirrors.ok()) return Fail("opening the mirrors", mirrors.status());
  RequestObserver observer(metrics);
  ManifestCache manifests(*store, [&store] { return store->Generations(); }, static_cast<size_t>(config.manifest_cache.bytes));
  AddMetrics(metrics, manifests);
  const absl::StatusOr<std::unique_ptr<AccessFiles>> files = OpenAccessFiles(config);
  if (!files.ok()) return Fail("reading the files of authentication", files.status());
  const std::unique_ptr<AccessControl> access = MakeAccess(config, files->get(), clock);
  Router router({*store, *store, *access, &manifests, mirrors->get()}, clock,
                [&observer](const RequestRecord& record) { observer.Observe(record); });
  http::ServerOptions server_options = ServerOptions(config);
  if (!config.tls_listen.empty()) {
    absl::StatusOr<std::shared_ptr<http::TlsServerContext>> tls = LoadTls(config);
    if (!tls.ok()) return Fail("loading the TLS files", tls.status());
    server_options.tls = *std::move(tls);
    metrics.AddCallback("strata_registry_tls_certificate_end_seconds", "When the TLS certificate ends, in seconds since 1970.",
                        [tls = server_options.tls] { return absl::ToDoubleSeconds(tls->not_after() - absl::UnixEpoch()); });
  }
  auto server = http::Server::Start(std::move(server_options), [&router](const http::Request& request,
                                                                     http::ResponseWriter& response) {
    router.Handle(request, response);
  });
  if (!server.ok()) return Fail("serving clients", server.status());
  metrics.AddCallback("strata_registry_connections", "Client connections now.",
                      [&server] { return static_cast<double>((*server)->connections()); });

  const auto admin = service::AdminServer::Start(
      {.listen = config.admin_listen, .config = [described_config] { return described_config; }}, metrics, readiness);
  if (!admin.ok()) return Fail("serving operators", admin.status());

  for (const std::string& address : (*server)->addresses()) {
    log::Info("registry is up", {{"listen", address}, {"admin", (*admin)->address()}, {"store", config.store}});
  }
  return service::Run({.name = kProgram, .drain_limit = config.drain}, readiness,
                      [&server](absl::Duration limit) { (*server)->Shutdown(limit); });
}

}  // namespace
}  // namespace strata::registry

int main(int argc, char** argv) {
  using namespace strata;
  service::PrepareSignals();
  registry::Config config;
  config::Parser parser(registry::kProgram, "Serves the OCI distribution protocol over a Strata store.");
  registry::AddOptions(config, parser);
  registry::AddCommands(parser);
  const std::vector<std::string> positional = config::ParseOrExit(parser, registry::kProgram, service::kVersion, argc, argv);
  if (!positional.empty() && registry::IsCommand(positional.front())) return registry::RunCommand(registry::kProgram, positional);
  if (const absl::Status checked = registry::Check(config); !checked.ok()) {
    std::fprintf(stderr, "%s: %s\n", registry::kProgram, std::string(checked.message()).c_str());
    return 2;
  }
  if (!positional.empty()) {
    std::fprintf(stderr, "%s: unexpected argument \"%s\"; see --help\n", registry::kProgram, positional.front().c_str());
    return 2;
  }
  const auto level = log::ParseLevel(config.log_level);
  const auto format = log::ParseFormat(config.log_format);
  log::Configure(level.value_or(log::Level::kInfo), format.value_or(log::Format::kText));
  return registry::Serve(config, parser.Describe());
}
