#include "lib/http/certificate_for_test.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "absl/strings/str_join.h"
#include "lib/base/check.h"

namespace strata::http {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&::X509_free)>;
using Memory = std::unique_ptr<BIO, decltype(&::BIO_free)>;

constexpr long kDay = 24 * 3600;

Memory Wrap(const std::string& text) { return {::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), ::BIO_free}; }

std::string TextOf(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return std::string(data, static_cast<size_t>(size));
}

void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  STRATA_CHECK(extension != nullptr);
  STRATA_CHECK(::X509_add_ext(certificate, extension, -1) == 1);
  ::X509_EXTENSION_free(extension);
}

// `issuer` null: self-signed.
CertificateForTest Make(const CertificateNamesForTest& names, const CertificateForTest* issuer) {
  const Key key(EVP_EC_gen("P-256"), ::EVP_PKEY_free);
  const Certificate made(::X509_new(), ::X509_free);
  STRATA_CHECK(key != nullptr && made != nullptr);
  static long serial = 1;
  ::X509_set_version(made.get(), X509_VERSION_3);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(made.get()), serial++);
  ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), -kDay);
  ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), 365 * kDay);
  ::X509_set_pubkey(made.get(), key.get());
  X509_NAME* subject = ::X509_get_subject_name(made.get());
  ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(names.common_name.c_str()), -1,
                               -1, 0);
  Certificate issuer_certificate(nullptr, ::X509_free);
  Key issuer_key(nullptr, ::EVP_PKEY_free);
  if (issuer != nullptr) {
    issuer_certificate.reset(::PEM_read_bio_X509(Wrap(issuer->certificate_pem).get(), nullptr, nullptr, nullptr));
    issuer_key.reset(::PEM_read_bio_PrivateKey(Wrap(issuer->key_pem).get(), nullptr, nullptr, nullptr));
    STRATA_CHECK(issuer_certificate != nullptr && issuer_key != nullptr);
  }
  X509* signer = issuer == nullptr ? made.get() : issuer_certificate.get();
  ::X509_set_issuer_name(made.get(), ::X509_get_subject_name(signer));
  AddExtension(made.get(), signer, NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  if (!names.alternative_names.empty()) {
    AddExtension(made.get(), signer, NID_subject_alt_name, absl::StrJoin(names.alternative_names, ","));
  }
  STRATA_CHECK(::X509_sign(made.get(), issuer == nullptr ? key.get() : issuer_key.get(), ::EVP_sha256()) > 0);

  const Memory certificate_text(::BIO_new(::BIO_s_mem()), ::BIO_free);
  const Memory key_text(::BIO_new(::BIO_s_mem()), ::BIO_free);
  STRATA_CHECK(::PEM_write_bio_X509(certificate_text.get(), made.get()) == 1);
  STRATA_CHECK(::PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return {TextOf(certificate_text.get()), TextOf(key_text.get())};
}

}  // namespace

CertificateForTest MakeCaForTest(absl::string_view common_name) {
  return Make({.common_name = std::string(common_name), .alternative_names = {}}, nullptr);
}

CertificateForTest MakeCertificateForTest(const CertificateNamesForTest& names, const CertificateForTest& issuer) {
  return Make(names, &issuer);
}

}  // namespace strata::http
