#include "lib/auth/key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/auth/base64url.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::auth {
namespace {

constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;
constexpr size_t kCoordinateBytes = 32;

template <typename T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* object) const { Free(object); }
};
void FreeBio(BIO* bio) { BIO_free_all(bio); }
using Bio = std::unique_ptr<BIO, Deleter<BIO, FreeBio>>;
using BigNumber = std::unique_ptr<BIGNUM, Deleter<BIGNUM, BN_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG, ECDSA_SIG_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX, EVP_MD_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, Deleter<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Deleter<OSSL_PARAM, OSSL_PARAM_free>>;

const unsigned char* Bytes(absl::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::shared_ptr<EVP_PKEY> Share(EVP_PKEY* key) { return {key, EVP_PKEY_free}; }

Bio ReadBio(absl::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

BigNumber ToBigNumber(absl::string_view bytes) {
  return BigNumber(BN_bin2bn(Bytes(bytes), static_cast<int>(bytes.size()), nullptr));
}

std::string ToBytes(const BIGNUM& number, size_t size) {
  std::string bytes(size, '\0');
  if (BN_bn2binpad(&number, Bytes(bytes), static_cast<int>(size)) < 0) return "";
  return bytes;
}

std::string NumberOf(EVP_PKEY* key, const char* name, size_t size) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) return "";
  const BigNumber owned(number);
  return ToBytes(*number, size == 0 ? static_cast<size_t>(BN_num_bytes(number)) : size);
}

absl::StatusOr<std::shared_ptr<EVP_PKEY>> FromParameters(const char* kind, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("not a public key of kind ", kind));
  }
  return Share(key);
}

const EVP_MD* DigestOf(SignatureAlgorithm algorithm) {
  return algorithm == SignatureAlgorithm::kEdDsa ? nullptr : EVP_sha256();
}

// ECDSA signatures are r and s in a JWS, and DER in OpenSSL.
std::string RawToDer(absl::string_view raw) {
  if (raw.size() != 2 * kCoordinateBytes) return "";
  const EcSignature signature(ECDSA_SIG_new());
  if (signature == nullptr || ECDSA_SIG_set0(signature.get(), ToBigNumber(raw.substr(0, kCoordinateBytes)).release(),
                                             ToBigNumber(raw.substr(kCoordinateBytes)).release()) != 1) {
    return "";
  }
  const int size = i2d_ECDSA_SIG(signature.get(), nullptr);
  if (size <= 0) return "";
  std::string der(static_cast<size_t>(size), '\0');
  unsigned char* out = Bytes(der);
  i2d_ECDSA_SIG(signature.get(), &out);
  return der;
}

std::string DerToRaw(absl::string_view der) {
  const unsigned char* in = Bytes(der);
  const EcSignature signature(d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size())));
  if (signature == nullptr) return "";
  return ToBytes(*ECDSA_SIG_get0_r(signature.get()), kCoordinateBytes) +
         ToBytes(*ECDSA_SIG_get0_s(signature.get()), kCoordinateBytes);
}

bool IsP256(EVP_PKEY* key) {
  char name[64] = {};
  size_t size = 0;
  return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof name, &size) == 1 &&
         absl::string_view(name) == "prime256v1";
}

std::string FromBio(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : "";
}

// Keys with a passphrase are refused; OpenSSL must not ask for one at a terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

absl::string_view AlgorithmName(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::kEs256: return "ES256";
    case SignatureAlgorithm::kRs256: return "RS256";
    case SignatureAlgorithm::kEdDsa: return "EdDSA";
  }
  return "";
}

absl::StatusOr<PublicKey> PublicKey::Wrap(std::shared_ptr<EVP_PKEY> key, std::string id) {
  PublicKey wrapped;
  switch (EVP_PKEY_get_base_id(key.get())) {
    case EVP_PKEY_EC:
      if (!IsP256(key.get())) return absl::InvalidArgumentError("an EC key of another curve than P-256");
      wrapped.algorithm_ = SignatureAlgorithm::kEs256;
      break;
    case EVP_PKEY_RSA: {
      const int bits = EVP_PKEY_get_bits(key.get());
      if (bits < kMinRsaBits || bits > kMaxRsaBits) {
        return absl::InvalidArgumentError(absl::StrCat("an RSA key of ", bits, " bits; it must have ", kMinRsaBits, " to ", kMaxRsaBits));
      }
      wrapped.algorithm_ = SignatureAlgorithm::kRs256;
      break;
    }
    case EVP_PKEY_ED25519:
      wrapped.algorithm_ = SignatureAlgorithm::kEdDsa;
      break;
    default:
      return absl::InvalidArgumentError("a key that is neither EC P-256 nor RSA nor Ed25519");
  }
  wrapped.key_ = std::move(key);
  wrapped.id_ = std::move(id);
  if (wrapped.id_.empty()) {
    const std::string members = wrapped.RequiredMembers();
    std::string hash(SHA256_DIGEST_LENGTH, '\0');
    SHA256(Bytes(absl::string_view(members)), members.size(), Bytes(hash));
    wrapped.id_ = Base64UrlEncode(hash);
  }
  return wrapped;
}

absl::StatusOr<PublicKey> PublicKey::ParsePem(absl::string_view pem) {
  const Bio bio = ReadBio(pem);
  EVP_PKEY* key = bio == nullptr ? nullptr : PEM_read_bio_PUBKEY(bio.get(), nullptr, NoPassphrase, nullptr);
  if (key == nullptr) return absl::InvalidArgumentError("no PEM public key");
  return Wrap(Share(key), "");
}

absl::StatusOr<PublicKey> PublicKey::FromP256(absl::string_view x, absl::string_view y, std::string id) {
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) {
    return absl::InvalidArgumentError("coordinates of a P-256 key have 32 bytes each");
  }
  const std::string point = absl::StrCat("\x04", x, y);
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
    return absl::InternalError("no memory for a key");
  }
  STRATA_ASSIGN_OR_RETURN(std::shared_ptr<EVP_PKEY> key, FromParameters("EC", builder.get()));
  const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  if (check == nullptr || EVP_PKEY_public_check(check.get()) != 1) return absl::InvalidArgumentError("a point that is not on P-256");
  return Wrap(std::move(key), std::move(id));
}

absl::StatusOr<PublicKey> PublicKey::FromRsa(absl::string_view n, absl::string_view e, std::string id) {
  if (n.size() > kMaxRsaBits / 8 || e.empty() || e.size() > 8) return absl::InvalidArgumentError("an RSA key with unusual numbers");
  const BigNumber modulus = ToBigNumber(n);
  const BigNumber exponent = ToBigNumber(e);
  if (modulus == nullptr || exponent == nullptr) return absl::InternalError("no memory for a key");
  if (!BN_is_odd(exponent.get()) || BN_is_one(exponent.get()) || !BN_is_odd(modulus.get())) {
    return absl::InvalidArgumentError("an RSA key with unusual numbers");
  }
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
    return absl::InternalError("no memory for a key");
  }
  STRATA_ASSIGN_OR_RETURN(std::shared_ptr<EVP_PKEY> key, FromParameters("RSA", builder.get()));
  return Wrap(std::move(key), std::move(id));
}

absl::StatusOr<PublicKey> PublicKey::FromEd25519(absl::string_view x, std::string id) {
  EVP_PKEY* key = x.size() == 32 ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(x), x.size()) : nullptr;
  if (key == nullptr) return absl::InvalidArgumentError("an Ed25519 key has 32 bytes");
  return Wrap(Share(key), std::move(id));
}

bool PublicKey::Verifies(absl::string_view message, absl::string_view signature) const {
  std::string der;
  if (algorithm_ == SignatureAlgorithm::kEs256) {
    der = RawToDer(signature);
    signature = der;
  }
  if (signature.empty()) return false;
  const DigestContext context(EVP_MD_CTX_new());
  return context != nullptr && EVP_DigestVerifyInit(context.get(), nullptr, DigestOf(algorithm_), nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(message), message.size()) == 1;
}

std::string PublicKey::RequiredMembers() const {
  switch (algorithm_) {
    case SignatureAlgorithm::kEs256:
      return absl::StrCat(R"({"crv":"P-256","kty":"EC","x":")",
                          Base64UrlEncode(NumberOf(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, kCoordinateBytes)), R"(","y":")",
                          Base64UrlEncode(NumberOf(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, kCoordinateBytes)), R"("})");
    case SignatureAlgorithm::kRs256:
      return absl::StrCat(R"({"e":")", Base64UrlEncode(NumberOf(key_.get(), OSSL_PKEY_PARAM_RSA_E, 0)), R"(","kty":"RSA","n":")",
                          Base64UrlEncode(NumberOf(key_.get(), OSSL_PKEY_PARAM_RSA_N, 0)), R"("})");
    case SignatureAlgorithm::kEdDsa: {
      std::string raw(32, '\0');
      size_t size = raw.size();
      EVP_PKEY_get_raw_public_key(key_.get(), Bytes(raw), &size);
      return absl::StrCat(R"({"crv":"Ed25519","kty":"OKP","x":")", Base64UrlEncode(raw), R"("})");
    }
  }
  return "";
}

std::string PublicKey::ToJwk() const {
  std::string members = RequiredMembers();
  members.pop_back();
  // An id comes from a JWKS, which may hold any text.
  return absl::StrCat(members, R"(,"alg":")", AlgorithmName(algorithm_), R"(","use":"sig","kid":)", json::Dump(json::Value(id_)), "}");
}

absl::StatusOr<SigningKey> SigningKey::ParsePem(absl::string_view pem) {
  const Bio bio = ReadBio(pem);
  EVP_PKEY* key = bio == nullptr ? nullptr : PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr);
  if (key == nullptr) return absl::InvalidArgumentError("no PEM private key without passphrase");
  SigningKey signing;
  STRATA_ASSIGN_OR_RETURN(signing.public_, PublicKey::Wrap(Share(key), ""));
  return signing;
}

absl::StatusOr<SigningKey> SigningKey::Generate(SignatureAlgorithm algorithm) {
  EVP_PKEY* key = nullptr;
  switch (algorithm) {
    case SignatureAlgorithm::kEs256: key = EVP_EC_gen("P-256"); break;
    case SignatureAlgorithm::kRs256: key = EVP_RSA_gen(3072); break;
    case SignatureAlgorithm::kEdDsa: key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"); break;
  }
  if (key == nullptr) return absl::InternalError("the OpenSSL library generates no key");
  SigningKey signing;
  STRATA_ASSIGN_OR_RETURN(signing.public_, PublicKey::Wrap(Share(key), ""));
  return signing;
}

absl::StatusOr<std::string> SigningKey::Sign(absl::string_view message) const {
  const SignatureAlgorithm algorithm = public_.algorithm();
  const DigestContext context(EVP_MD_CTX_new());
  size_t size = 0;
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, DigestOf(algorithm), nullptr, public_.key_.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, Bytes(message), message.size()) != 1) {
    return absl::InternalError("the OpenSSL library does not sign");
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), Bytes(signature), &size, Bytes(message), message.size()) != 1) {
    return absl::InternalError("the OpenSSL library does not sign");
  }
  signature.resize(size);
  return algorithm == SignatureAlgorithm::kEs256 ? DerToRaw(signature) : signature;
}

absl::StatusOr<std::string> SigningKey::ToPem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), public_.key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return absl::InternalError("the OpenSSL library writes no key");
  }
  return FromBio(bio.get());
}

const PublicKey* FindKey(const KeySet& keys, absl::string_view id) {
  for (const PublicKey& key : keys) {
    if (key.id() == id) return &key;
  }
  return nullptr;
}

}  // namespace strata::auth
