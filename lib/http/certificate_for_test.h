// Certificates made on the spot, for tests of TLS. Aborts the test program on failure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace strata::http {

struct CertificateForTest {
  std::string certificate_pem;
  std::string key_pem;
};

struct CertificateNamesForTest {
  std::string common_name;
  std::vector<std::string> alternative_names;  // "IP:127.0.0.1", "DNS:localhost", "URI:spiffe://x/y"
};

// A self-signed CA with a P-256 key.
CertificateForTest MakeCaForTest(absl::string_view common_name);
// A certificate that `issuer` signed, valid from yesterday for a year.
CertificateForTest MakeCertificateForTest(const CertificateNamesForTest& names, const CertificateForTest& issuer);

}  // namespace strata::http
