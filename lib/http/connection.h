// One accepted connection: its transport, what was received and not yet used, and how one request on it is served.
//
// Belongs to the io thread while it is idle and to one worker while a request is served; never to both, so it needs no lock.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "lib/http/server.h"
#include "lib/http/transport.h"

namespace strata::http {

class Connection {
 public:
  // kNeedRead/kNeedWrite: wait for the descriptor, call Collect() again. kComplete and kTooLarge: call Serve(). kClosed: done.
  enum class Collected { kNeedRead, kNeedWrite, kComplete, kTooLarge, kClosed };

  // `options`, `handler` and `draining` must outlive this object.
  Connection(std::unique_ptr<Transport> transport, std::string peer, const ServerOptions& options, const Handler& handler,
             const std::atomic<bool>& draining)
      : transport_(std::move(transport)), peer_(std::move(peer)), options_(options), handler_(handler), draining_(draining) {}

  int fd() const { return transport_->fd(); }

  // Reads what is there, without blocking, until a request head is complete. `scratch` is the caller's to reuse.
  Collected Collect(std::string& scratch);
  // A part of a request head has arrived, or of what comes before it.
  bool has_partial_head() const { return !buffer_.empty() || transport_->is_handshaking(); }
  // More was received than epoll knows of: Collect() before waiting.
  bool has_unread() const { return !buffer_.empty() || transport_->has_pending(); }
  // Collect() will compute for a while.
  bool is_handshaking() const { return transport_->is_handshaking(); }

  // Serves the request whose head is at the front of the buffer. Blocks. False: the connection is finished.
  bool Serve();
  // Tells the client, if that is possible without blocking, that its request head took too long.
  void SendTimeout();

 private:
  void SkipEmptyLines();
  bool ServeRequest(absl::string_view head_bytes);
  void Refuse(int status, absl::string_view message);

  const std::unique_ptr<Transport> transport_;
  const std::string peer_;
  const ServerOptions& options_;
  const Handler& handler_;
  const std::atomic<bool>& draining_;
  std::string buffer_;
  size_t scanned_ = 0;   // of buffer_, without finding the end of the head
  int skipped_lines_ = 0;
  size_t head_size_ = 0;  // once complete
};

}  // namespace strata::http
