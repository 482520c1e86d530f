#include "services/builder/filetree/copier.h"

#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "lib/fs/dir.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/filetree/dir_tree.h"

namespace strata::filetree {
namespace {

using testing::ReadFile;
using testing::StatusIs;
using testing::WriteFile;

class CopierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteFile(from_.Join("file"), "content");
    WriteFile(from_.Join("dir/sub/x"), "x");
    WriteFile(from_.Join("dir/y"), "y");
    ASSERT_EQ(::chmod(from_.Join("dir/sub").c_str(), 0750), 0);
    ASSERT_EQ(::chmod(from_.Join("dir").c_str(), 0711), 0);
    ASSERT_EQ(::link(from_.Join("dir/y").c_str(), from_.Join("dir/z").c_str()), 0);
    ASSERT_EQ(::symlink("y", from_.Join("dir/l").c_str()), 0);
    from_fd_ = *fs::OpenDirectory(from_.path());
    to_fd_ = *fs::OpenDirectory(to_.path());
    tree_ = *DirTree::Open(from_fd_.get());
  }

  absl::Status Copy(const std::string& source, const std::string& destination, const Changes& changes = {}) {
    auto selected = Select(*tree_, {.sources = {source}});
    if (!selected.ok()) return selected.status();
    Copier copier(to_fd_.get());
    for (const SelectedSource& one : *selected) {
      if (auto status = copier.Copy({}, *tree_, one, destination, absl::EndsWith(destination, "/"), changes); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  struct stat Stat(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(::lstat(to_.Join(path).c_str(), &info), 0) << path;
    return info;
  }

  testing::ScratchDir from_, to_;
  UniqueFd from_fd_, to_fd_;
  std::shared_ptr<const FileTree> tree_;
};

TEST_F(CopierTest, AFileGoesToAFolderOrToItsNewName) {
  ASSERT_OK(Copy("file", "/app/"));
  EXPECT_EQ(ReadFile(to_.Join("app/file")), "content");
  ASSERT_OK(Copy("file", "/app/other"));
  EXPECT_EQ(ReadFile(to_.Join("app/other")), "content");
  ASSERT_OK(Copy("file", "/app"));
  EXPECT_EQ(Stat("app").st_mode & 07777, 0755u);
}

TEST_F(CopierTest, ANewFolderIsPlainAnExistingOneKeepsItsMetadata) {
  ASSERT_OK(Copy("dir", "/new"));
  EXPECT_EQ(Stat("new").st_mode & 07777, 0755u);
  EXPECT_EQ(Stat("new/sub").st_mode & 07777, 0750u);
  ASSERT_OK(Copy("dir", "/chosen", {.chmod = "0700"}));
  EXPECT_EQ(Stat("chosen").st_mode & 07777, 0755u);
  EXPECT_EQ(Stat("chosen/sub").st_mode & 07777, 0700u);
  ASSERT_EQ(::mkdir(to_.Join("old").c_str(), 0700), 0);
  ASSERT_OK(Copy("dir", "/old"));
  EXPECT_EQ(Stat("old").st_mode & 07777, 0700u);
  EXPECT_EQ(Stat("old/sub").st_mode & 07777, 0750u);
  ASSERT_OK(Copy("dir", "/slash/"));
  EXPECT_EQ(Stat("slash").st_mode & 07777, 0755u);
}

TEST_F(CopierTest, KeepsHardLinksLinksAndTimes) {
  ASSERT_OK(Copy("dir", "/d"));
  EXPECT_EQ(Stat("d/y").st_ino, Stat("d/z").st_ino);
  EXPECT_TRUE(S_ISLNK(Stat("d/l").st_mode));
  struct stat source;
  ASSERT_EQ(::stat(from_.Join("dir/sub").c_str(), &source), 0);
  EXPECT_EQ(Stat("d/sub").st_mtim.tv_nsec, source.st_mtim.tv_nsec);
}

TEST_F(CopierTest, ChangesOwnerAndMode) {
  ASSERT_OK(Copy("file", "/made/up/", {.owner = fs::Owner{7, 8}, .chmod = "0640"}));
  EXPECT_EQ(Stat("made/up/file").st_uid, 7u);
  EXPECT_EQ(Stat("made/up/file").st_gid, 8u);
  EXPECT_EQ(Stat("made/up/file").st_mode & 07777, 0640u);
  EXPECT_EQ(Stat("made").st_uid, 7u);
}

TEST_F(CopierTest, DestinationLinksAreFollowedInsideTheRoot) {
  ASSERT_EQ(::mkdir(to_.Join("real").c_str(), 0755), 0);
  ASSERT_EQ(::symlink("/real", to_.Join("link").c_str()), 0);
  ASSERT_OK(Copy("file", "/link/"));
  EXPECT_EQ(ReadFile(to_.Join("real/file")), "content");
  ASSERT_EQ(::symlink("/../../../../tmp/strata-must-not-exist", to_.Join("out").c_str()), 0);
  ASSERT_OK(Copy("file", "/out"));
  EXPECT_EQ(ReadFile(to_.Join("tmp/strata-must-not-exist")), "content");
}

TEST_F(CopierTest, WhatADestinationLinkPromisesIsMade) {
  ASSERT_EQ(::symlink("/not/there", to_.Join("dangling").c_str()), 0);
  ASSERT_OK(Copy("dir", "/dangling"));
  EXPECT_EQ(ReadFile(to_.Join("not/there/y")), "y");
  ASSERT_EQ(::symlink("../../far/./away", to_.Join("relative").c_str()), 0);
  ASSERT_OK(Copy("file", "/relative/"));
  EXPECT_EQ(ReadFile(to_.Join("far/away/file")), "content");
  ASSERT_EQ(::symlink("loop", to_.Join("loop").c_str()), 0);
  EXPECT_THAT(Copy("file", "/loop/x"), StatusIs(absl::StatusCode::kInvalidArgument, "symlinks form a loop"));
}

TEST_F(CopierTest, FilesAndFoldersDoNotReplaceEachOther) {
  ASSERT_EQ(::mkdir(to_.Join("y").c_str(), 0755), 0);
  EXPECT_THAT(Copy("dir", "/"), StatusIs(absl::StatusCode::kInvalidArgument, "cannot replace the directory \"y\""));
  WriteFile(to_.Join("f"), "");
  EXPECT_THAT(Copy("dir", "/f"), StatusIs(absl::StatusCode::kInvalidArgument, "cannot copy to non-directory: /f"));
}

TEST_F(CopierTest, WritesHeredocs) {
  Copier copier(to_fd_.get());
  ASSERT_OK(copier.WriteFile("conf", "a=1\n", "/etc/", {}));
  EXPECT_EQ(ReadFile(to_.Join("etc/conf")), "a=1\n");
  EXPECT_EQ(Stat("etc/conf").st_mode & 07777, 0644u);
}

}  // namespace
}  // namespace strata::filetree
