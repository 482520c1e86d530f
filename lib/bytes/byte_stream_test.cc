#include "lib/bytes/byte_stream.h"

#include "lib/testing/status_matchers.h"

namespace strata {
namespace {

TEST(ByteStream, CopiesMoreThanOneChunk) {
  const std::string text(3 * kStreamChunkBytes + 17, 'x');
  StringSource source(text);
  std::string out;
  StringSink sink(&out);
  ASSERT_OK_AND_ASSIGN(const uint64_t copied, CopyBytes(source, sink));
  EXPECT_EQ(copied, text.size());
  EXPECT_EQ(out, text);
}

TEST(ByteStream, ReadAllRefusesMoreThanItsLimit) {
  StringSource source("12345");
  EXPECT_THAT(ReadAll(source, 4), testing::StatusIs(absl::StatusCode::kResourceExhausted, "limit of 4 bytes"));
}

TEST(ByteStream, LimitedSourceEndsEarly) {
  StringSource inner("12345");
  LimitedSource source(inner, 3);
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadAll(source, 100));
  EXPECT_EQ(text, "123");
}

TEST(ByteStream, ReadExactlySaysHowMuchCame) {
  StringSource source("abc");
  char buffer[5];
  EXPECT_THAT(ReadExactly(source, buffer, 5), testing::StatusIs(absl::StatusCode::kOutOfRange, "after 3 of 5"));
}

}  // namespace
}  // namespace strata
