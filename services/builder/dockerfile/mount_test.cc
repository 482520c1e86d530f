#include "services/builder/dockerfile/mount.h"

#include "lib/testing/status_matchers.h"
#include "services/builder/dockerfile/expand.h"

namespace strata::dockerfile {
namespace {

using ::strata::testing::StatusIs;

absl::StatusOr<std::string> Expand(absl::string_view word) {
  return ExpandWord(word, [](absl::string_view name) -> std::optional<std::string> {
    if (name == "DIR") return "/data";
    if (name == "MODE") return "0700";
    if (name == "ODD") return "x,type=ssh";
    return std::nullopt;
  });
}

TEST(Mount, FillsInVariables) {
  ASSERT_OK_AND_ASSIGN(const Mount mount, ParseMount("type=cache,target=$DIR/x,mode=${MODE},id=${ID:-${ODD}},sharing=locked,ro"));
  EXPECT_TRUE(mount.has_variables);
  EXPECT_EQ(mount.target, "$DIR/x");
  EXPECT_FALSE(mount.mode.has_value());
  ASSERT_OK_AND_ASSIGN(const Mount expanded, ExpandMount(mount, Expand));
  EXPECT_FALSE(expanded.has_variables);
  EXPECT_EQ(expanded.type, MountType::kCache);
  EXPECT_EQ(expanded.target, "/data/x");
  EXPECT_EQ(expanded.mode, 0700u);
  // A value stays one value, whatever it holds.
  EXPECT_EQ(expanded.id, "x,type=ssh");
  EXPECT_EQ(expanded.sharing, CacheSharing::kLocked);
  EXPECT_TRUE(expanded.read_only);
}

TEST(Mount, ChecksWhatVariablesBecome) {
  ASSERT_OK_AND_ASSIGN(const Mount no_mode, ParseMount("type=cache,target=/x,mode=$DIR"));
  EXPECT_THAT(ExpandMount(no_mode, Expand), StatusIs(absl::StatusCode::kInvalidArgument, "invalid value \"/data\" for mode"));
  ASSERT_OK_AND_ASSIGN(const Mount no_target, ParseMount("target=$UNSET"));
  EXPECT_THAT(ExpandMount(no_target, Expand), StatusIs(absl::StatusCode::kInvalidArgument, "target can't be empty"));
}

TEST(Mount, ReadsSizes) {
  const struct {
    absl::string_view text;
    uint64_t want;
  } cases[] = {{"123", 123}, {"1k", 1024}, {"2MB", 2 << 20}, {"3GiB", 3ull << 30}, {"7b", 7}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    ASSERT_OK_AND_ASSIGN(const Mount mount, ParseMount("type=tmpfs,target=/t,size=" + std::string(c.text)));
    EXPECT_EQ(mount.size_bytes, c.want);
  }
  for (const absl::string_view text : {"", "x", "1x", "-1", "1kx", "1ibb", "99999999p", "18446744073709551615"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(ParseMount("type=tmpfs,target=/t,size=" + std::string(text)),
                StatusIs(absl::StatusCode::kInvalidArgument, "for size; use a size such as 64m"));
  }
}

TEST(Mount, RefusesBrokenRecords) {
  for (const absl::string_view text : {"", "\"type=bind", "type=bind,\"a\"b", "a\"b", "type=bind,,target=/x", "type=secret",
                                       "type=bind,target=/x,rw=maybe", "type=cache,target=///", "type=ssh,uid=-1"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(ParseMount(text), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  }
}

}  // namespace
}  // namespace strata::dockerfile
