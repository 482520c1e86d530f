#include "lib/http/url.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/http/headers.h"

namespace strata::http {
namespace {

constexpr size_t kMaxParameters = 256;
constexpr size_t kMaxUrlBytes = 16 * 1024;

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", absl::CHexEscape(text.substr(0, 120)), "\""); }

bool IsUnreserved(unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~'; }

bool IsValidHost(absl::string_view host) {
  if (host.empty() || host.size() > 255) return false;
  if (host.front() == '[') {
    return host.size() > 2 && host.back() == ']' &&
           host.find_first_not_of("0123456789abcdefABCDEF:.", 1) == host.size() - 1;
  }
  return std::all_of(host.begin(), host.end(), [](unsigned char c) { return IsUnreserved(c); });
}

// RFC 3986 section 5.2.4, for a path that begins with "/".
std::string RemoveDotSegments(absl::string_view path) {
  std::vector<absl::string_view> kept;
  const std::vector<absl::string_view> segments = absl::StrSplit(path.substr(1), '/');
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool is_last = i + 1 == segments.size();
    if (segments[i] == "..") {
      if (!kept.empty()) kept.pop_back();
      if (is_last) kept.push_back("");
    } else if (segments[i] == ".") {
      if (is_last) kept.push_back("");
    } else {
      kept.push_back(segments[i]);
    }
  }
  std::string out;
  for (const absl::string_view segment : kept) absl::StrAppend(&out, "/", segment);
  return out.empty() ? "/" : out;
}

uint16_t DefaultPort(absl::string_view scheme) { return scheme == "https" ? 443 : 80; }

std::string AppendParameter(absl::string_view query, absl::string_view name, absl::string_view value) {
  return absl::StrCat(query, query.empty() ? "" : "&", PercentEncode(name), "=", PercentEncode(value, ":/"));
}

}  // namespace

std::string PercentEncode(absl::string_view text, absl::string_view also_keep) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsUnreserved(byte) || also_keep.find(c) != absl::string_view::npos) {
      out.push_back(c);
    } else {
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return out;
}

absl::StatusOr<std::string> PercentDecode(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("bad percent-encoding at byte ", i, " of ", Quoted(text), "; write a literal % as %25"));
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

absl::StatusOr<QueryParameters> QueryParameters::Parse(absl::string_view query) {
  QueryParameters parsed;
  if (query.empty()) return parsed;
  for (const absl::string_view part : absl::StrSplit(query, '&')) {
    if (part.empty()) continue;
    if (parsed.size() == kMaxParameters) {
      return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxParameters, " query parameters"));
    }
    std::string text(part);
    std::replace(text.begin(), text.end(), '+', ' ');
    const size_t equals = text.find('=');
    STRATA_ASSIGN_OR_RETURN(std::string name, PercentDecode(absl::string_view(text).substr(0, equals)));
    std::string value;
    if (equals != std::string::npos) {
      STRATA_ASSIGN_OR_RETURN(value, PercentDecode(absl::string_view(text).substr(equals + 1)));
    }
    parsed.parameters_.emplace_back(std::move(name), std::move(value));
  }
  return parsed;
}

std::optional<absl::string_view> QueryParameters::Find(absl::string_view name) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.first == name) return parameter.second;
  }
  return std::nullopt;
}

absl::string_view QueryParameters::Get(absl::string_view name) const { return Find(name).value_or(""); }

std::vector<absl::string_view> QueryParameters::FindAll(absl::string_view name) const {
  std::vector<absl::string_view> values;
  for (const Parameter& parameter : parameters_) {
    if (parameter.first == name) values.push_back(parameter.second);
  }
  return values;
}

void QueryParameters::Add(absl::string_view name, absl::string_view value) {
  parameters_.emplace_back(std::string(name), std::string(value));
}

std::string QueryParameters::ToString() const {
  std::string out;
  for (const Parameter& parameter : parameters_) out = AppendParameter(out, parameter.first, parameter.second);
  return out;
}

absl::StatusOr<Url> Url::Parse(absl::string_view text) {
  const auto bad = [text](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("URL ", Quoted(text), ": ", why));
  };
  if (text.size() > kMaxUrlBytes) return bad("too long");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return bad("contains a space or control character");
  }
  Url url;
  const size_t colon = text.find("://");
  if (colon == absl::string_view::npos) return bad("it must begin with http:// or https://");
  url.scheme = absl::AsciiStrToLower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return bad("only http and https are supported");
  absl::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  const size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  const absl::string_view authority = rest.substr(0, authority_end);
  rest.remove_prefix(authority_end);
  if (absl::StrContains(authority, "@")) return bad("user names and passwords in URLs are not supported");

  const size_t bracket = authority.rfind(']');
  const size_t port_colon = authority.find(':', bracket == absl::string_view::npos ? 0 : bracket);
  url.host = absl::AsciiStrToLower(authority.substr(0, port_colon));
  if (!IsValidHost(url.host)) return bad("bad host name");
  url.port = DefaultPort(url.scheme);
  if (port_colon != absl::string_view::npos && port_colon + 1 < authority.size()) {
    const std::optional<uint64_t> port = ParseDecimal(authority.substr(port_colon + 1));
    if (!port || *port == 0 || *port > 65535) return bad("bad port");
    url.port = static_cast<uint16_t>(*port);
  }

  const size_t question = rest.find('?');
  const absl::string_view path = rest.substr(0, question);
  if (!path.empty()) url.path = std::string(path);
  if (question != absl::string_view::npos) url.query = std::string(rest.substr(question + 1));
  if (!PercentDecode(url.path).ok() || !PercentDecode(url.query).ok()) return bad("bad percent-encoding");
  return url;
}

absl::StatusOr<Url> Url::Resolve(absl::string_view location) const {
  const size_t special = location.find_first_of("/?#:");
  const bool has_scheme = special != absl::string_view::npos && special > 0 && location[special] == ':';
  if (has_scheme) return Parse(location);
  if (absl::StartsWith(location, "//")) return Parse(absl::StrCat(scheme, ":", location));
  const std::string origin = absl::StrCat(scheme, "://", Authority());
  if (location.empty()) return Parse(ToString());
  if (location.front() == '#') return Parse(absl::StrCat(ToString(), location));
  if (location.front() == '?') return Parse(absl::StrCat(origin, path, location));
  std::string target = location.front() == '/' ? std::string(location)
                                               : absl::StrCat(path.substr(0, path.rfind('/') + 1), location);
  STRATA_ASSIGN_OR_RETURN(Url resolved, Parse(absl::StrCat(origin, target)));
  resolved.path = RemoveDotSegments(resolved.path);
  return resolved;
}

void Url::AddQuery(absl::string_view name, absl::string_view value) { query = AppendParameter(query, name, value); }

std::string Url::ToString() const {
  return absl::StrCat(scheme, "://", Authority(), path, query.empty() ? "" : "?", query);
}

std::string Url::Authority() const {
  return port == DefaultPort(scheme) ? host : absl::StrCat(host, ":", port);
}

}  // namespace strata::http
