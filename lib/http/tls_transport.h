// TLS over one accepted socket. The handshake runs inside the first reads; until it is over is_handshaking() is true.
//
// A client that speaks plain HTTP to it gets a plain 400 that says so.
#pragma once

#include <openssl/types.h>

#include <memory>

#include "lib/base/unique_fd.h"
#include "lib/http/transport.h"

namespace strata::http {

// Takes over a connected, non-blocking socket. Null when memory is out.
std::unique_ptr<Transport> MakeTlsTransport(UniqueFd socket, std::shared_ptr<SSL_CTX> context);

}  // namespace strata::http
