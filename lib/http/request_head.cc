#include "lib/http/request_head.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"

namespace strata::http {
namespace {

absl::Status Malformed(absl::string_view what, absl::string_view text = "") {
  if (text.empty()) return absl::InvalidArgumentError(what);
  return absl::InvalidArgumentError(absl::StrCat(what, ": \"", absl::CHexEscape(text.substr(0, 80)), "\""));
}

// Blanks and tabs only: whoever strips more accepts values that the next hop refuses.
absl::string_view TrimBlanks(absl::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == absl::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Takes one line up to CR LF. Bare CR and LF are refused.
absl::StatusOr<absl::string_view> TakeLine(absl::string_view& rest) {
  const size_t end = rest.find('\n');
  if (end == absl::string_view::npos || end == 0 || rest[end - 1] != '\r') return Malformed("a line does not end in CR LF");
  const absl::string_view line = rest.substr(0, end - 1);
  if (line.find('\r') != absl::string_view::npos) return Malformed("a carriage return inside a line");
  rest.remove_prefix(end + 1);
  return line;
}

absl::Status ParseTarget(RequestHead& head) {
  absl::string_view target = head.target;
  for (const char c : target) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '#') return Malformed("bad character in the request target", target);
  }
  if (target == "*" && head.method == "OPTIONS") {
    head.path = "*";
    return absl::OkStatus();
  }
  if (absl::StartsWithIgnoreCase(target, "http://") || absl::StartsWithIgnoreCase(target, "https://")) {
    target.remove_prefix(target.find("://") + 3);
    const size_t slash = target.find_first_of("/?");
    target = slash == absl::string_view::npos ? "/" : target.substr(slash);
  }
  if (!absl::StartsWith(target, "/")) return Malformed("the request target is not a path", target);
  const size_t question = target.find('?');
  STRATA_ASSIGN_OR_RETURN(head.path, PercentDecode(target.substr(0, question)));
  if (!IsValidFieldValue(head.path)) return Malformed("control character in the path", head.path);
  if (question != absl::string_view::npos) {
    head.raw_query = std::string(target.substr(question + 1));
    STRATA_ASSIGN_OR_RETURN(head.query, QueryParameters::Parse(head.raw_query));
  }
  return absl::OkStatus();
}

absl::Status ParseRequestLine(absl::string_view line, RequestHead& head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == absl::string_view::npos || first == last) return Malformed("malformed request line", line);
  const absl::string_view method = line.substr(0, first);
  const absl::string_view version = line.substr(last + 1);
  if (!IsValidFieldName(method) || method.size() > 32) return Malformed("bad method", method);
  if (version.size() != 8 || !absl::StartsWith(version, "HTTP/") || !absl::ascii_isdigit(version[5]) || version[6] != '.' ||
      !absl::ascii_isdigit(version[7])) {
    return Malformed("bad protocol version", version);
  }
  if (version[5] != '1') return absl::FailedPreconditionError("only HTTP/1.1 and HTTP/1.0 are spoken here");
  head.minor_version = version[7] == '0' ? 0 : 1;
  head.method = std::string(method);
  head.target = std::string(line.substr(first + 1, last - first - 1));
  return ParseTarget(head);
}

absl::Status ParseField(absl::string_view line, RequestHead& head) {
  if (head.headers.size() == kMaxHeaderFields) return Malformed(absl::StrCat("more than ", kMaxHeaderFields, " header fields"));
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return Malformed("header line without a colon", line);
  const absl::string_view name = line.substr(0, colon);
  if (!IsValidFieldName(name)) return Malformed("bad header name", name);
  const absl::string_view value = TrimBlanks(line.substr(colon + 1));
  if (!IsValidFieldValue(value)) return Malformed("control character in the value of header", name);
  head.headers.Add(name, value);
  return absl::OkStatus();
}

absl::Status ApplyFraming(RequestHead& head) {
  const std::vector<absl::string_view> lengths = head.headers.FindAll("Content-Length");
  const std::vector<absl::string_view> codings = head.headers.FindAll("Transfer-Encoding");
  if (!codings.empty()) {
    if (!lengths.empty()) return Malformed("both Content-Length and Transfer-Encoding");
    if (head.minor_version == 0) return Malformed("Transfer-Encoding in an HTTP/1.0 request");
    if (codings.size() > 1) return Malformed("more than one Transfer-Encoding");
    if (!absl::EqualsIgnoreCase(codings[0], "chunked")) {
      return absl::UnimplementedError("the only transfer coding understood is \"chunked\"");
    }
    head.content_length.reset();
    return absl::OkStatus();
  }
  if (lengths.size() > 1) return Malformed("more than one Content-Length");
  if (lengths.size() == 1) {
    const std::optional<uint64_t> length = ParseDecimal(lengths[0]);
    if (!length || *length > uint64_t{INT64_MAX}) return Malformed("bad Content-Length", lengths[0]);
    head.content_length = *length;
  }
  return absl::OkStatus();
}

absl::Status ApplyConnection(RequestHead& head) {
  const size_t hosts = head.headers.FindAll("Host").size();
  if (hosts > 1) return Malformed("more than one Host header");
  if (hosts == 0 && head.minor_version == 1) return Malformed("no Host header");
  head.keep_alive = head.minor_version == 1;
  for (const absl::string_view option : head.headers.ListMembers("Connection")) {
    if (absl::EqualsIgnoreCase(option, "close")) {
      head.keep_alive = false;
      break;
    }
    if (absl::EqualsIgnoreCase(option, "keep-alive")) head.keep_alive = true;
  }
  const auto expect = head.headers.Find("Expect");
  head.expects_continue = expect && head.minor_version == 1 && absl::EqualsIgnoreCase(*expect, "100-continue");
  return absl::OkStatus();
}

}  // namespace

std::optional<size_t> FindHeadEnd(absl::string_view buffer, size_t scanned) {
  // A blank line may straddle what was seen before.
  size_t at = scanned < 2 ? 0 : scanned - 2;
  while (true) {
    at = buffer.find('\n', at);
    if (at == absl::string_view::npos) return std::nullopt;
    const absl::string_view rest = buffer.substr(at + 1, 2);
    if (absl::StartsWith(rest, "\n")) return at + 2;
    if (rest == "\r\n") return at + 3;
    ++at;
  }
}

absl::StatusOr<RequestHead> ParseRequestHead(absl::string_view head) {
  RequestHead parsed;
  absl::string_view rest = head;
  STRATA_ASSIGN_OR_RETURN(const absl::string_view request_line, TakeLine(rest));
  STRATA_RETURN_IF_ERROR(ParseRequestLine(request_line, parsed));
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const absl::string_view line, TakeLine(rest));
    if (line.empty()) break;
    STRATA_RETURN_IF_ERROR(ParseField(line, parsed));
  }
  if (!rest.empty()) return Malformed("bytes after the end of the head");
  STRATA_RETURN_IF_ERROR(ApplyFraming(parsed));
  STRATA_RETURN_IF_ERROR(ApplyConnection(parsed));
  return parsed;
}

int HttpStatusOfHeadError(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnimplemented: return 501;
    case absl::StatusCode::kFailedPrecondition: return 505;
    default: return 400;
  }
}

}  // namespace strata::http
