#include "lib/auth/bcrypt.h"

#include <crypt.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace strata::auth {
namespace {

constexpr size_t kHashBytes = 60;

bool IsHashable(absl::string_view password) {
  return password.size() <= kMaxPasswordBytes && password.find('\0') == absl::string_view::npos;
}

absl::string_view KindOf(absl::string_view hash) {
  if (absl::StartsWith(hash, "$apr1$")) return "MD5 (htpasswd without -B)";
  if (absl::StartsWith(hash, "{SHA}")) return "SHA-1 (htpasswd -s)";
  if (absl::StartsWith(hash, "$5$")) return "SHA-256 crypt";
  if (absl::StartsWith(hash, "$6$")) return "SHA-512 crypt";
  if (absl::StartsWith(hash, "$1$")) return "MD5 crypt";
  if (absl::StartsWith(hash, "$y$")) return "yescrypt";
  return "of another kind, or plain text";
}

// crypt_data is 32 KiB: too much for the stack of a worker thread.
std::string Crypt(absl::string_view password, const char* setting) {
  const auto data = std::make_unique<crypt_data>();
  std::string copy(password);
  const char* result = crypt_r(copy.c_str(), setting, data.get());
  std::string hash = result == nullptr ? "" : result;
  OPENSSL_cleanse(copy.data(), copy.size());
  OPENSSL_cleanse(data.get(), sizeof(crypt_data));
  return hash;
}

}  // namespace

absl::Status CheckBcryptHash(absl::string_view hash) {
  const bool is_bcrypt = absl::StartsWith(hash, "$2y$") || absl::StartsWith(hash, "$2a$") || absl::StartsWith(hash, "$2b$");
  if (!is_bcrypt) {
    return absl::InvalidArgumentError(absl::StrCat("the hash is ", KindOf(hash), "; only bcrypt is accepted: strata-registry htpasswd USER"));
  }
  const bool is_whole = hash.size() == kHashBytes && absl::ascii_isdigit(hash[4]) && absl::ascii_isdigit(hash[5]) && hash[6] == '$' &&
                        std::all_of(hash.begin() + 7, hash.end(), [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '/'; });
  if (!is_whole) return absl::InvalidArgumentError("the bcrypt hash is not complete");
  const int cost = (hash[4] - '0') * 10 + (hash[5] - '0');
  if (cost < kMinBcryptCost || cost > kMaxBcryptCost) {
    return absl::InvalidArgumentError(absl::StrCat("the bcrypt cost is ", cost, "; it must be ", kMinBcryptCost, " to ", kMaxBcryptCost));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> HashPassword(absl::string_view password, int cost) {
  if (password.empty()) return absl::InvalidArgumentError("the password is empty");
  if (!IsHashable(password)) {
    return absl::InvalidArgumentError(absl::StrCat("the password has more than ", kMaxPasswordBytes, " bytes or a NUL byte among them"));
  }
  char setting[CRYPT_GENSALT_OUTPUT_SIZE] = {};
  if (crypt_gensalt_rn("$2y$", static_cast<unsigned long>(cost), nullptr, 0, setting, sizeof setting) == nullptr) {
    return absl::InternalError("libcrypt makes no salt for bcrypt");
  }
  std::string hash = Crypt(password, setting);
  if (hash.size() != kHashBytes) return absl::InternalError("libcrypt does not know bcrypt");
  return hash;
}

bool PasswordMatches(absl::string_view password, const std::string& hash) {
  if (!IsHashable(password)) return false;
  const std::string computed = Crypt(password, hash.c_str());
  return computed.size() == hash.size() && CRYPTO_memcmp(computed.data(), hash.data(), hash.size()) == 0;
}

}  // namespace strata::auth
