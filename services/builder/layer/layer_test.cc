// UnpackLayer and PackOverlayUpper on plain directories; overlay_test.cc mounts them.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/fs/beneath.h"
#include "lib/fs/dir.h"
#include "lib/fs/xattr.h"
#include "lib/tar/reader.h"
#include "lib/tar/writer.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/layer/pack.h"
#include "services/builder/layer/unpack.h"

namespace strata::layer {
namespace {

using ::strata::testing::ReadFile;
using ::strata::testing::ScratchDir;
using ::strata::testing::StatusIs;
using ::strata::testing::WriteFile;
using tar::Entry;
using tar::EntryType;
using Members = std::vector<std::pair<Entry, std::string>>;

std::string Tar(const Members& members) {
  std::string out;
  StringSink sink(&out);
  tar::Writer writer(sink, {.sub_second_mtime = true});
  for (const auto& [entry, content] : members) {
    EXPECT_OK(writer.WriteHeader(entry));
    EXPECT_OK(writer.WriteContent(content));
  }
  EXPECT_OK(writer.Finish());
  return out;
}

std::pair<Entry, std::string> File(std::string name, std::string content = "") {
  Entry entry{.name = std::move(name), .size = content.size()};
  return {entry, std::move(content)};
}
std::pair<Entry, std::string> Dir(std::string name, uint32_t mode = 0755) {
  return {Entry{.name = std::move(name), .type = EntryType::kDirectory, .mode = mode}, ""};
}
std::pair<Entry, std::string> Link(EntryType type, std::string name, std::string target) {
  return {Entry{.name = std::move(name), .type = type, .mode = 0777, .link_name = std::move(target)}, ""};
}

class LayerTest : public ::testing::Test {
 protected:
  void SetUp() override { dir_ = Make("layer"); }

  UniqueFd Make(const std::string& name) {
    EXPECT_EQ(::mkdir(scratch_.Join(name).c_str(), 0700), 0);
    auto fd = fs::OpenDirectory(scratch_.Join(name));
    EXPECT_OK(fd);
    return *std::move(fd);
  }
  absl::StatusOr<UnpackStats> Unpack(const Members& members, const UnpackOptions& options = {}) {
    const std::string tar = Tar(members);
    StringSource source(tar);
    return UnpackLayer(source, dir_.get(), options);
  }
  struct stat Stat(const std::string& path) {
    auto stat = fs::LstatInRoot(dir_.get(), path);
    EXPECT_TRUE(stat.ok()) << stat.status();
    return stat.ok() ? *stat : (struct stat){};
  }
  bool Exists(const std::string& path) { return fs::LstatInRoot(dir_.get(), path).ok(); }
  bool IsOpaque(const std::string& path) {
    auto at = fs::ResolveParent(dir_.get(), path);
    EXPECT_OK(at);
    auto value = fs::GetXattrAt(at->parent.get(), at->name, "trusted.overlay.opaque");
    EXPECT_OK(value);
    return *value == "y";
  }
  std::string Content(const std::string& path) { return ReadFile(scratch_.Join("layer/" + path)); }

  ScratchDir scratch_;
  UniqueFd dir_;
};

TEST_F(LayerTest, KeepsEveryPropertyOfAFile) {
  auto file = File("bin/tool", "hello");
  file.first.mode = 06755;
  file.first.uid = 1000;
  file.first.gid = 2000;
  file.first.mtime = absl::FromUnixNanos(1'600'000'000'123'456'789);
  // A version 2 capability: cap_net_raw+ep.
  file.first.xattrs["security.capability"] = std::string("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  auto dir = Dir("bin", 01777);
  dir.first.mtime = absl::FromUnixSeconds(1'500'000'000);
  dir.first.uid = 7;
  Entry null{.name = "null", .type = EntryType::kCharDevice, .mode = 0666, .dev_major = 1, .dev_minor = 3};
  Entry fifo{.name = "fifo", .type = EntryType::kFifo, .mode = 0640};
  ASSERT_OK_AND_ASSIGN(const UnpackStats stats,
                       Unpack({dir, file, Link(EntryType::kHardLink, "bin/hard", "/bin/tool"), Link(EntryType::kSymlink, "bin/sym", "tool"), {null, ""}, {fifo, ""}}));
  EXPECT_EQ(stats.files, 1u);
  EXPECT_EQ(stats.directories, 1u);
  EXPECT_EQ(stats.links, 2u);
  EXPECT_EQ(stats.content_bytes, 5u);
  const struct stat tool = Stat("bin/tool");
  EXPECT_EQ(tool.st_mode, mode_t{S_IFREG | 06755});
  EXPECT_EQ(tool.st_uid, 1000u);
  EXPECT_EQ(tool.st_gid, 2000u);
  EXPECT_EQ(tool.st_nlink, 2u);
  EXPECT_EQ(tool.st_mtim.tv_sec, 1'600'000'000);
  EXPECT_EQ(tool.st_mtim.tv_nsec, 123'456'789);
  const struct stat bin = Stat("bin");
  EXPECT_EQ(bin.st_mode, mode_t{S_IFDIR | 01777});
  EXPECT_EQ(bin.st_uid, 7u);
  EXPECT_EQ(bin.st_mtim.tv_sec, 1'500'000'000);
  EXPECT_EQ(Stat("null").st_rdev, makedev(1, 3));
  EXPECT_TRUE(S_ISFIFO(Stat("fifo").st_mode));
  EXPECT_EQ(Stat("").st_mode & 07777, 0755u) << "the merged root must be passable";
  ASSERT_OK_AND_ASSIGN(const UniqueFd bin_fd, fs::OpenInRoot(dir_.get(), "bin", O_RDONLY));
  ASSERT_OK_AND_ASSIGN(const auto capability, fs::GetXattrAt(bin_fd.get(), "tool", "security.capability"));
  EXPECT_EQ(capability, file.first.xattrs["security.capability"]);
}

TEST_F(LayerTest, WhiteoutsBecomeOverlayMarks) {
  ASSERT_OK_AND_ASSIGN(const UnpackStats stats, Unpack({Dir("d"), File("d/.wh..wh..opq"), File("d/kept", "k"), File(".wh.gone"), File(".wh..wh.plnk")}));
  EXPECT_EQ(stats.whiteouts, 2u);
  EXPECT_TRUE(IsWhiteoutDevice(Stat("gone")));
  EXPECT_TRUE(IsOpaque("d"));
  EXPECT_EQ(Content("d/kept"), "k");
  EXPECT_FALSE(Exists(".wh..wh.plnk"));
}

TEST_F(LayerTest, AWhiteoutHidesOnlyWhatIsBelowInEitherOrder) {
  ASSERT_OK(Unpack({File(".wh.a"), Dir("a"), File("a/new", "1"), Dir("b"), File("b/new", "2"), File(".wh.b"), File("c", "3"), File(".wh.c"), File(".wh.e"),
                    File("e/inner", "4")}));
  EXPECT_TRUE(IsOpaque("a"));
  EXPECT_TRUE(IsOpaque("b"));
  EXPECT_TRUE(IsOpaque("e"));
  EXPECT_EQ(Content("a/new") + Content("b/new") + Content("c") + Content("e/inner"), "1234");
}

TEST_F(LayerTest, LaterEntriesReplaceEarlierOnes) {
  ASSERT_OK(Unpack({Dir("x"), File("x/deep/file", "1"), File("x", "now a file"), File("y", "file"), Dir("y"), File("y/in", "2"), File("z", "old"), File("z", "new"),
                    Dir("s"), File("s/f", "1"), Link(EntryType::kSymlink, "s", "y"), File("s/g", "through")}));
  EXPECT_EQ(Content("x"), "now a file");
  EXPECT_EQ(Content("y/in"), "2");
  EXPECT_EQ(Content("z"), "new");
  EXPECT_EQ(Content("y/g"), "through");
}

TEST_F(LayerTest, HostileNamesStayInside) {
  WriteFile(scratch_.Join("outside/victim"), "untouched");
  const std::string out = scratch_.Join("outside");
  for (const std::string name : {"../outside/victim", "a/../../outside/victim", "/../outside/victim"}) {
    EXPECT_THAT(Unpack({File(name, "pwned")}), StatusIs(absl::StatusCode::kInvalidArgument, "leads out of the image")) << name;
  }
  // Symlinks resolve as in a chroot: the path exists inside the layer afterwards.
  ASSERT_OK(Unpack({Link(EntryType::kSymlink, "abs", out), File("abs/victim", "inside"), Link(EntryType::kSymlink, "rel", "../../../../" + out),
                    File("rel/victim", "inside"), File("/absolute", "inside")}));
  EXPECT_EQ(ReadFile(scratch_.Join("outside/victim")), "untouched");
  EXPECT_EQ(ReadFile(scratch_.Join("layer") + out + "/victim"), "inside");
  EXPECT_EQ(Content("absolute"), "inside");
  // Writing to a name that is a symlink replaces it, and a hard link to one never reaches its target.
  ASSERT_OK(Unpack({Link(EntryType::kSymlink, "l", out + "/victim"), File("l", "mine"), Link(EntryType::kSymlink, "m", out + "/victim"),
                    Link(EntryType::kHardLink, "n", "m")}));
  EXPECT_EQ(Content("l"), "mine");
  EXPECT_TRUE(S_ISLNK(Stat("n").st_mode));
  EXPECT_THAT(Unpack({Link(EntryType::kHardLink, "h", "../outside/victim")}), StatusIs(absl::StatusCode::kInvalidArgument, "leads out"));
  EXPECT_EQ(ReadFile(scratch_.Join("outside/victim")), "untouched");
}

TEST_F(LayerTest, MarksOfOverlayfsInTheArchiveAreNotBelieved) {
  auto dir = Dir("d");
  dir.first.xattrs["trusted.overlay.redirect"] = "/etc";
  dir.first.xattrs["user.overlay.opaque"] = "y";
  ASSERT_OK_AND_ASSIGN(const UnpackStats stats, Unpack({dir}));
  EXPECT_EQ(stats.xattrs_skipped, 2u);
  ASSERT_OK_AND_ASSIGN(const auto xattrs, fs::ListXattrsAt(dir_.get(), "d"));
  for (const std::string& xattr : xattrs) EXPECT_FALSE(IsOverlayXattr(xattr)) << xattr;
  EXPECT_THAT(Unpack({{Entry{.name = "dev", .type = EntryType::kCharDevice}, ""}}), StatusIs(absl::StatusCode::kInvalidArgument, "0/0"));
  EXPECT_THAT(Unpack({File(".wh...")}), StatusIs(absl::StatusCode::kInvalidArgument, "whiteout of no possible name"));
  EXPECT_THAT(Unpack({File(".wh.")}), StatusIs(absl::StatusCode::kInvalidArgument, "whiteout of no possible name"));
}

TEST_F(LayerTest, HardLinksReachIntoLowerLayers) {
  EXPECT_THAT(Unpack({Link(EntryType::kHardLink, "b", "usr/a")}), StatusIs(absl::StatusCode::kFailedPrecondition, "neither in this layer nor below"));
  ASSERT_OK(fs::RemoveContents(dir_.get()));
  const UniqueFd top = Make("top");
  const UniqueFd base = Make("base");
  WriteFile(scratch_.Join("base/usr/a"), "from below");
  ASSERT_EQ(::chmod(scratch_.Join("base/usr").c_str(), 0711), 0);
  ASSERT_OK_AND_ASSIGN(const UnpackStats stats, Unpack({Link(EntryType::kHardLink, "b", "usr/a")}, {.lower_dirs = {top.get(), base.get()}}));
  EXPECT_EQ(stats.links, 1u);
  EXPECT_EQ(Content("b"), "from below");
  EXPECT_EQ(Stat("b").st_ino, Stat("usr/a").st_ino);
  EXPECT_EQ(Stat("usr").st_mode & 07777, 0711u);
  EXPECT_EQ(ReadFile(scratch_.Join("base/usr/a")), "from below");
  // A whiteout between hides it.
  ASSERT_OK(fs::RemoveContents(dir_.get()));
  ASSERT_EQ(::mknodat(top.get(), "usr", S_IFCHR, 0), 0);
  EXPECT_THAT(Unpack({Link(EntryType::kHardLink, "b", "usr/a")}, {.lower_dirs = {top.get(), base.get()}}),
              StatusIs(absl::StatusCode::kFailedPrecondition, "neither"));
}

TEST_F(LayerTest, ParentsTheArchiveLeavesOutAreThoseBelow) {
  const UniqueFd base = Make("base");
  WriteFile(scratch_.Join("base/usr/lib/libc"), "c");
  ASSERT_EQ(::symlinkat("usr/lib", base.get(), "lib"), 0);
  ASSERT_EQ(::mkdirat(base.get(), "tmp", 0700), 0);
  ASSERT_EQ(::fchmodat(base.get(), "tmp", 01777, 0), 0);
  ASSERT_OK(Unpack({File("lib/new", "n"), File("tmp/x/y", "t"), File("fresh/z", "f")}, {.lower_dirs = {base.get()}}));
  EXPECT_TRUE(S_ISLNK(Stat("lib").st_mode));
  EXPECT_EQ(Content("usr/lib/new"), "n");
  EXPECT_FALSE(Exists("usr/lib/libc"));
  EXPECT_EQ(Stat("tmp").st_mode & 07777, 01777u);
  EXPECT_EQ(Stat("tmp/x").st_mode & 07777, 0755u);
  EXPECT_EQ(Content("fresh/z"), "f");
}

TEST_F(LayerTest, LimitsHold) {
  EXPECT_THAT(Unpack({File("a", "12345"), File("b", "67890")}, {.max_content_bytes = 9}), StatusIs(absl::StatusCode::kResourceExhausted, "9 bytes"));
  EXPECT_THAT(Unpack({File("c"), File("d")}, {.max_entries = 1}), StatusIs(absl::StatusCode::kResourceExhausted, "more than 1"));
}

TEST_F(LayerTest, ReadsTheSourceToItsEnd) {
  const std::string tar = Tar({File("a", "x")}) + std::string(700'000, '\0');
  StringSource source(tar);
  ASSERT_OK(UnpackLayer(source, dir_.get()));
  char byte;
  ASSERT_OK_AND_ASSIGN(const size_t left, source.Read(&byte, 1));
  EXPECT_EQ(left, 0u);
}

// The entries of a packed directory, one a line.
std::string Listing(const std::string& tar) {
  StringSource source(tar);
  tar::Reader reader(source);
  std::string out;
  while (true) {
    auto entry = reader.Next();
    EXPECT_OK(entry);
    if (!entry.ok() || !entry->has_value()) return out;
    const Entry& e = **entry;
    absl::StrAppend(&out, EntryTypeName(e.type), " ", e.name, e.link_name.empty() ? "" : " -> ", e.link_name, e.size > 0 ? absl::StrCat(" ", e.size) : "", "\n");
    EXPECT_EQ(e.user_name + e.group_name, "");
  }
}

TEST_F(LayerTest, PacksInOrderWithMarks) {
  WriteFile(scratch_.Join("layer/b/file"), "hello");
  ASSERT_EQ(::linkat(dir_.get(), "b/file", dir_.get(), "b/again", 0), 0);
  ASSERT_EQ(::mknodat(dir_.get(), "a", S_IFCHR, 0), 0);
  ASSERT_OK(fs::SetXattrAt(dir_.get(), "b", "trusted.overlay.opaque", "y"));
  ASSERT_OK(fs::SetXattrAt(dir_.get(), "b", "trusted.overlay.origin", "xx"));
  ASSERT_EQ(::symlinkat("b/file", dir_.get(), "\xff link"), 0);
  WriteFile(scratch_.Join("layer/stub/etc/hosts"), "from the sandbox");
  std::string tar;
  StringSink sink(&tar);
  ASSERT_OK_AND_ASSIGN(const PackStats stats, PackOverlayUpper(dir_.get(), sink, {.excludes = {"/stub/etc"}}));
  EXPECT_EQ(Listing(tar), "file .wh.a\ndirectory b\nfile b/.wh..wh..opq\nfile b/again 5\nhard link b/file -> b/again\ndirectory stub\nsymbolic link \xff link -> b/file\n");
  EXPECT_EQ(stats.entries, 7u);
  EXPECT_EQ(stats.whiteouts, 2u);
}

TEST_F(LayerTest, ClampsTimesOnDemand) {
  WriteFile(scratch_.Join("layer/new"), "");
  std::string tar;
  StringSink sink(&tar);
  ASSERT_OK(PackOverlayUpper(dir_.get(), sink, {.clamp_mtime = absl::FromUnixSeconds(1000)}));
  StringSource source(tar);
  tar::Reader reader(source);
  ASSERT_OK_AND_ASSIGN(const auto entry, reader.Next());
  EXPECT_EQ(entry->mtime, absl::FromUnixSeconds(1000));
}

TEST_F(LayerTest, RefusesWhatALayerCannotHold) {
  std::string tar;
  StringSink sink(&tar);
  WriteFile(scratch_.Join("layer/.wh.me"), "");
  EXPECT_THAT(PackOverlayUpper(dir_.get(), sink), StatusIs(absl::StatusCode::kInvalidArgument, "rename the file"));
  ASSERT_OK(fs::RemoveContents(dir_.get()));
  ASSERT_EQ(::mkdirat(dir_.get(), "moved", 0755), 0);
  ASSERT_OK(fs::SetXattrAt(dir_.get(), "moved", "trusted.overlay.redirect", "old"));
  EXPECT_THAT(PackOverlayUpper(dir_.get(), sink), StatusIs(absl::StatusCode::kFailedPrecondition, "redirect_dir"));
}

}  // namespace
}  // namespace strata::layer
