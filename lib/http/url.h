// URLs as HTTP clients and servers need them: percent-encoding, query parameters, and the five parts of an http(s) URL.
// Spec: RFC 3986; the form encoding of queries ("+" is a space) from the WHATWG URL standard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::http {

// Every byte but letters, digits and "-._~" becomes %XX; those of `also_keep` stay too ("/" for paths).
std::string PercentEncode(absl::string_view text, absl::string_view also_keep = "");
// kInvalidArgument: a "%" not followed by two hex digits. Decodes once.
absl::StatusOr<std::string> PercentDecode(absl::string_view text);

// Decoded query parameters in order; a name may occur several times. Value type.
class QueryParameters {
 public:
  using Parameter = std::pair<std::string, std::string>;

  // Parses "a=1&b=&c". kInvalidArgument: bad percent-encoding, or more than 256 parameters.
  static absl::StatusOr<QueryParameters> Parse(absl::string_view query);

  // The first value; nullopt when the parameter is absent. The view lives until this object changes.
  std::optional<absl::string_view> Find(absl::string_view name) const;
  // The first value, or "".
  absl::string_view Get(absl::string_view name) const;
  std::vector<absl::string_view> FindAll(absl::string_view name) const;
  bool Has(absl::string_view name) const { return Find(name).has_value(); }
  void Add(absl::string_view name, absl::string_view value);

  // "a=1&b=": without "?", the inverse of Parse().
  std::string ToString() const;

  size_t size() const { return parameters_.size(); }
  std::vector<Parameter>::const_iterator begin() const { return parameters_.begin(); }
  std::vector<Parameter>::const_iterator end() const { return parameters_.end(); }

 private:
  std::vector<Parameter> parameters_;
};

// An absolute http or https URL. Path and query stay percent-encoded, exactly as given. Value type.
struct Url {
  std::string scheme;      // "http" or "https"
  std::string host;        // lowercase; an IPv6 address keeps its brackets
  uint16_t port = 0;       // never 0 after Parse(): the scheme's default when absent
  std::string path = "/";  // begins with "/"
  std::string query;       // without "?"; empty when absent

  // kInvalidArgument: another scheme, no host, user info, control characters or spaces, a bad port or percent-encoding.
  // A fragment is dropped.
  static absl::StatusOr<Url> Parse(absl::string_view text);
  // Resolves a Location value: absolute, "//host/path", "/path", "?query" or a relative path.
  absl::StatusOr<Url> Resolve(absl::string_view location) const;

  // Adds a parameter and leaves those already there untouched, byte for byte.
  void AddQuery(absl::string_view name, absl::string_view value);

  std::string ToString() const;
  // "host" or "host:port" when the port is not the scheme's default.
  std::string Authority() const;
  bool SameOrigin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};

}  // namespace strata::http
