#include "services/builder/executor/mount_stubs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::executor {
namespace {

namespace fs = std::filesystem;
using testing::StatusIs;

class MountStubsTest : public ::testing::Test {
 protected:
  MountStubsTest() : root_(*RootDir::Open(scratch_.path())) {}

  timespec Modified(const std::string& name) {
    struct stat info = {};
    EXPECT_EQ(::stat(scratch_.Join(name).c_str(), &info), 0);
    return info.st_mtim;
  }
  void Age(const std::string& name) {
    const timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 5}, {.tv_sec = 1000, .tv_nsec = 7}};
    ::utimensat(AT_FDCWD, scratch_.Join(name).c_str(), times, 0);
  }

  testing::ScratchDir scratch_;
  RootDir root_;
};

TEST_F(MountStubsTest, LeavesNoTrace) {
  fs::create_directories(scratch_.Join("etc"));
  Age("etc");
  Age(".");
  {
    MountStubs stubs(root_);
    ASSERT_OK(stubs.Ensure("/etc/hosts", StubKind::kFile));
    ASSERT_OK(stubs.Ensure("/etc/resolv.conf", StubKind::kFile));
    ASSERT_OK(stubs.Ensure("/proc", StubKind::kDirectory));
    ASSERT_OK(stubs.Ensure("/a/b/c", StubKind::kDirectory));
    EXPECT_TRUE(fs::is_directory(scratch_.Join("a/b/c")));
    EXPECT_TRUE(fs::is_regular_file(scratch_.Join("etc/hosts")));
  }
  EXPECT_TRUE(fs::is_empty(scratch_.Join("etc")));
  EXPECT_FALSE(fs::exists(scratch_.Join("a")));
  EXPECT_FALSE(fs::exists(scratch_.Join("proc")));
  EXPECT_EQ(Modified("etc").tv_sec, 1000);
  EXPECT_EQ(Modified("etc").tv_nsec, 7);
  EXPECT_EQ(Modified(".").tv_sec, 1000);
}

TEST_F(MountStubsTest, KeepsWhatWasThereAndWhatTheStepFilled) {
  testing::WriteFile(scratch_.Join("etc/hosts"), "");
  MountStubs stubs(root_);
  ASSERT_OK(stubs.Ensure("/etc/hosts", StubKind::kFile));
  ASSERT_OK(stubs.Ensure("/cache/deep", StubKind::kDirectory));
  testing::WriteFile(scratch_.Join("cache/mine"), "x");
  stubs.Remove();
  EXPECT_TRUE(fs::exists(scratch_.Join("etc/hosts")));
  EXPECT_TRUE(fs::exists(scratch_.Join("cache/mine")));
  EXPECT_FALSE(fs::exists(scratch_.Join("cache/deep")));
}

TEST_F(MountStubsTest, FollowsNothingTheStepPutInTheWay) {
  testing::ScratchDir outside;
  testing::WriteFile(outside.Join("hosts"), "");
  fs::create_directories(scratch_.Join("etc"));
  MountStubs stubs(root_);
  ASSERT_OK(stubs.Ensure("/etc/hosts", StubKind::kFile));
  fs::rename(scratch_.Join("etc"), scratch_.Join("moved"));
  fs::create_directory_symlink(outside.path(), scratch_.Join("etc"));
  stubs.Remove();
  EXPECT_TRUE(fs::exists(outside.Join("hosts")));
  EXPECT_FALSE(fs::exists(scratch_.Join("moved/hosts")));
}

TEST_F(MountStubsTest, KeepsTheTimeOfAFolderTheStepChanged) {
  fs::create_directories(scratch_.Join("etc"));
  Age("etc");
  MountStubs stubs(root_);
  ASSERT_OK(stubs.Ensure("/etc/hosts", StubKind::kFile));
  const timespec changed[2] = {{.tv_sec = 2000}, {.tv_sec = 2000}};
  ::utimensat(AT_FDCWD, scratch_.Join("etc").c_str(), changed, 0);
  stubs.Remove();
  EXPECT_GE(Modified("etc").tv_sec, 2000);
}

TEST_F(MountStubsTest, RefusesTheWrongKind) {
  testing::WriteFile(scratch_.Join("file"), "x");
  fs::create_directories(scratch_.Join("folder"));
  MountStubs stubs(root_);
  EXPECT_THAT(stubs.Ensure("/file", StubKind::kDirectory), StatusIs(absl::StatusCode::kInvalidArgument, "\"/file\""));
  EXPECT_THAT(stubs.Ensure("/folder", StubKind::kFile), StatusIs(absl::StatusCode::kInvalidArgument, "\"/folder\""));
  EXPECT_THAT(MakeDirectories(root_, "/file/below"), StatusIs(absl::StatusCode::kInvalidArgument, "\"/file\""));
}

TEST_F(MountStubsTest, MakesWorkingDirectoriesForGood) {
  ASSERT_OK(MakeDirectories(root_, "/srv/app"));
  struct stat info = {};
  ASSERT_EQ(::stat(scratch_.Join("srv/app").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0755u);
}

}  // namespace
}  // namespace strata::executor
