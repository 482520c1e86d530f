#include "services/builder/executor/user_lookup.h"

#include <filesystem>

#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::executor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::StatusIs;

constexpr char kPasswd[] =
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken line\n"
    "bad:x:-1:0::/:/bin/sh\n"
    "app:x:1000:1001::/home/app:/bin/sh\n"
    "12:x:77:77::/twelve:/bin/sh\n"
    "nohome:x:5:5\n";
constexpr char kGroup[] =
    "root:x:0:\n"
    "app:x:1001:\n"
    "docker:x:998:other,app\n"
    "audio:x:29:app\n"
    "apps:x:30:application\n";

TEST(UserLookup, FindsNamesNumbersAndGroups) {
  struct Case {
    const char* user;
    uint32_t uid;
    uint32_t gid;
    std::vector<uint32_t> groups;
    const char* home;
  };
  const std::vector<Case> cases = {
      {"", 0, 0, {}, "/root"},
      {"root", 0, 0, {}, "/root"},
      {"app", 1000, 1001, {29, 998}, "/home/app"},
      {"1000", 1000, 1001, {29, 998}, "/home/app"},
      {"app:audio", 1000, 29, {}, "/home/app"},
      {"app:4242", 1000, 4242, {}, "/home/app"},
      {"4711", 4711, 0, {}, "/"},
      {"4711:4712", 4711, 4712, {}, "/"},
      {"4711:docker", 4711, 998, {}, "/"},
      {"12", 77, 77, {}, "/twelve"},
      {"nohome", 5, 5, {}, "/"},
      {"2147483647", 2147483647, 0, {}, "/"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.user);
    ASSERT_OK_AND_ASSIGN(const ResolvedUser found, ResolveUserIn(kPasswd, kGroup, c.user));
    EXPECT_EQ(found.uid, c.uid);
    EXPECT_EQ(found.gid, c.gid);
    EXPECT_EQ(found.additional_gids, c.groups);
    EXPECT_EQ(found.home, c.home);
  }
}

TEST(UserLookup, RefusesWhatIsNotThere) {
  EXPECT_THAT(ResolveUserIn(kPasswd, kGroup, "foo"),
              StatusIs(absl::StatusCode::kInvalidArgument, "unable to find user foo: no matching entry in /etc/passwd of the image"));
  EXPECT_THAT(ResolveUserIn(kPasswd, kGroup, "app:foo"),
              StatusIs(absl::StatusCode::kInvalidArgument, "unable to find group foo: no matching entry in /etc/group of the image"));
  EXPECT_THAT(ResolveUserIn(kPasswd, kGroup, "4294967296"), StatusIs(absl::StatusCode::kInvalidArgument, "4294967296"));
  EXPECT_THAT(ResolveUserIn(kPasswd, kGroup, "0:2147483648"), StatusIs(absl::StatusCode::kInvalidArgument, "2147483648"));
  EXPECT_THAT(ResolveUserIn(kPasswd, kGroup, "-1"), StatusIs(absl::StatusCode::kInvalidArgument, "-1"));
}

TEST(UserLookup, NumbersNeedNoFiles) {
  testing::ScratchDir scratch;
  ASSERT_OK_AND_ASSIGN(const RootDir root, RootDir::Open(scratch.path()));
  ASSERT_OK_AND_ASSIGN(const ResolvedUser user, ResolveUser(root, "12:34"));
  EXPECT_EQ(user.uid, 12u);
  EXPECT_EQ(user.gid, 34u);
  EXPECT_THAT(ResolveUser(root, "app"), StatusIs(absl::StatusCode::kInvalidArgument, "unable to find user app"));
}

TEST(UserLookup, LinksEndInsideTheImage) {
  testing::ScratchDir outside;
  testing::WriteFile(outside.Join("passwd"), "evil:x:666:666::/:/bin/sh\n");
  testing::ScratchDir scratch;
  std::filesystem::create_directories(scratch.Join("etc"));
  std::filesystem::create_symlink(outside.Join("passwd"), scratch.Join("etc/passwd"));
  ASSERT_OK_AND_ASSIGN(const RootDir root, RootDir::Open(scratch.path()));
  EXPECT_THAT(ResolveUser(root, "evil"), StatusIs(absl::StatusCode::kInvalidArgument, "unable to find user evil"));
}

TEST(RootDir, ResolvesLinksInsideAndKeepsWhatIsMissing) {
  testing::ScratchDir scratch;
  std::filesystem::create_directories(scratch.Join("run/lock"));
  std::filesystem::create_directories(scratch.Join("var"));
  std::filesystem::create_symlink("/run", scratch.Join("var/run"));
  std::filesystem::create_symlink("../../../run/dns", scratch.Join("var/resolv.conf"));
  std::filesystem::create_symlink("loop", scratch.Join("loop"));
  ASSERT_OK_AND_ASSIGN(const RootDir root, RootDir::Open(scratch.path()));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"/", "/"},
      {"/var/run/lock", "/run/lock"},
      {"/var/run/new/deep", "/run/new/deep"},
      {"/var/resolv.conf", "/run/dns"},
      {"/../../var/./run", "/run"},
      {"/new/../var/run", "/run"},
  };
  for (const auto& [path, want] : cases) {
    SCOPED_TRACE(path);
    ASSERT_OK_AND_ASSIGN(const std::string got, root.Resolve(path));
    EXPECT_EQ(got, want);
  }
  EXPECT_THAT(root.Resolve("/loop"), StatusIs(absl::StatusCode::kInvalidArgument, ""));
}

}  // namespace
}  // namespace strata::executor
