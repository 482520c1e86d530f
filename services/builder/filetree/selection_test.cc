#include "services/builder/filetree/selection.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/fs/dir.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/filetree/dir_tree.h"

namespace strata::filetree {
namespace {

using ::testing::ElementsAre;
using testing::StatusIs;

class SelectionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* path : {"a.txt", "b.txt", "src/main.c", "src/lib/x.c", "src/lib/x.h", "data/1"}) {
      testing::WriteFile(scratch_.Join(path), path);
    }
    ASSERT_EQ(::symlink("src/lib", scratch_.Join("link").c_str()), 0);
    ASSERT_EQ(::symlink("/a.txt", scratch_.Join("abs").c_str()), 0);
    ASSERT_EQ(::symlink("../../../etc/passwd", scratch_.Join("escape").c_str()), 0);
    ASSERT_EQ(::symlink("loop", scratch_.Join("loop").c_str()), 0);
    auto root = fs::OpenDirectory(scratch_.path());
    ASSERT_OK(root);
    auto tree = DirTree::Open(root->get());
    ASSERT_OK(tree);
    tree_ = *tree;
  }

  absl::StatusOr<std::vector<std::string>> PathsOf(graph::CopyAction action) {
    auto selected = Select(*tree_, action);
    if (!selected.ok()) return selected.status();
    std::vector<std::string> paths;
    for (const SelectedSource& source : *selected) {
      for (const Selected& entry : source.entries) paths.push_back(entry.node.path + ">" + entry.relative);
    }
    return paths;
  }
  absl::StatusOr<std::vector<std::string>> Paths(const std::string& source) { return PathsOf({.sources = {source}}); }

  testing::ScratchDir scratch_;
  std::shared_ptr<const FileTree> tree_;
};

TEST_F(SelectionTest, AFolderStandsForItsContents) {
  EXPECT_THAT(*Paths("src"), ElementsAre("src/lib>lib", "src/lib/x.c>lib/x.c", "src/lib/x.h>lib/x.h", "src/main.c>main.c"));
}

TEST_F(SelectionTest, GlobsMatchComponentWise) {
  EXPECT_THAT(*Paths("*.txt"), ElementsAre("a.txt>a.txt", "b.txt>b.txt"));
  EXPECT_THAT(*Paths("s*/*.c"), ElementsAre("src/main.c>main.c"));
  EXPECT_THAT(*Paths("*.none"), ElementsAre());
}

TEST_F(SelectionTest, FollowsLinksInsideTheRootOnly) {
  EXPECT_THAT(*Paths("link"), ElementsAre("src/lib/x.c>x.c", "src/lib/x.h>x.h"));
  EXPECT_THAT(*Paths("link/x.h"), ElementsAre("src/lib/x.h>x.h"));
  EXPECT_THAT(*Paths("abs"), ElementsAre("a.txt>abs"));
  EXPECT_THAT(Paths("escape"), StatusIs(absl::StatusCode::kNotFound, "\"/escape\": not found"));
  EXPECT_THAT(Paths("loop"), StatusIs(absl::StatusCode::kInvalidArgument, "too many levels"));
}

TEST_F(SelectionTest, ALiteralThatIsNotThereIsAnError) {
  EXPECT_THAT(Paths("none"), StatusIs(absl::StatusCode::kNotFound, "\"/none\": not found"));
}

TEST_F(SelectionTest, ExcludesAndParents) {
  EXPECT_THAT(*PathsOf({.sources = {"src"}, .excludes = {"**/*.h"}}),
              ElementsAre("src/lib>lib", "src/lib/x.c>lib/x.c", "src/main.c>main.c"));
  EXPECT_THAT(*PathsOf({.sources = {"src/lib/x.c"}, .parents = true}),
              ElementsAre("src>src", "src/lib>src/lib", "src/lib/x.c>src/lib/x.c"));
  EXPECT_THAT(*PathsOf({.sources = {"src/./lib/x.c"}, .parents = true}), ElementsAre("src/lib>lib", "src/lib/x.c>lib/x.c"));
  EXPECT_THAT(*PathsOf({.sources = {"./src/./lib/x.c"}, .parents = true}), ElementsAre("src/lib>lib", "src/lib/x.c>lib/x.c"));
  EXPECT_THAT(*PathsOf({.sources = {"s*/./lib/./x.c"}, .parents = true}), ElementsAre("src/lib>lib", "src/lib/x.c>lib/x.c"));
  EXPECT_THAT(*PathsOf({.sources = {"**/*.h"}, .parents = true}),
              ElementsAre("src>src", "src/lib>src/lib", "src/lib/x.h>src/lib/x.h"));
}

TEST_F(SelectionTest, DigestIgnoresTimesAndReplacedModes) {
  const auto digest = [&](graph::CopyAction action) {
    auto selected = Select(*tree_, action);
    return SelectionDigest({}, *tree_, *selected, action)->ToString();
  };
  const std::string before = digest({.sources = {"src"}});
  const std::string with_chmod = digest({.sources = {"src"}, .chmod = "0644"});
  const timespec times[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, scratch_.Join("src/main.c").c_str(), times, 0), 0);
  EXPECT_EQ(digest({.sources = {"src"}}), before);
  ASSERT_EQ(::chmod(scratch_.Join("src/main.c").c_str(), 0600), 0);
  EXPECT_NE(digest({.sources = {"src"}}), before);
  EXPECT_EQ(digest({.sources = {"src"}, .chmod = "0644"}), with_chmod);
  testing::WriteFile(scratch_.Join("src/main.c"), "other");
  EXPECT_NE(digest({.sources = {"src"}, .chmod = "0644"}), with_chmod);
}

TEST_F(SelectionTest, SeveralStarsFindEachFileOnce) {
  EXPECT_THAT(*Paths("**/**/x.c"), ElementsAre("src/lib/x.c>x.c"));
  std::string many;
  for (int i = 0; i < 40; ++i) many += "**/";
  EXPECT_THAT(*Paths(many + "x.c"), ElementsAre("src/lib/x.c>x.c"));
}

TEST_F(SelectionTest, LinksInACircleEndAGlob) {
  testing::WriteFile(scratch_.Join("circle/f"), "");
  ASSERT_EQ(::symlink(".", scratch_.Join("circle/l").c_str()), 0);
  ASSERT_EQ(::symlink(".", scratch_.Join("circle/m").c_str()), 0);
  EXPECT_THAT(*Paths("circle/*/f"), ElementsAre("circle/f>f", "circle/f>f"));
  std::string many = "circle/";
  for (int i = 0; i < 35; ++i) many += "*/";
  EXPECT_THAT(Paths(many + "f"), StatusIs(absl::StatusCode::kInvalidArgument, "too many symbolic links"));
}

}  // namespace
}  // namespace strata::filetree
