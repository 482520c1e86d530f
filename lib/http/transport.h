// The seam under HTTP: what moves bytes over one connection without blocking. Plain sockets here, TLS in tls_transport.h.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "lib/base/unique_fd.h"

namespace strata::http {

struct PeerCertificate;

struct IoResult {
  enum class Kind {
    kMoved,      // `bytes` bytes went; for reads 0 is the end
    kWantRead,   // nothing went: try again when the descriptor is readable
    kWantWrite,  // ... writable
    kFailed,     // `error_number` says why
  };
  Kind kind;
  size_t bytes = 0;
  int error_number = 0;
};

// Used by one thread at a time.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual IoResult TryRead(char* buffer, size_t size) = 0;
  // `more` hints that further bytes follow at once.
  virtual IoResult TryWrite(std::span<const iovec> pieces, bool more) = 0;
  // Moves bytes of a file without passing them through user space. Only when can_send_file().
  virtual IoResult TrySendFile(int file, uint64_t offset, size_t size) = 0;
  virtual bool can_send_file() const = 0;
  // Moves received bytes into a pipe without passing them through user space; also kWantRead when the pipe is full. Only when
  // can_fill_pipe().
  virtual IoResult TryFillPipe(int pipe, size_t size) = 0;
  virtual bool can_fill_pipe() const = 0;
  // To be waited on; owned by this object.
  virtual int fd() const = 0;
  // Says "no more" to the peer; what it still sends can be read.
  virtual void EndWriting() = 0;

  // What passes is encrypted: the descriptor's own bytes mean nothing to HTTP.
  virtual bool is_encrypted() const { return false; }
  // Reading costs a key exchange first: not on a thread that others wait for.
  virtual bool is_handshaking() const { return false; }
  // Bytes were received that the descriptor does not announce any more.
  virtual bool has_pending() const { return false; }
  // Who the client proved to be; null: it showed no certificate. Lives as long as this object.
  virtual const PeerCertificate* peer_certificate() const { return nullptr; }
};

// Takes over a connected socket.
std::unique_ptr<Transport> MakePlainTransport(UniqueFd socket);

}  // namespace strata::http
