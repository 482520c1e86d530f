// Feeds arbitrary bytes to every parser that reads them from a peer, and checks what must hold for whatever they accept.
#include <cstdint>

#include "lib/base/check.h"
#include "lib/http/range.h"
#include "lib/http/request_head.h"
#include "lib/http/url.h"

namespace strata::http {
namespace {

void FuzzHead(absl::string_view input) {
  const std::optional<size_t> end = FindHeadEnd(input, 0);
  for (size_t cut = 0; cut < input.size() && cut < 64; ++cut) {
    if (!FindHeadEnd(input.substr(0, cut), 0)) STRATA_CHECK(FindHeadEnd(input, cut) == end);
  }
  if (!end) return;
  const auto head = ParseRequestHead(input.substr(0, *end));
  if (!head.ok()) return;
  STRATA_CHECK(head->path.find('\0') == std::string::npos);
  STRATA_CHECK(!(head->headers.Has("Content-Length") && head->headers.Has("Transfer-Encoding")));
}

void FuzzRange(absl::string_view input) {
  const auto ranges = ParseRange(input, 1000);
  if (ranges.ok()) {
    for (const ByteRange& range : *ranges) STRATA_CHECK(range.first <= range.last && range.last < 1000);
  }
  (void)ParseUploadContentRange(input);
  if (const auto range = ParseContentRange(input); range.ok()) STRATA_CHECK(range->range.last < range->total_bytes);
}

void FuzzUrl(absl::string_view input) {
  const auto url = Url::Parse(input);
  if (url.ok()) {
    const auto again = Url::Parse(url->ToString());
    STRATA_CHECK(again.ok() && again->ToString() == url->ToString());
  }
  const Url base = *Url::Parse("https://r/a/b");
  if (const auto resolved = base.Resolve(input); resolved.ok()) STRATA_CHECK(Url::Parse(resolved->ToString()).ok());
  const auto query = QueryParameters::Parse(input);
  if (query.ok()) STRATA_CHECK(QueryParameters::Parse(query->ToString()).ok());
}

}  // namespace
}  // namespace strata::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  strata::http::FuzzHead(input);
  strata::http::FuzzRange(input);
  strata::http::FuzzUrl(input);
  return 0;
}
