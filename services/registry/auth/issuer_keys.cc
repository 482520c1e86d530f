#include "services/registry/auth/issuer_keys.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/auth/jwks.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/http/url.h"
#include "lib/log/log.h"

namespace strata::registry {
namespace {

constexpr absl::Duration kFetchDeadline = absl::Seconds(10);
constexpr absl::Duration kFresh = absl::Hours(1);
constexpr absl::Duration kUsable = absl::Hours(24);
constexpr absl::Duration kBetweenTries = absl::Seconds(30);

bool IsPublic4(uint32_t address) {
  const auto in = [address](uint32_t network, int bits) { return (address >> (32 - bits)) == (network >> (32 - bits)); };
  return !(in(0x00000000, 8) || in(0x0a000000, 8) || in(0x64400000, 10) || in(0x7f000000, 8) || in(0xa9fe0000, 16) || in(0xac100000, 12) ||
           in(0xc0000000, 24) || in(0xc0a80000, 16) || in(0xc6120000, 15) || in(0xe0000000, 3));
}

bool IsPublic6(const in6_addr& address) {
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    uint32_t inner;
    std::memcpy(&inner, address.s6_addr + 12, sizeof inner);
    return IsPublic4(ntohl(inner));
  }
  return (address.s6_addr[0] & 0xe0) == 0x20;  // 2000::/3 is all that is routed
}

bool IsPublic(const sockaddr* address) {
  if (address->sa_family == AF_INET) return IsPublic4(ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr));
  if (address->sa_family == AF_INET6) return IsPublic6(reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
  return false;
}

}  // namespace

absl::Status CheckPublicHost(const std::string& host) {
  std::string name = host;
  if (name.size() > 2 && name.front() == '[') name = name.substr(1, name.size() - 2);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (error != 0) return absl::UnavailableError(absl::StrCat("resolving ", host, ": ", ::gai_strerror(error)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    if (IsPublic(entry->ai_addr)) continue;
    return absl::PermissionDeniedError(
        absl::StrCat(host, " is in a private network; set \"allow_private_addresses\": true for the issuer if that is meant"));
  }
  return absl::OkStatus();
}

IssuerKeys::IssuerKeys(const Clock& clock) : clock_(clock), client_({.connect_timeout = absl::Seconds(5)}) {}

std::shared_ptr<IssuerKeys::Entry> IssuerKeys::EntryOf(const std::string& url) {
  MutexLock lock(mutex_);
  std::shared_ptr<Entry>& entry = entries_[url];
  if (entry == nullptr) entry = std::make_shared<Entry>();
  return entry;
}

absl::StatusOr<auth::KeySet> IssuerKeys::Fetch(const CallContext& context, const auth::TrustedIssuer& issuer) {
  STRATA_ASSIGN_OR_RETURN(const http::Url url, http::Url::Parse(issuer.jwks_url));
  if (!issuer.allow_private_addresses) STRATA_RETURN_IF_ERROR(CheckPublicHost(url.host));
  CallContext bounded = context;
  bounded.deadline = std::min(context.deadline, absl::Now() + kFetchDeadline);
  http::ClientRequest request;
  request.url = issuer.jwks_url;
  request.headers.Set("Accept", "application/json");
  request.redirects = http::RedirectPolicy::kReturn;
  request.ca_file = issuer.ca_file;
  STRATA_ASSIGN_OR_RETURN(const http::ClientResponse response, client_.Do(bounded, std::move(request)));
  if (response.status != 200) return absl::UnavailableError(absl::StrCat(issuer.jwks_url, " answers ", response.status));
  STRATA_ASSIGN_OR_RETURN(const std::string text, ReadAll(*response.body, auth::kMaxJwksBytes));
  return auth::ParseJwks(text);
}

absl::StatusOr<auth::KeySet> IssuerKeys::KeysFor(const CallContext& context, const auth::TrustedIssuer& issuer, const auth::Jwt& token) {
  const std::shared_ptr<Entry> entry = EntryOf(issuer.jwks_url);
  // Whoever comes meanwhile waits for the same fetch.
  MutexLock lock(entry->mutex);
  const absl::Time now = clock_.Now();
  const bool is_unknown = auth::FindKey(entry->keys, token.key_id) == nullptr;
  const bool is_wanted = now - entry->fetched > kFresh || is_unknown;
  if (is_wanted && now - entry->tried >= kBetweenTries) {
    entry->tried = now;
    absl::StatusOr<auth::KeySet> keys = Fetch(context, issuer);
    if (keys.ok()) {
      entry->keys = *std::move(keys);
      entry->fetched = now;
    } else {
      log::Error("authentication: the keys of an issuer cannot be fetched", {{"issuer", issuer.issuer}, {"error", keys.status()}});
    }
  }
  if (now - entry->fetched > kUsable) {
    return absl::UnavailableError(absl::StrCat("the keys of issuer ", issuer.issuer, " cannot be fetched"));
  }
  return entry->keys;
}

}  // namespace strata::registry
