// The server's half of TLS: certificate, key and client CA, read from files and read again when the files change.
//
// TLS 1.2 and 1.3; with 1.2 only ECDHE with AES-GCM or ChaCha20. Renegotiation and compression are off, "http/1.1" is what ALPN
// agrees on. Spec: RFC 8446, RFC 5246, RFC 9325.
// Thread-safe.
#pragma once

#include <openssl/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"

namespace strata::http {

struct TlsServerOptions {
  enum class ClientAuth {
    kNone,      // clients are not asked for a certificate
    kOptional,  // one that is shown must verify
    kRequired,
  };
  std::string certificate_file;  // PEM: the server's certificate, then what links it to a root
  std::string key_file;          // PEM, without a passphrase
  std::string client_ca_file;    // PEM; needed unless kNone
  ClientAuth client_auth = ClientAuth::kNone;
  absl::Duration look_every = absl::Seconds(1);  // how often, at most, an accepted connection makes us look at the files
  // After the files changed: OK, they are in use; otherwise why the ones before stay in use. May be empty. Must not block.
  std::function<void(const absl::Status&)> on_reload;
};

class TlsServerContext {
 public:
  // kNotFound, kPermissionDenied: a file cannot be read. kInvalidArgument: not PEM, or the key is not the certificate's.
  static absl::StatusOr<std::unique_ptr<TlsServerContext>> Load(TlsServerOptions options);

  // What a new connection uses. Never null. Connections keep what they began with.
  std::shared_ptr<SSL_CTX> Current();
  // When the certificate in use ends.
  absl::Time not_after();

 private:
  // Which content a path led to: a changed one means another file, also behind the symbolic links of a mounted secret.
  using FileStamp = std::vector<int64_t>;
  struct Loaded {
    std::shared_ptr<SSL_CTX> context;
    absl::Time not_after;
  };

  TlsServerContext(TlsServerOptions options, FileStamp stamp, Loaded loaded)
      : options_(std::move(options)), stamp_(std::move(stamp)), loaded_(std::move(loaded)) {}
  static absl::StatusOr<Loaded> Read(const TlsServerOptions& options);
  static FileStamp StampOf(const TlsServerOptions& options);

  const TlsServerOptions options_;
  Mutex mutex_;
  absl::Time next_look_ ABSL_GUARDED_BY(mutex_);
  FileStamp stamp_ ABSL_GUARDED_BY(mutex_);
  Loaded loaded_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::http
