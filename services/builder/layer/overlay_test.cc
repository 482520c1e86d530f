// What a container did to an overlay mount, packed, unpacked elsewhere and mounted over the same base, is the same tree.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/unique_fd.h"
#include "lib/bytes/byte_stream.h"
#include "lib/fs/beneath.h"
#include "lib/fs/dir.h"
#include "lib/fs/tree_walk.h"
#include "lib/fs/xattr.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/layer/pack.h"
#include "services/builder/layer/unpack.h"

namespace strata::layer {
namespace {

using ::strata::testing::ScratchDir;

class OverlayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // A private mount namespace, and a tmpfs under everything: an overlay cannot have another overlay as its upper.
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) GTEST_SKIP() << "needs root: " << std::strerror(errno);
    ASSERT_EQ(::mount("tmpfs", scratch_.path().c_str(), "tmpfs", 0, "mode=755"), 0) << std::strerror(errno);
    mounted_ = true;
    Shell("mkdir base upper work merged upper2 work2 merged2 layer");
    Shell("cd base; mkdir -p usr/bin usr/lib etc/conf.d var/cache/a opt/app; echo sh > usr/bin/sh; ln usr/bin/sh usr/bin/dash; echo c > usr/lib/libc;"
          " ln -s usr/lib lib; echo one > etc/conf.d/1; echo two > etc/conf.d/2; echo h > etc/hostname; echo x > var/cache/a/x; echo app > opt/app/run; echo f > file");
    Mount("base", "upper", "work", "merged");
  }
  void TearDown() override {
    EXPECT_EQ(::chdir("/"), 0);
    for (const char* name : {"merged2", "merged"}) ::umount2(scratch_.Join(name).c_str(), MNT_DETACH);
    if (mounted_) ::umount2(scratch_.path().c_str(), MNT_DETACH);
  }

  void Shell(const std::string& script) {
    const std::string line = absl::StrCat("cd ", scratch_.path(), " && set -e && (", script, ")");
    ASSERT_EQ(std::system(line.c_str()), 0) << script;
  }
  void Mount(const std::string& lower, const std::string& upper, const std::string& work, const std::string& at) {
    const std::string options = absl::StrCat("lowerdir=", lower, ",upperdir=", upper, ",workdir=", work, ",redirect_dir=off,metacopy=off,index=off");
    ASSERT_EQ(::chdir(scratch_.path().c_str()), 0);
    ASSERT_EQ(::mount("overlay", at.c_str(), "overlay", 0, options.c_str()), 0) << std::strerror(errno) << ": " << options;
  }
  UniqueFd Open(const std::string& name) {
    auto fd = fs::OpenDirectory(scratch_.Join(name));
    EXPECT_OK(fd);
    return *std::move(fd);
  }

  // One line for each file: everything that a container can see of it.
  std::map<std::string, std::string> Describe(const std::string& name) {
    std::map<std::string, std::string> all;
    std::map<ino_t, std::string> inodes;
    const UniqueFd root = Open(name);
    EXPECT_OK(fs::WalkTree(root.get(), [&](const fs::WalkEntry& at) -> absl::StatusOr<fs::WalkAction> {
      const struct stat& s = at.stat;
      std::string line = absl::StrCat(absl::Hex(s.st_mode), " ", s.st_uid, ":", s.st_gid, " dev ", s.st_rdev, " time ", s.st_mtim.tv_sec);
      if (!S_ISDIR(s.st_mode)) absl::StrAppend(&line, " links ", s.st_nlink, " same as ", inodes.emplace(s.st_ino, at.path).first->second);
      if (S_ISLNK(s.st_mode)) absl::StrAppend(&line, " -> ", fs::ReadLinkAt(at.parent_fd, at.name).value());
      if (S_ISREG(s.st_mode)) {
        const UniqueFd fd(::openat(at.parent_fd, at.name.c_str(), O_RDONLY | O_NOFOLLOW));
        FdSource source(fd.get());
        absl::StrAppend(&line, " content ", ReadAll(source, 1 << 20).value());
      }
      const auto xattrs = fs::ReadXattrsAt(at.parent_fd, at.name).value();
      for (const auto& [xattr, value] : xattrs) {
        if (!IsOverlayXattr(xattr)) absl::StrAppend(&line, " ", xattr, "=", value);
      }
      all[at.path] = line;
      return fs::WalkAction::kContinue;
    }));
    return all;
  }

  // Packs the upper, unpacks it as a layer over base, mounts that and compares.
  void RoundTrip() {
    const std::map<std::string, std::string> want = Describe("merged");
    ASSERT_EQ(::umount2(scratch_.Join("merged").c_str(), 0), 0) << std::strerror(errno);
    std::string tar;
    StringSink sink(&tar);
    const UniqueFd upper = Open("upper");
    ASSERT_OK(PackOverlayUpper(upper.get(), sink));
    std::string again;
    StringSink again_sink(&again);
    ASSERT_OK(PackOverlayUpper(upper.get(), again_sink));
    EXPECT_TRUE(tar == again) << "packing is deterministic";
    const UniqueFd layer = Open("layer");
    const UniqueFd base = Open("base");
    StringSource source(tar);
    ASSERT_OK(UnpackLayer(source, layer.get(), {.lower_dirs = {base.get()}}));
    Mount("layer:base", "upper2", "work2", "merged2");
    const std::map<std::string, std::string> got = Describe("merged2");
    for (const auto& [path, line] : want) {
      const auto at = got.find(path);
      EXPECT_EQ(at == got.end() ? "nothing" : at->second, line) << path;
    }
    for (const auto& [path, line] : got) EXPECT_TRUE(want.contains(path)) << path << " should not be there";
  }

  ScratchDir scratch_;
  bool mounted_ = false;
};

TEST_F(OverlayTest, NothingChangedIsAnEmptyLayer) {
  ASSERT_EQ(::umount2(scratch_.Join("merged").c_str(), 0), 0);
  std::string tar;
  StringSink sink(&tar);
  const UniqueFd upper = Open("upper");
  ASSERT_OK_AND_ASSIGN(const PackStats stats, PackOverlayUpper(upper.get(), sink));
  EXPECT_EQ(stats.entries, 0u);
  EXPECT_EQ(tar, std::string(1024, '\0'));
}

TEST_F(OverlayTest, CreateChangeAndDelete) {
  Shell("cd merged; mkdir -p new/dir; echo hi > new/dir/file; echo changed > etc/hostname; chmod 4755 usr/bin/sh; rm file var/cache/a/x; rm -r opt;"
        " ln -s /etc new/link; mkfifo new/fifo; mknod new/null c 1 3; chown -h 12:34 new/link new/dir; touch -d @1000000000 new/dir/file new/dir");
  RoundTrip();
}

TEST_F(OverlayTest, DirectoriesBecomeFilesAndBack) {
  Shell("cd merged; rm -r etc/conf.d; echo file now > etc/conf.d; rm file; mkdir file; echo in > file/in; rm lib; mkdir lib; echo own > lib/own");
  RoundTrip();
}

TEST_F(OverlayTest, RemadeDirectoriesAreOpaque) {
  Shell("cd merged; rm -r etc/conf.d; mkdir etc/conf.d; echo three > etc/conf.d/3; rm -r var; mkdir -p var/cache/a");
  RoundTrip();
}

TEST_F(OverlayTest, HardLinksAndRenames) {
  Shell("cd merged; echo data > a; ln a b; ln a etc/c; ln usr/lib/libc usr/lib/libc.so; mv etc/hostname etc/name; echo dd > usr/bin/dash");
  RoundTrip();
}

TEST_F(OverlayTest, OddNames) {
  Shell("cd merged; touch -- \"$(printf 'bad-\\377-utf8')\" \"$(printf 'new\\nline')\" ' space' -dash; n=$(printf 'n%.0s' $(seq 1 200)); mkdir -p $n/$n; echo deep > $n/$n/$n; ln -s $n/$n/$n long");
  RoundTrip();
}

TEST_F(OverlayTest, Attributes) {
  Shell("cd merged; echo x > capable");
  UniqueFd merged = Open("merged");
  ASSERT_OK(fs::SetXattrAt(merged.get(), "capable", "security.capability",
                           absl::string_view("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20)));
  ASSERT_OK(fs::SetXattrAt(merged.get(), "etc", "trusted.mine", absl::string_view("a\0b=\n", 5)));
  merged.Reset();  // or it could not be unmounted
  RoundTrip();
}

}  // namespace
}  // namespace strata::layer
