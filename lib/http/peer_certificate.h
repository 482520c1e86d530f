// Who a TLS client proved to be: the names of a certificate that verified against the client CA. Value type.
// Spec: RFC 5280 sections 4.1.2.6 and 4.2.1.6.
#pragma once

#include <string>
#include <vector>

namespace strata::http {

struct PeerCertificate {
  std::string common_name;             // of the subject; empty: none
  std::vector<std::string> dns_names;  // of the subject alternative names, as are the next
  std::vector<std::string> uris;       // "spiffe://cluster/ns/ci/sa/runner"
  std::string fingerprint;             // SHA-256 of the DER form, 64 lowercase hex digits
};

}  // namespace strata::http
