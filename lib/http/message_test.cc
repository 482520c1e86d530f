#include "lib/http/headers.h"
#include "lib/http/range.h"
#include "lib/http/url.h"
#include "lib/testing/status_matchers.h"

namespace strata::http {
namespace {

using ::testing::ElementsAre;
using testing::StatusIs;

TEST(HeadersTest, LookupIgnoresCaseAndKeepsRepeatedFields) {
  Headers headers;
  headers.Add("Accept", "a, b");
  headers.Add("accept", ",c ");
  EXPECT_EQ(headers.Get("ACCEPT"), "a, b");
  EXPECT_THAT(headers.FindAll("accept"), ElementsAre("a, b", ",c "));
  EXPECT_THAT(headers.ListMembers("accept"), ElementsAre("a", "b", "c"));
  headers.Set("ACCEPT", headers.Get("accept"));
  EXPECT_THAT(headers.FindAll("accept"), ElementsAre("a, b"));
  headers.Remove("accept");
  EXPECT_FALSE(headers.Has("Accept"));
}

TEST(HeadersTest, FieldsThatCouldSplitAMessageAreInvalid) {
  EXPECT_TRUE(IsValidFieldName("Docker-Content-Digest"));
  for (const char* name : {"", "a b", "a:", "a\r\n", "\xc3\xa4"}) EXPECT_FALSE(IsValidFieldName(name)) << name;
  EXPECT_TRUE(IsValidFieldValue("Bearer realm=\"x\"\t\xc3\xa4"));
  for (const char* value : {"a\nb", "a\r", "\x7f", "\x01"}) EXPECT_FALSE(IsValidFieldValue(value));
}

TEST(ParseDecimalTest, TakesDigitsOnly) {
  EXPECT_EQ(ParseDecimal("0"), 0u);
  EXPECT_EQ(ParseDecimal("9999999999999999999"), 9999999999999999999u);
  for (const char* text : {"", "+1", "-1", " 1", "1 ", "0x1", "1,1", "99999999999999999999"}) {
    EXPECT_FALSE(ParseDecimal(text)) << text;
  }
}

TEST(PercentTest, EncodesAndDecodesOnce) {
  EXPECT_EQ(PercentEncode("a/b c+%", "/"), "a/b%20c%2B%25");
  EXPECT_EQ(*PercentDecode("a%2Fb%20c%2b%25"), "a/b c+%");
  EXPECT_EQ(*PercentDecode("%2525"), "%25");
  for (const char* text : {"%", "%2", "%zz", "a%", "%-1", "a%2"}) {
    EXPECT_THAT(PercentDecode(text), StatusIs(absl::StatusCode::kInvalidArgument, "percent")) << text;
  }
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  EXPECT_EQ(*PercentDecode(PercentEncode(all)), all);
}

TEST(QueryParametersTest, KeepsOrderRepetitionAndEmptyValues) {
  ASSERT_OK_AND_ASSIGN(const QueryParameters query, QueryParameters::Parse("tag=a&x=1+2%26&tag=b&&flag&e="));
  EXPECT_THAT(query.FindAll("tag"), ElementsAre("a", "b"));
  EXPECT_EQ(query.Get("x"), "1 2&");
  EXPECT_EQ(query.Find("flag"), "");
  EXPECT_EQ(query.Find("none"), std::nullopt);
  EXPECT_EQ(query.ToString(), "tag=a&x=1%202%26&tag=b&flag=&e=");
}

TEST(QueryParametersTest, RefusesBadEncodingAndTooMany) {
  EXPECT_FALSE(QueryParameters::Parse("a=%").ok());
  std::string many;
  for (int i = 0; i < 257; ++i) many += "a&";
  EXPECT_FALSE(QueryParameters::Parse(many).ok());
}

TEST(UrlTest, ParsesAndPrints) {
  struct Case {
    const char* text;
    const char* host;
    int port;
    const char* path;
    const char* query;
    const char* printed;
  };
  const Case cases[] = {
      {"http://localhost:5000/v2/", "localhost", 5000, "/v2/", "", "http://localhost:5000/v2/"},
      {"HTTPS://Registry.Example", "registry.example", 443, "/", "", "https://registry.example/"},
      {"https://r:443/a%2Fb?x=1&y#f", "r", 443, "/a%2Fb", "x=1&y", "https://r/a%2Fb?x=1&y"},
      {"http://[::1]:80/x", "[::1]", 80, "/x", "", "http://[::1]/x"},
      {"http://[::1]:5000?q", "[::1]", 5000, "/", "q", "http://[::1]:5000/?q"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    ASSERT_OK_AND_ASSIGN(const Url url, Url::Parse(c.text));
    EXPECT_EQ(url.host, c.host);
    EXPECT_EQ(url.port, c.port);
    EXPECT_EQ(url.path, c.path);
    EXPECT_EQ(url.query, c.query);
    EXPECT_EQ(url.ToString(), c.printed);
  }
}

TEST(UrlTest, Rejects) {
  for (const char* text : {"", "localhost:5000", "ftp://a/", "http://", "http:///a", "http://a:0/", "http://a:65536/", "http://a:x",
                           "http://u:p@a/", "http://a b/", "http://a/\r\nX: y", "http://a/%zz", "http://[::1", "http://[]/", "http://a\\b/"}) {
    EXPECT_THAT(Url::Parse(text), StatusIs(absl::StatusCode::kInvalidArgument, "")) << text;
  }
}

TEST(UrlTest, ResolvesLocations) {
  ASSERT_OK_AND_ASSIGN(const Url base, Url::Parse("https://r:8443/v2/app/blobs/uploads/?n=1"));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"http://other/x", "http://other/x"},
      {"//other/x", "https://other/x"},
      {"/v2/u?state=a%2B", "https://r:8443/v2/u?state=a%2B"},
      {"7f3a", "https://r:8443/v2/app/blobs/uploads/7f3a"},
      {"../x/./y", "https://r:8443/v2/app/blobs/x/y"},
      {"?a=b", "https://r:8443/v2/app/blobs/uploads/?a=b"},
      {"", "https://r:8443/v2/app/blobs/uploads/?n=1"},
  };
  for (const auto& [location, want] : cases) {
    ASSERT_OK_AND_ASSIGN(const Url url, base.Resolve(location));
    EXPECT_EQ(url.ToString(), want) << location;
  }
  EXPECT_FALSE(base.Resolve("file:///etc/passwd").ok());
}

TEST(UrlTest, AddQueryLeavesServerChosenParametersAlone) {
  ASSERT_OK_AND_ASSIGN(Url url, Url::Parse("http://r/u?_state=a%2B%3D"));
  url.AddQuery("digest", "sha256:00");
  EXPECT_EQ(url.query, "_state=a%2B%3D&digest=sha256:00");
}

TEST(RangeTest, ResolvesAgainstTenBytes) {
  const std::vector<std::pair<std::string, std::vector<ByteRange>>> cases = {
      {"bytes=0-3", {{0, 3}}},     {"bytes=4-", {{4, 9}}},      {"bytes=-3", {{7, 9}}},          {"bytes=5-99", {{5, 9}}},
      {"bytes=-99", {{0, 9}}},     {"bytes=0-0", {{0, 0}}},     {"bytes=0-1, 8-", {{0, 1}, {8, 9}}}, {"bytes=50-,2-2", {{2, 2}}},
      {"Bytes=1-1,,2-2", {{1, 1}, {2, 2}}},
  };
  for (const auto& [value, want] : cases) {
    SCOPED_TRACE(value);
    ASSERT_OK_AND_ASSIGN(const auto ranges, ParseRange(value, 10));
    EXPECT_EQ(ranges, want);
  }
}

TEST(RangeTest, TellsUnsatisfiableFromMalformed) {
  for (const char* value : {"bytes=10-", "bytes=500-0", "bytes=-0", "bytes=11-12,20-"}) {
    EXPECT_THAT(ParseRange(value, 10), StatusIs(absl::StatusCode::kOutOfRange, "10 bytes")) << value;
  }
  EXPECT_THAT(ParseRange("bytes=0-", 0), StatusIs(absl::StatusCode::kOutOfRange, ""));
  std::string many = "bytes=0-0";
  for (size_t i = 0; i < kMaxRanges; ++i) many += ",0-0";
  for (const std::string value : {"", "bytes", "bytes=", "bytes=-", "lines=0-1", "bytes=a-b", "bytes=1", "bytes=1-2-3", "bytes=--1",
                                  "bytes=0-99999999999999999999", many.c_str()}) {
    EXPECT_THAT(ParseRange(value, 10), StatusIs(absl::StatusCode::kInvalidArgument, "")) << value;
  }
}

TEST(RangeTest, ContentRanges) {
  EXPECT_EQ(*ParseUploadContentRange("0-1023"), (ByteRange{0, 1023}));
  EXPECT_EQ(*ParseUploadContentRange("bytes 5-5/*"), (ByteRange{5, 5}));
  for (const char* value : {"", "5", "5-4", "-5", "5-", "bytes 1-2", "bytes 1-2/x", "0 - 1"}) {
    EXPECT_THAT(ParseUploadContentRange(value), StatusIs(absl::StatusCode::kInvalidArgument, "")) << value;
  }
  ASSERT_OK_AND_ASSIGN(const ContentRange range, ParseContentRange("bytes 2-5/10"));
  EXPECT_EQ(range.range, (ByteRange{2, 5}));
  EXPECT_EQ(FormatContentRange(range.range, range.total_bytes), "bytes 2-5/10");
  for (const char* value : {"bytes 2-5/*", "bytes */10", "bytes 2-10/10", "2-5/10"}) EXPECT_FALSE(ParseContentRange(value).ok());
}

}  // namespace
}  // namespace strata::http
