#include "services/builder/rpc/utf8.h"

#include <gtest/gtest.h>

namespace strata::rpc {
namespace {

TEST(Utf8, KeepsWhatIsWellFormed) {
  for (const char* text : {"", "plain\n\t", "Gr\u00fc\u00dfe", "\u65e5\u672c", "\U0001F600", "\uFFFD", "\U0010FFFF"}) EXPECT_EQ(ToUtf8(text), text);
}

TEST(Utf8, ReplacesEachOtherByte) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(ToUtf8("a\xFF" "b"), "a" + r + "b");
  EXPECT_EQ(ToUtf8("\xC3"), r);                          // cut off
  EXPECT_EQ(ToUtf8("\xC0\xAF"), r + r);                  // longer than needed
  EXPECT_EQ(ToUtf8("\xE0\x80\xAF"), r + r + r);          // the same in three bytes
  EXPECT_EQ(ToUtf8("\xED\xA0\x80"), r + r + r);          // surrogate
  EXPECT_EQ(ToUtf8("\xF4\x90\x80\x80"), r + r + r + r);  // beyond U+10FFFF
  EXPECT_EQ(ToUtf8("\x80x"), r + "x");
}

}  // namespace
}  // namespace strata::rpc
