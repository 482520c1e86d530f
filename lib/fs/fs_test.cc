#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/bytes/byte_stream.h"
#include "lib/fs/atomic_file.h"
#include "lib/fs/beneath.h"
#include "lib/fs/copy.h"
#include "lib/fs/dir.h"
#include "lib/fs/tree_walk.h"
#include "lib/fs/xattr.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::fs {
namespace {

using ::strata::testing::ReadFile;
using ::strata::testing::ScratchDir;
using ::strata::testing::StatusIs;
using ::strata::testing::WriteFile;

// <scratch>/root is the confined tree, <scratch>/outside what must not be reached.
class FsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteFile(scratch_.Join("outside/secret"), "secret");
    WriteFile(scratch_.Join("root/etc/passwd"), "inside");
    WriteFile(scratch_.Join("root/plain"), "plain");
    auto root = OpenDirectory(scratch_.Join("root"));
    ASSERT_OK(root);
    root_ = *std::move(root);
  }
  void Link(const std::string& target, const std::string& name) {
    ASSERT_EQ(::symlinkat(target.c_str(), root_.get(), name.c_str()), 0);
  }
  std::string Content(const std::string& path) {
    auto fd = OpenInRoot(root_.get(), path, O_RDONLY);
    if (!fd.ok()) return fd.status().ToString();
    FdSource source(fd->get());
    auto text = ReadAll(source, 1000);
    return text.ok() ? *text : text.status().ToString();
  }

  ScratchDir scratch_;
  UniqueFd root_;
};

TEST_F(FsTest, OpenInRootNeverLeavesTheRoot) {
  Link("/etc", "absolute");
  Link("../../../../../../etc", "dots");
  Link("/proc/self/root/etc", "magic");
  EXPECT_EQ(Content("/etc/passwd"), "inside");
  EXPECT_EQ(Content("absolute/passwd"), "inside");
  EXPECT_EQ(Content("dots/passwd"), "inside");
  EXPECT_EQ(Content("../../../etc/passwd"), "inside");
  EXPECT_THAT(OpenInRoot(root_.get(), "magic/passwd", O_RDONLY), StatusIs(absl::StatusCode::kNotFound, "magic/passwd"));
  EXPECT_THAT(OpenInRoot(root_.get(), "../outside/secret", O_RDONLY), StatusIs(absl::StatusCode::kNotFound, ""));
  EXPECT_THAT(OpenInRoot(root_.get(), "plain/x", O_RDONLY), StatusIs(absl::StatusCode::kFailedPrecondition, "not a directory"));
  EXPECT_THAT(OpenInRoot(root_.get(), absl::string_view("a\0b", 3), O_RDONLY), StatusIs(absl::StatusCode::kInvalidArgument, "NUL"));
  Link("loop", "loop");
  EXPECT_THAT(OpenInRoot(root_.get(), "loop", O_RDONLY), StatusIs(absl::StatusCode::kInvalidArgument, "loop"));
}

TEST_F(FsTest, OpenBeneathRefusesToLeave) {
  Link("../outside", "out");
  EXPECT_THAT(OpenBeneath(root_.get(), "out/secret", O_RDONLY), StatusIs(absl::StatusCode::kPermissionDenied, "outside"));
  EXPECT_THAT(OpenBeneath(root_.get(), "/etc/passwd", O_RDONLY), StatusIs(absl::StatusCode::kPermissionDenied, "outside"));
  EXPECT_OK(OpenBeneath(root_.get(), "etc/passwd", O_RDONLY));
  Link("etc", "inside");
  EXPECT_OK(OpenBeneath(root_.get(), "inside/passwd", O_RDONLY));
  EXPECT_THAT(OpenBeneath(root_.get(), "inside/passwd", O_RDONLY, 0, /*follow_symlinks=*/false), StatusIs(absl::StatusCode::kInvalidArgument, "symlink"));
}

TEST(CleanPath, Table) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""}, {"/", ""}, {".", ""}, {"a", "a"}, {"/a//b/", "a/b"}, {"./a/./b", "a/b"}, {"a/../b", "b"}, {"../../a", "a"}, {"a/..", ""}, {"..a/...", "..a/..."}};
  for (const auto& [in, want] : cases) EXPECT_EQ(CleanPath(in), want) << in;
}

TEST_F(FsTest, ResolveParentDoesNotFollowTheLastName) {
  Link("/etc/passwd", "link");
  ASSERT_OK_AND_ASSIGN(const ResolvedParent at, ResolveParent(root_.get(), "etc/../link"));
  EXPECT_EQ(at.name, "link");
  ASSERT_OK_AND_ASSIGN(const std::string target, ReadLinkAt(at.parent.get(), at.name));
  EXPECT_EQ(target, "/etc/passwd");
  EXPECT_THAT(ResolveParent(root_.get(), "/.."), StatusIs(absl::StatusCode::kInvalidArgument, "root"));
  ASSERT_OK_AND_ASSIGN(const struct stat own, LstatInRoot(root_.get(), "link"));
  EXPECT_TRUE(S_ISLNK(own.st_mode));
  ASSERT_OK_AND_ASSIGN(const struct stat followed, StatInRoot(root_.get(), "link"));
  EXPECT_TRUE(S_ISREG(followed.st_mode));
}

TEST_F(FsTest, MkdirAllFollowsLinksInsideAndSetsModes) {
  Link("/etc", "conf");
  ASSERT_OK_AND_ASSIGN(const UniqueFd made, MkdirAllInRoot(root_.get(), "/conf/a/b", 01777));
  ASSERT_OK_AND_ASSIGN(const struct stat stat, LstatInRoot(root_.get(), "etc/a/b"));
  EXPECT_EQ(stat.st_mode & 07777, 01777u);
  EXPECT_OK(MkdirAllInRoot(root_.get(), "", 0755));
  EXPECT_THAT(MkdirAllInRoot(root_.get(), "plain/x", 0755), StatusIs(absl::StatusCode::kFailedPrecondition, "not a directory"));
  Link("nowhere", "dangling");
  EXPECT_THAT(MkdirAllInRoot(root_.get(), "dangling/x", 0755), StatusIs(absl::StatusCode::kFailedPrecondition, "symlink to nothing"));
}

TEST_F(FsTest, ListsSortedByBytes) {
  for (const char* name : {"b", "B", "a", "\xff", "ab"}) WriteFile(scratch_.Join(absl::StrCat("root/l/", name)), "");
  ASSERT_OK_AND_ASSIGN(const UniqueFd dir, OpenInRoot(root_.get(), "l", O_RDONLY));
  for (int twice = 0; twice < 2; ++twice) {
    ASSERT_OK_AND_ASSIGN(const std::vector<DirEntry> entries, ListDirectory(dir.get()));
    std::string all;
    for (const DirEntry& entry : entries) absl::StrAppend(&all, entry.name, " ");
    EXPECT_EQ(all, "B a ab b \xff ");
  }
}

TEST_F(FsTest, RemoveAllStopsAtSymlinks) {
  Link("../outside", "out");
  WriteFile(scratch_.Join("root/t/a/b/c"), "x");
  ASSERT_EQ(::symlink("../../../outside", scratch_.Join("root/t/a/out").c_str()), 0);
  EXPECT_OK(RemoveAllAt(root_.get(), "t"));
  EXPECT_OK(RemoveAllAt(root_.get(), "out"));
  EXPECT_OK(RemoveAllAt(root_.get(), "never-there"));
  EXPECT_EQ(ReadFile(scratch_.Join("outside/secret")), "secret");
  EXPECT_THAT(LstatInRoot(root_.get(), "t"), StatusIs(absl::StatusCode::kNotFound, ""));
}

TEST_F(FsTest, RemovesTreesDeeperThanDescriptorsAndPathsAllow) {
  UniqueFd at(::openat(root_.get(), ".", O_RDONLY | O_DIRECTORY));
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "deep", 0755), 0);
    at.Reset(::openat(at.get(), "deep", O_RDONLY | O_DIRECTORY));
    ASSERT_TRUE(at.is_valid());
  }
  EXPECT_OK(RemoveAllAt(root_.get(), "deep"));
  EXPECT_THAT(LstatInRoot(root_.get(), "deep"), StatusIs(absl::StatusCode::kNotFound, ""));
}

TEST_F(FsTest, WalksInOrderAndSkips) {
  WriteFile(scratch_.Join("root/w/b/2"), "");
  WriteFile(scratch_.Join("root/w/b/1"), "");
  WriteFile(scratch_.Join("root/w/a"), "");
  WriteFile(scratch_.Join("root/w/skip/inner"), "");
  ASSERT_OK_AND_ASSIGN(const UniqueFd dir, OpenInRoot(root_.get(), "w", O_RDONLY));
  std::string seen;
  EXPECT_OK(WalkTree(
      dir.get(),
      [&](const WalkEntry& entry) -> absl::StatusOr<WalkAction> {
        absl::StrAppend(&seen, entry.path, " ");
        return entry.name == "skip" ? WalkAction::kSkipSubtree : WalkAction::kContinue;
      },
      [&](const WalkEntry& entry) {
        absl::StrAppend(&seen, "<", entry.path, " ");
        return absl::OkStatus();
      }));
  EXPECT_EQ(seen, "a b b/1 b/2 <b skip ");
}

TEST_F(FsTest, XattrsOfLinksAreTheirOwn) {
  const absl::Status set = SetXattrAt(root_.get(), "plain", "user.k", absl::string_view("v\0w", 3));
  if (absl::IsUnimplemented(set)) GTEST_SKIP() << "no user attributes on this file system";
  ASSERT_OK(set);
  Link("plain", "link");
  ASSERT_OK_AND_ASSIGN(const auto of_file, ReadXattrsAt(root_.get(), "plain"));
  EXPECT_EQ(of_file.at("user.k"), std::string("v\0w", 3));
  ASSERT_OK_AND_ASSIGN(const auto of_link, GetXattrAt(root_.get(), "link", "user.k"));
  EXPECT_FALSE(of_link.has_value());
  ASSERT_OK(SetXattrAt(root_.get(), ".", "user.big", std::string(3000, 'x')));
  ASSERT_OK_AND_ASSIGN(const auto big, GetXattrAt(root_.get(), ".", "user.big"));
  EXPECT_EQ(big->size(), 3000u);
  EXPECT_OK(RemoveXattrAt(root_.get(), "plain", "user.k"));
  EXPECT_OK(RemoveXattrAt(root_.get(), "plain", "user.k"));
}

TEST_F(FsTest, CopyKeepsContentAndHoles) {
  const std::string in = scratch_.Join("in");
  const UniqueFd in_fd(::open(in.c_str(), O_RDWR | O_CREAT, 0600));
  ASSERT_EQ(::pwrite(in_fd.get(), "start", 5, 0), 5);
  ASSERT_EQ(::pwrite(in_fd.get(), "middle", 6, 8 << 20), 6);
  ASSERT_EQ(::ftruncate(in_fd.get(), 32 << 20), 0);
  const UniqueFd out_fd(::open(scratch_.Join("out").c_str(), O_RDWR | O_CREAT, 0600));
  ASSERT_OK_AND_ASSIGN(const uint64_t size, CopyFileContents(in_fd.get(), out_fd.get()));
  EXPECT_EQ(size, 32u << 20);
  EXPECT_TRUE(ReadFile(in) == ReadFile(scratch_.Join("out")));
  struct stat stat;
  ASSERT_EQ(::fstat(out_fd.get(), &stat), 0);
  EXPECT_LT(stat.st_blocks * 512, 4 << 20);
}

TEST_F(FsTest, WritesFilesAtomically) {
  const std::string path = scratch_.Join("state/file");
  WriteFile(path, "old");
  ASSERT_OK(WriteFileAtomically(path, "new", 0600));
  EXPECT_EQ(ReadFile(path), "new");
  struct stat stat;
  ASSERT_EQ(::stat(path.c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 07777, 0600u);
  ASSERT_OK_AND_ASSIGN(const UniqueFd dir, OpenDirectory(scratch_.Join("state")));
  ASSERT_OK_AND_ASSIGN(const auto entries, ListDirectory(dir.get()));
  EXPECT_EQ(entries.size(), 1u) << "no temporary file is left";
  EXPECT_THAT(WriteFileAtomically(scratch_.Join("missing/file"), "x"), StatusIs(absl::StatusCode::kNotFound, "missing"));
}

}  // namespace
}  // namespace strata::fs
