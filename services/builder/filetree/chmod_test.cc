#include "services/builder/filetree/chmod.h"

#include <sys/stat.h>

#include "lib/testing/status_matchers.h"

namespace strata::filetree {
namespace {

TEST(ApplyChmod, TakesOctalAndSymbolic) {
  const struct {
    const char* spec;
    uint32_t mode;
    uint32_t want;
  } kCases[] = {
      {"755", S_IFREG | 0600, 0755},        {"0644", S_IFREG | 0777, 0644},       {"4755", S_IFREG, 04755},
      {"u=rwX,go=rX", S_IFREG | 0600, 0644}, {"u=rwX,go=rX", S_IFDIR | 0700, 0755}, {"+x", S_IFREG | 0644, 0755},
      {"a-w", S_IFREG | 0666, 0444},        {"u+s", S_IFREG | 0755, 04755},       {"go=", S_IFREG | 0777, 0700},
      {"u=rwX,go=rX", S_IFREG | 0711, 0755}, {"+t", S_IFDIR | 0777, 01777},        {"g+w-x", S_IFREG | 0755, 0765},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.spec);
    ASSERT_OK_AND_ASSIGN(const uint32_t mode, ApplyChmod(c.spec, c.mode));
    EXPECT_EQ(mode, c.want) << std::oct << mode;
  }
  for (const char* spec : {"", "8", "77777", "u", "rwx", "u=q", "x+y"}) {
    SCOPED_TRACE(spec);
    EXPECT_THAT(ApplyChmod(spec, 0644), testing::StatusIs(absl::StatusCode::kInvalidArgument, "invalid chmod parameter"));
  }
}

}  // namespace
}  // namespace strata::filetree
