// What strata-registry can be told: flags, environment (STRATA_REGISTRY_...) and file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/config/parser.h"
#include "lib/http/url.h"

namespace strata::registry {

struct Config {
  std::vector<std::string> listen = {"127.0.0.1:5000"};
  std::vector<std::string> tls_listen;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_client_ca;
  std::string tls_client_auth = "none";
  std::string store = "127.0.0.1:7071";
  std::string store_descriptors = "auto";
  config::ByteSize manifest_cache{16 << 20};
  std::string mirrors;
  std::string mirror_spool = "/tmp";
  std::string admin_listen = "127.0.0.1:5001";
  int64_t max_connections = 10'000;
  int64_t worker_threads = 256;  // requests at the same moment; one that moves content takes about 3 MiB
  absl::Duration drain = absl::Seconds(30);
  std::string auth = "none";
  std::string htpasswd;
  std::string policy;
  std::string token_key_dir;
  std::string token_issuer = "strata-registry";
  std::string service = "strata-registry";
  absl::Duration token_lifetime = absl::Minutes(5);
  absl::Duration refresh_lifetime = absl::Hours(30 * 24);
  std::string trusted_issuers;
  std::string public_url;
  std::string log_level = "info";
  std::string log_format = "text";
};

// `config` outlives the parser.
inline void AddOptions(Config& config, config::Parser& parser) {
  parser.AddConfigFile("STRATA_REGISTRY_CONFIG", "/etc/strata/registry.conf");
  parser.Add(&config.listen, {.flag = "listen",
                              .env = "STRATA_REGISTRY_LISTEN",
                              .value_name = "ADDRESS",
                              .help = "Where clients push and pull over plain HTTP; none: nowhere."});
  parser.Add(&config.tls_listen, {.flag = "tls-listen",
                                  .env = "STRATA_REGISTRY_TLS_LISTEN",
                                  .value_name = "ADDRESS",
                                  .help = "Where clients push and pull over TLS; needs --tls-cert and --tls-key."});
  parser.Add(&config.tls_cert, {.flag = "tls-cert",
                                .env = "STRATA_REGISTRY_TLS_CERT",
                                .value_name = "FILE",
                                .help = "PEM: the server's certificate and its chain. A changed file is used without a restart."});
  parser.Add(&config.tls_key, {.flag = "tls-key",
                               .env = "STRATA_REGISTRY_TLS_KEY",
                               .value_name = "FILE",
                               .help = "PEM: the certificate's private key, without a passphrase."});
  parser.Add(&config.tls_client_ca, {.flag = "tls-client-ca",
                                     .env = "STRATA_REGISTRY_TLS_CLIENT_CA",
                                     .value_name = "FILE",
                                     .help = "PEM: the CAs whose client certificates are taken."});
  parser.Add(&config.tls_client_auth, {.flag = "tls-client-auth",
                                       .env = "STRATA_REGISTRY_TLS_CLIENT_AUTH",
                                       .help = "Whether TLS clients must show a certificate.",
                                       .one_of = {"none", "optional", "required"}});
  parser.Add(&config.store, {.flag = "store",
                             .env = "STRATA_STORE",
                             .value_name = "ADDRESS",
                             .help = "The store, host:port or unix:/path."});
  parser.Add(&config.store_descriptors, {.flag = "store-descriptors",
                                         .env = "STRATA_REGISTRY_STORE_DESCRIPTORS",
                                         .help = "Whether blobs are read from the store's own files where it runs on this host.",
                                         .one_of = {"auto", "off"}});
  parser.Add(&config.manifest_cache, {.flag = "manifest-cache",
                                      .env = "STRATA_REGISTRY_MANIFEST_CACHE",
                                      .help = "Memory for manifests that were asked for; used where the store runs on this host."});
  parser.Add(&config.mirrors, {.flag = "mirrors",
                               .env = "STRATA_REGISTRY_MIRRORS",
                               .value_name = "FILE",
                               .help = "JSON: which repositories mirror which upstream registries; see docs/operations/mirrors.md."});
  parser.Add(&config.mirror_spool, {.flag = "mirror-spool",
                                    .env = "STRATA_REGISTRY_MIRROR_SPOOL",
                                    .value_name = "FOLDER",
                                    .help = "Where blobs lie while they arrive from an upstream registry."});
  parser.Add(&config.admin_listen, {.flag = "admin-listen",
                                    .env = "STRATA_REGISTRY_ADMIN_LISTEN",
                                    .value_name = "ADDRESS",
                                    .help = "Where /healthz, /readyz and /metrics are."});
  parser.Add(&config.max_connections, {.flag = "max-connections",
                                       .env = "STRATA_REGISTRY_MAX_CONNECTIONS",
                                       .help = "Client connections at the same moment; more wait."});
  parser.Add(&config.worker_threads, {.flag = "worker-threads",
                                      .env = "STRATA_REGISTRY_WORKER_THREADS",
                                      .help = "Requests served at the same moment; more wait."});
  parser.Add(&config.drain, {.flag = "drain",
                             .env = "STRATA_REGISTRY_DRAIN",
                             .help = "How long running requests may go on after SIGTERM."});
  parser.Add(&config.auth, {.flag = "auth",
                            .env = "STRATA_REGISTRY_AUTH",
                            .help = "How callers prove who they are. none: everybody may do everything; basic: a user and password with each "
                                    "request; token: the same once, at /token. What they may do is in --policy.",
                            .one_of = {"none", "basic", "token"}});
  parser.Add(&config.htpasswd, {.flag = "htpasswd",
                                .env = "STRATA_REGISTRY_HTPASSWD",
                                .value_name = "FILE",
                                .help = "Users and their bcrypt hashes, a line each; \"strata-registry htpasswd USER\" makes one."});
  parser.Add(&config.policy, {.flag = "policy",
                              .env = "STRATA_REGISTRY_POLICY",
                              .value_name = "FILE",
                              .help = "Who may pull, push, delete and administer which repositories. What it does not allow is denied."});
  parser.Add(&config.token_key_dir, {.flag = "token-key-dir",
                                     .env = "STRATA_REGISTRY_TOKEN_KEY_DIR",
                                     .value_name = "FOLDER",
                                     .help = "PEM keys that sign tokens: the last name signs, all verify; \"strata-registry keygen FOLDER\" "
                                             "adds one."});
  parser.Add(&config.token_issuer, {.flag = "token-issuer",
                                    .env = "STRATA_REGISTRY_TOKEN_ISSUER",
                                    .value_name = "NAME",
                                    .help = "The issuer in our tokens; equal on all replicas."});
  parser.Add(&config.service, {.flag = "service",
                               .env = "STRATA_REGISTRY_SERVICE",
                               .value_name = "NAME",
                               .help = "The audience of our tokens, and the realm of Basic; equal on all replicas."});
  parser.Add(&config.token_lifetime, {.flag = "token-lifetime",
                                      .env = "STRATA_REGISTRY_TOKEN_LIFETIME",
                                      .help = "How long an access token is good for; 60s to 24h."});
  parser.Add(&config.refresh_lifetime, {.flag = "refresh-token-lifetime",
                                        .env = "STRATA_REGISTRY_REFRESH_TOKEN_LIFETIME",
                                        .help = "How long a login lasts, when the password does not change before."});
  parser.Add(&config.trusted_issuers, {.flag = "trusted-issuers",
                                       .env = "STRATA_REGISTRY_TRUSTED_ISSUERS",
                                       .value_name = "FILE",
                                       .help = "Outside issuers whose tokens prove identities: GitHub Actions, Kubernetes."});
  parser.Add(&config.public_url, {.flag = "public-url",
                                  .env = "STRATA_REGISTRY_PUBLIC_URL",
                                  .value_name = "URL",
                                  .help = "Where clients reach this registry, https://registry.example.com; without it, the host that each "
                                          "request names."});
  parser.Add(&config.log_level, {.flag = "log-level",
                                 .env = "STRATA_LOG_LEVEL",
                                 .help = "The least important lines to log.",
                                 .one_of = {"debug", "info", "warning", "error"}});
  parser.Add(&config.log_format, {.flag = "log-format",
                                  .env = "STRATA_LOG_FORMAT",
                                  .help = "How lines are logged.",
                                  .one_of = {"text", "json"}});
}

// The addresses of --listen; "none" is no address.
inline std::vector<std::string> PlainListen(const Config& config) {
  std::vector<std::string> addresses = config.listen;
  std::erase(addresses, "none");
  return addresses;
}

// kInvalidArgument: flags of authentication that do not go together.
inline absl::Status CheckAuth(const Config& config) {
  const auto invalid = [](absl::string_view why) { return absl::InvalidArgumentError(why); };
  const bool has_files = !config.htpasswd.empty() || !config.policy.empty() || !config.token_key_dir.empty() || !config.trusted_issuers.empty();
  if (config.auth == "none") {
    return has_files ? invalid("--htpasswd, --policy, --token-key-dir and --trusted-issuers need --auth basic or --auth token") : absl::OkStatus();
  }
  if (config.policy.empty()) return invalid("--auth needs --policy: without one nobody may do anything");
  if (config.auth == "token" && config.token_key_dir.empty()) return invalid("--auth token needs --token-key-dir");
  if (config.token_lifetime < absl::Minutes(1) || config.token_lifetime > absl::Hours(24)) return invalid("--token-lifetime: must be 60s to 24h");
  if (config.refresh_lifetime < absl::Minutes(1)) return invalid("--refresh-token-lifetime: must be at least 60s");
  for (const std::string& name : {config.service, config.token_issuer}) {
    const bool is_plain = !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/_-") == std::string::npos;
    if (!is_plain) return invalid("--service and --token-issuer: letters, digits and . : / _ - only");
  }
  if (!config.public_url.empty() && !http::Url::Parse(config.public_url).ok()) return invalid("--public-url: not an http or https URL");
  return absl::OkStatus();
}

// kInvalidArgument: a value that makes no sense; the message names its flag.
inline absl::Status Check(const Config& config) {
  if (absl::Status auth = CheckAuth(config); !auth.ok()) return auth;
  if (config.worker_threads < 1 || config.worker_threads > 10'000) {
    return absl::InvalidArgumentError("--worker-threads: must be 1 to 10000");
  }
  if (config.max_connections < 1 || config.max_connections > 1'000'000) {
    return absl::InvalidArgumentError("--max-connections: must be 1 to 1000000");
  }
  if (config.tls_listen.empty() && !config.tls_cert.empty()) {
    return absl::InvalidArgumentError("--tls-cert: name an address that uses it with --tls-listen");
  }
  if (!config.tls_listen.empty() && (config.tls_cert.empty() || config.tls_key.empty())) {
    return absl::InvalidArgumentError("--tls-listen: needs --tls-cert and --tls-key");
  }
  if (config.tls_client_auth != "none" && config.tls_client_ca.empty()) {
    return absl::InvalidArgumentError("--tls-client-auth: needs --tls-client-ca");
  }
  if (config.tls_client_auth == "none" && !config.tls_client_ca.empty()) {
    return absl::InvalidArgumentError("--tls-client-ca: say optional or required with --tls-client-auth");
  }
  if (PlainListen(config).empty() && config.tls_listen.empty()) {
    return absl::InvalidArgumentError("--listen: at least one address is needed, here or in --tls-listen");
  }
  return absl::OkStatus();
}

}  // namespace strata::registry
