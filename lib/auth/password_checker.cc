#include "lib/auth/password_checker.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/auth/bcrypt.h"
#include "lib/base/check.h"
#include "lib/base/status.h"

namespace strata::auth {
namespace {

// bcrypt of a random text that nobody kept.
constexpr char kFallbackDecoy[] = "$2y$10$abcdefghijklmnopqrstuuKhBZwQ5eYw5pHqfJ8dX3uT3W5nQe6Zm";

std::string RandomSecret() {
  std::string secret(32, '\0');
  STRATA_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(secret.data()), static_cast<int>(secret.size())) == 1);
  return secret;
}

// Hashes may have another cost than ours: an unknown user must take as long as the others do, so the cost is taken from them.
std::string DecoyLike(const Users& users, const std::string& decoy) {
  if (users.empty()) return decoy;
  std::string like = decoy;
  const std::string& hash = users.begin()->second;
  like[4] = hash[4];
  like[5] = hash[5];
  return like;
}

absl::Status WrongCredentials() { return absl::UnauthenticatedError("the user name or the password is wrong"); }

absl::Status MustWait(absl::Duration wait) {
  return absl::ResourceExhaustedError(absl::StrCat("too many failed logins; try again in ",
                                                   std::max<int64_t>(1, absl::ToInt64Seconds(absl::Ceil(wait, absl::Seconds(1)))), " s"));
}

}  // namespace

PasswordChecker::PasswordChecker(const Clock& clock, const PasswordCheckerOptions& options)
    : clock_(clock),
      options_(options),
      secret_(RandomSecret()),
      decoy_hash_(kFallbackDecoy),
      users_failures_(clock, options.per_user),
      peers_failures_(clock, options.per_peer) {}

std::string PasswordChecker::CacheKey(absl::string_view user, absl::string_view password, absl::string_view hash) const {
  // Lengths first: no two triples give the same text.
  const std::string text = absl::StrCat(user.size(), ":", password.size(), ":", user, password, hash);
  std::string key(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(key.data()), &size);
  key.resize(size);
  return key;
}

bool PasswordChecker::IsCached(const std::string& key) {
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  const auto found = cache_.find(key);
  return found != cache_.end() && now < found->second;
}

void PasswordChecker::Remember(const std::string& key) {
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  if (cache_.size() >= options_.cache_entries) {
    absl::erase_if(cache_, [now](const auto& entry) { return entry.second <= now; });
    if (cache_.size() >= options_.cache_entries) cache_.clear();
  }
  cache_[key] = now + options_.cache_time;
}

absl::Status PasswordChecker::AwaitTurn() {
  MutexLock lock(mutex_);
  if (running_ >= options_.concurrency && waiting_ >= options_.queue) {
    return absl::ResourceExhaustedError("too many logins at the same moment; try again in 1 s");
  }
  ++waiting_;
  while (running_ >= options_.concurrency) turn_over_.Wait(mutex_);
  --waiting_;
  ++running_;
  return absl::OkStatus();
}

void PasswordChecker::EndTurn() {
  MutexLock lock(mutex_);
  --running_;
  turn_over_.Signal();
}

absl::Status PasswordChecker::Check(const Users& users, absl::string_view peer, absl::string_view user, absl::string_view password) {
  if (user.empty() || user.size() > 256 || password.size() > kMaxPasswordBytes) return WrongCredentials();
  const auto found = users.find(user);
  const bool is_known = found != users.end();
  const std::string key = CacheKey(user, password, is_known ? found->second : decoy_hash_);
  if (is_known && IsCached(key)) return absl::OkStatus();

  const std::string user_key = absl::StrCat(peer, " ", user);
  const absl::Duration wait = std::max(users_failures_.Wait(user_key), peers_failures_.Wait(peer));
  if (wait > absl::ZeroDuration()) return MustWait(wait);
  STRATA_RETURN_IF_ERROR(AwaitTurn());
  // Whoever waited behind an equal check has its result by now.
  const bool matches = (is_known && IsCached(key)) || PasswordMatches(password, is_known ? found->second : DecoyLike(users, decoy_hash_));
  EndTurn();
  if (!matches || !is_known) {
    users_failures_.Fail(user_key);
    peers_failures_.Fail(peer);
    return WrongCredentials();
  }
  users_failures_.Succeed(user_key);
  Remember(key);
  return absl::OkStatus();
}

}  // namespace strata::auth
