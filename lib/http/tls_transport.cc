#include "lib/http/tls_transport.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "lib/http/peer_certificate.h"

namespace strata::http {
namespace {

constexpr size_t kRecordBytes = 16 * 1024;
constexpr char kHandshakeRecord = 0x16;  // the first byte of every TLS client
constexpr size_t kMaxNames = 32;
constexpr size_t kMaxNameBytes = 512;
constexpr absl::string_view kPlainAnswer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 59\r\nConnection: close\r\n\r\n"
    "this address speaks TLS: write https:// instead of http://\n";

std::string TextOf(const ASN1_STRING* text) {
  const auto* data = reinterpret_cast<const char*>(::ASN1_STRING_get0_data(text));
  const auto size = static_cast<size_t>(::ASN1_STRING_length(text));
  // A zero byte inside is an attempt to look like another name.
  if (size > kMaxNameBytes || absl::string_view(data, size).find('\0') != absl::string_view::npos) return "";
  return std::string(data, size);
}

std::string CommonName(const X509* certificate) {
  X509_NAME* subject = ::X509_get_subject_name(certificate);
  const int at = ::X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return "";
  return TextOf(::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(subject, at)));
}

void AddAlternativeNames(const X509* certificate, PeerCertificate& peer) {
  auto* names = static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  if (names == nullptr) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS && name->type != GEN_URI) continue;
    std::vector<std::string>& list = name->type == GEN_DNS ? peer.dns_names : peer.uris;
    std::string text = TextOf(name->type == GEN_DNS ? name->d.dNSName : name->d.uniformResourceIdentifier);
    if (!text.empty() && list.size() < kMaxNames) list.push_back(std::move(text));
  }
  ::GENERAL_NAMES_free(names);
}

std::optional<PeerCertificate> PeerOf(const SSL* ssl) {
  const X509* certificate = ::SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr || ::SSL_get_verify_result(ssl) != X509_V_OK) return std::nullopt;
  PeerCertificate peer;
  peer.common_name = CommonName(certificate);
  AddAlternativeNames(certificate, peer);
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (::X509_digest(certificate, ::EVP_sha256(), hash, &size) != 1) return std::nullopt;
  peer.fingerprint = absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(hash), size));
  return peer;
}

class TlsTransport final : public Transport {
 public:
  TlsTransport(UniqueFd socket, std::shared_ptr<SSL_CTX> context, SSL* ssl)
      : socket_(std::move(socket)), context_(std::move(context)), ssl_(ssl) {}
  ~TlsTransport() override {
    if (can_close_cleanly_) ::SSL_shutdown(ssl_);
    ::SSL_free(ssl_);
    ::ERR_clear_error();
  }

  IoResult TryRead(char* buffer, size_t size) override {
    if (is_refused_) return {IoResult::Kind::kMoved, 0};
    if (is_handshaking_) {
      if (const IoResult result = Handshake(); is_handshaking_) return result;
    }
    ::ERR_clear_error();
    size_t moved = 0;
    if (::SSL_read_ex(ssl_, buffer, size, &moved) == 1) return {IoResult::Kind::kMoved, moved};
    return Failure(0);
  }

  IoResult TryWrite(std::span<const iovec> pieces, bool) override {
    if (is_handshaking_) return {IoResult::Kind::kFailed, 0, EPROTO};
    ::ERR_clear_error();
    // Small pieces share a record. A retry finds the same pieces, so it builds the same record again, as OpenSSL demands.
    const iovec* first = pieces.data();
    absl::string_view record(static_cast<const char*>(first->iov_base), first->iov_len);
    if (pieces.size() > 1 && record.size() < kRecordBytes) {
      joined_.assign(record.data(), record.size());
      for (const iovec& piece : pieces.subspan(1)) {
        joined_.append(static_cast<const char*>(piece.iov_base), std::min(piece.iov_len, kRecordBytes - joined_.size()));
      }
      record = joined_;
    }
    size_t moved = 0;
    if (::SSL_write_ex(ssl_, record.data(), record.size(), &moved) == 1) return {IoResult::Kind::kMoved, moved};
    return Failure(0);
  }

  IoResult TrySendFile(int, uint64_t, size_t) override { return {IoResult::Kind::kFailed, 0, EOPNOTSUPP}; }
  bool can_send_file() const override { return false; }
  IoResult TryFillPipe(int, size_t) override { return {IoResult::Kind::kFailed, 0, EOPNOTSUPP}; }
  bool can_fill_pipe() const override { return false; }
  int fd() const override { return socket_.get(); }
  bool is_encrypted() const override { return true; }
  bool is_handshaking() const override { return is_handshaking_; }
  bool has_pending() const override { return !is_handshaking_ && ::SSL_pending(ssl_) > 0; }
  const PeerCertificate* peer_certificate() const override { return peer_ ? &*peer_ : nullptr; }
  void EndWriting() override {
    if (can_close_cleanly_) ::SSL_shutdown(ssl_);
    can_close_cleanly_ = false;
    ::shutdown(socket_.get(), SHUT_WR);
  }

 private:
  IoResult Handshake() {
    if (!has_seen_tls_) {
      char first = 0;
      const ssize_t n = ::recv(socket_.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {IoResult::Kind::kWantRead};
      if (n <= 0) return {IoResult::Kind::kFailed, 0, n == 0 ? ECONNRESET : errno};
      if (first != kHandshakeRecord) return RefusePlain();
      has_seen_tls_ = true;
    }
    ::ERR_clear_error();
    const int done = ::SSL_accept(ssl_);
    if (done != 1) return Failure(done);
    is_handshaking_ = false;
    can_close_cleanly_ = true;
    peer_ = PeerOf(ssl_);
    return {IoResult::Kind::kMoved};
  }

  IoResult RefusePlain() {
    is_refused_ = true;
    (void)::send(socket_.get(), kPlainAnswer.data(), kPlainAnswer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ::shutdown(socket_.get(), SHUT_WR);
    // What was received and not read would make closing destroy the answer.
    char scrap[kRecordBytes];
    while (::recv(socket_.get(), scrap, sizeof(scrap), MSG_DONTWAIT) > 0) {
    }
    return {IoResult::Kind::kMoved, 0};
  }

  IoResult Failure(int result) {
    switch (::SSL_get_error(ssl_, result)) {
      case SSL_ERROR_WANT_READ:
        return {IoResult::Kind::kWantRead};
      case SSL_ERROR_WANT_WRITE:
        return {IoResult::Kind::kWantWrite};
      case SSL_ERROR_ZERO_RETURN:
        return {IoResult::Kind::kMoved, 0};
      case SSL_ERROR_SYSCALL:
        can_close_cleanly_ = false;
        return {IoResult::Kind::kFailed, 0, errno == 0 ? ECONNRESET : errno};
      default:
        can_close_cleanly_ = false;
        return {IoResult::Kind::kFailed, 0, EPROTO};
    }
  }

  UniqueFd socket_;
  const std::shared_ptr<SSL_CTX> context_;
  SSL* const ssl_;
  bool has_seen_tls_ = false;
  bool is_handshaking_ = true;
  bool is_refused_ = false;
  bool can_close_cleanly_ = false;
  std::optional<PeerCertificate> peer_;
  std::string joined_;
};

}  // namespace

std::unique_ptr<Transport> MakeTlsTransport(UniqueFd socket, std::shared_ptr<SSL_CTX> context) {
  SSL* ssl = ::SSL_new(context.get());
  if (ssl == nullptr || ::SSL_set_fd(ssl, socket.get()) != 1) {
    ::SSL_free(ssl);
    return nullptr;
  }
  ::SSL_set_accept_state(ssl);
  return std::make_unique<TlsTransport>(std::move(socket), std::move(context), ssl);
}

}  // namespace strata::http
