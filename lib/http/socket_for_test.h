// A plain client socket for tests that must control every byte on the wire.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace strata::http {

class SocketForTest {
 public:
  // Connects to 127.0.0.1; aborts the test program on failure. Reads give up after 10 seconds.
  explicit SocketForTest(uint16_t port);

  void Send(absl::string_view bytes);
  // As Send(), but false when the peer has closed.
  bool TrySend(absl::string_view bytes);
  // The head of the next response, blank line included; what was received when the peer closes first.
  std::string ReadHead();
  std::string ReadBytes(size_t size);
  // Head and body by Content-Length.
  std::string ReadResponse();
  // Everything until the peer closes.
  std::string ReadToEnd();
  // The peer has closed and nothing is left.
  bool AtEnd() { return ReadToEnd().empty(); }
  void CloseWriting();
  void SetReceiveBuffer(int bytes);
  void Close() { fd_.Reset(); }

 private:
  bool Fill();
  UniqueFd fd_;
  std::string buffer_;
};

}  // namespace strata::http
