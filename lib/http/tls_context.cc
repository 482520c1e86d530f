#include "lib/http/tls_context.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"

namespace strata::http {
namespace {

constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr char kSessionContext[] = "strata";
constexpr unsigned char kHttp11[] = "http/1.1";

std::string OpenSslReason() {
  std::string reason;
  while (const unsigned long code = ::ERR_get_error()) {
    char text[256];
    ::ERR_error_string_n(code, text, sizeof(text));
    if (reason.empty()) reason = text;
  }
  return reason.empty() ? "unknown reason" : reason;
}

// OpenSSL says "no start line" for a file that it may not read, too.
absl::Status CheckReadable(const std::string& path, absl::string_view what) {
  if (path.empty()) return absl::InvalidArgumentError(absl::StrCat("TLS needs ", what));
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("reading ", what, " \"", path, "\""));
  ::close(fd);
  return absl::OkStatus();
}

absl::Status BadFile(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("\"", path, "\" is not ", what, " in PEM form: ", OpenSslReason()));
}

int SelectHttp11(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned int in_size, void*) {
  for (unsigned int at = 0; at < in_size; at += in[at] + 1u) {
    const unsigned int size = in[at];
    if (size != sizeof(kHttp11) - 1 || at + 1 + size > in_size) continue;
    if (absl::string_view(reinterpret_cast<const char*>(in + at + 1), size) != "http/1.1") continue;
    *out = in + at + 1;
    *out_size = static_cast<unsigned char>(size);
    return SSL_TLSEXT_ERR_OK;
  }
  // A client that wants something else (h2 alone) learns it from the first bytes; refusing would shut out odd but working ones.
  return SSL_TLSEXT_ERR_NOACK;
}

// A key with a passphrase must fail, not ask the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

void SetDefaults(SSL_CTX* context) {
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_cipher_list(context, kCiphers);
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  ::SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_alpn_select_cb(context, SelectHttp11, nullptr);
  ::SSL_CTX_set_default_passwd_cb(context, NoPassphrase);
  ::SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(kSessionContext),
                                   sizeof(kSessionContext) - 1);
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets only: nothing is kept a client
}

absl::Status UseClientCa(SSL_CTX* context, const TlsServerOptions& options) {
  if (options.client_auth == TlsServerOptions::ClientAuth::kNone) return absl::OkStatus();
  const std::string& path = options.client_ca_file;
  STRATA_RETURN_IF_ERROR(CheckReadable(path, "the CA file of client certificates"));
  if (::SSL_CTX_load_verify_file(context, path.c_str()) != 1) return BadFile(path, "a list of CA certificates");
  STACK_OF(X509_NAME)* names = ::SSL_load_client_CA_file(path.c_str());
  if (names == nullptr) return BadFile(path, "a list of CA certificates");
  ::SSL_CTX_set_client_CA_list(context, names);
  const bool required = options.client_auth == TlsServerOptions::ClientAuth::kRequired;
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  return absl::OkStatus();
}

absl::Time ToTime(const ASN1_TIME* time) {
  tm parts{};
  if (time == nullptr || ::ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfiniteFuture();
  return absl::FromTimeT(::timegm(&parts));
}

}  // namespace

absl::StatusOr<TlsServerContext::Loaded> TlsServerContext::Read(const TlsServerOptions& options) {
  STRATA_RETURN_IF_ERROR(CheckReadable(options.certificate_file, "the server's certificate"));
  STRATA_RETURN_IF_ERROR(CheckReadable(options.key_file, "the server's private key"));
  ::ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(::SSL_CTX_new(::TLS_server_method()), ::SSL_CTX_free);
  if (context == nullptr) return absl::ResourceExhaustedError(absl::StrCat("starting TLS: ", OpenSslReason()));
  SetDefaults(context.get());
  if (::SSL_CTX_use_certificate_chain_file(context.get(), options.certificate_file.c_str()) != 1) {
    return BadFile(options.certificate_file, "a certificate");
  }
  if (::SSL_CTX_use_PrivateKey_file(context.get(), options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const unsigned long code = ::ERR_peek_last_error();
    if (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH) {
      ::ERR_clear_error();
      return absl::InvalidArgumentError(absl::StrCat("the key \"", options.key_file, "\" does not belong to the certificate \"",
                                                     options.certificate_file, "\""));
    }
    return BadFile(options.key_file, "a private key without a passphrase");
  }
  STRATA_RETURN_IF_ERROR(UseClientCa(context.get(), options));
  const X509* certificate = ::SSL_CTX_get0_certificate(context.get());
  return Loaded{context, ToTime(::X509_get0_notAfter(certificate))};
}

TlsServerContext::FileStamp TlsServerContext::StampOf(const TlsServerOptions& options) {
  FileStamp stamp;
  for (const std::string& path : {options.certificate_file, options.key_file, options.client_ca_file}) {
    struct stat info {};
    if (path.empty() || ::stat(path.c_str(), &info) != 0) info = {};
    stamp.insert(stamp.end(), {static_cast<int64_t>(info.st_dev), static_cast<int64_t>(info.st_ino), info.st_size,
                               info.st_mtim.tv_sec, info.st_mtim.tv_nsec});
  }
  return stamp;
}

absl::StatusOr<std::unique_ptr<TlsServerContext>> TlsServerContext::Load(TlsServerOptions options) {
  // The stamp first: a change while they are read is then seen as one more change.
  FileStamp stamp = StampOf(options);
  STRATA_ASSIGN_OR_RETURN(Loaded loaded, Read(options));
  return std::unique_ptr<TlsServerContext>(new TlsServerContext(std::move(options), std::move(stamp), std::move(loaded)));
}

std::shared_ptr<SSL_CTX> TlsServerContext::Current() {
  std::optional<absl::Status> outcome;
  std::shared_ptr<SSL_CTX> current;
  {
    MutexLock lock(mutex_);
    if (const absl::Time now = absl::Now(); now >= next_look_) {
      next_look_ = now + options_.look_every;
      if (FileStamp stamp = StampOf(options_); stamp != stamp_) {
        stamp_ = std::move(stamp);
        absl::StatusOr<Loaded> loaded = Read(options_);
        outcome = loaded.status();
        if (loaded.ok()) loaded_ = *std::move(loaded);
      }
    }
    current = loaded_.context;
  }
  if (outcome && options_.on_reload) options_.on_reload(*outcome);
  return current;
}

absl::Time TlsServerContext::not_after() {
  (void)Current();
  MutexLock lock(mutex_);
  return loaded_.not_after;
}

}  // namespace strata::http
