#include "tests/crash/lossfs/volume.h"

#include <cerrno>
#include <functional>
#include <set>

#include "gtest/gtest.h"

namespace strata::lossfs {
namespace {

constexpr int kSeeds = 200;

// A volume and paths of one component below a folder.
class Disk {
 public:
  explicit Disk(Rules rules = Rules::kStrict) : volume_(rules, 1 << 20) {}

  Volume& volume() { return volume_; }
  NodeId Find(const std::string& name, NodeId parent = kRoot) {
    struct stat out = {};
    return volume_.Lookup(parent, name, &out) == 0 ? out.st_ino : 0;
  }
  NodeId Create(const std::string& name, NodeId parent = kRoot) {
    struct stat out = {};
    EXPECT_EQ(volume_.MakeFile(parent, name, 0600, &out), 0);
    return out.st_ino;
  }
  NodeId MakeDirectory(const std::string& name, NodeId parent = kRoot) {
    struct stat out = {};
    EXPECT_EQ(volume_.MakeDirectory(parent, name, 0700, &out), 0);
    return out.st_ino;
  }
  // A file whose name and bytes are on the disk.
  NodeId CreateDurable(const std::string& name, const std::string& content) {
    const NodeId node = Create(name);
    EXPECT_EQ(volume_.Write(node, 0, content, false), 0);
    EXPECT_EQ(volume_.SyncFile(node), 0);
    EXPECT_EQ(volume_.SyncDirectory(kRoot), 0);
    return node;
  }
  std::string Content(const std::string& name) {
    std::string out;
    EXPECT_EQ(volume_.Read(Find(name), 0, 1000, &out), 0);
    return out;
  }
  std::string Names(NodeId directory = kRoot) {
    std::vector<std::pair<std::string, struct stat>> entries;
    EXPECT_EQ(volume_.List(directory, &entries), 0);
    std::string names;
    for (const auto& entry : entries) names += entry.first + " ";
    return names;
  }
  void CutAndRestore(uint64_t seed) {
    volume_.PowerCut(seed);
    volume_.PowerOn();
  }

 private:
  Volume volume_;
};

// What is in the root after a power cut, over many seeds.
std::set<std::string> Outcomes(Rules rules, const std::function<void(Disk&)>& work) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Disk disk(rules);
    work(disk);
    disk.CutAndRestore(seed);
    outcomes.insert(disk.Names());
  }
  return outcomes;
}

using Set = std::set<std::string>;

TEST(Volume, ANameNeedsItsDirectorySynced) {
  const auto create = [](Disk& disk) { disk.volume().SyncFile(disk.Create("a")); };
  EXPECT_EQ(Outcomes(Rules::kStrict, create), (Set{"", "a "}));
  // On ext4 the file's own fsync is enough.
  EXPECT_EQ(Outcomes(Rules::kExt4, create), (Set{"a "}));
  EXPECT_EQ(Outcomes(Rules::kStrict, [&](Disk& disk) {
    create(disk);
    disk.volume().SyncDirectory(kRoot);
  }), (Set{"a "}));
}

TEST(Volume, OnlyTheSyncedDirectoryIsSafe) {
  std::set<std::string> in_a;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Disk disk;
    const NodeId a = disk.MakeDirectory("a");
    const NodeId b = disk.MakeDirectory("b");
    disk.volume().SyncDirectory(kRoot);
    disk.Create("x", a);
    disk.Create("y", b);
    disk.volume().SyncDirectory(b);
    disk.CutAndRestore(seed);
    EXPECT_EQ(disk.Names(), "a b ");
    EXPECT_EQ(disk.Names(disk.Find("b")), "y ");
    in_a.insert(disk.Names(disk.Find("a")));
  }
  EXPECT_EQ(in_a, (Set{"", "x "}));
}

TEST(Volume, AnUnsyncedRemovalMayComeBackWithItsBytes) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Disk disk;
    disk.CreateDurable("a", "bytes");
    EXPECT_EQ(disk.volume().Unlink(kRoot, "a"), 0);
    EXPECT_EQ(disk.Find("a"), 0u);
    disk.CutAndRestore(seed);
    if (disk.Find("a") != 0) {
      EXPECT_EQ(disk.Content("a"), "bytes");
    }
    outcomes.insert(disk.Names());
  }
  EXPECT_EQ(outcomes, (Set{"", "a "}));
}

TEST(Volume, ARenameIsAtomic) {
  const auto replace = [](Disk& disk) {
    disk.CreateDurable("CURRENT", "old");
    disk.CreateDurable("tmp", "new");
    EXPECT_EQ(disk.volume().Rename(kRoot, "tmp", kRoot, "CURRENT", false), 0);
    EXPECT_EQ(disk.Content("CURRENT"), "new");
  };
  for (const Rules rules : {Rules::kStrict, Rules::kExt4}) {
    std::set<std::string> contents;
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      Disk disk(rules);
      replace(disk);
      disk.CutAndRestore(seed);
      contents.insert(disk.Content("CURRENT") + (disk.Find("tmp") != 0 ? "+tmp" : ""));
    }
    EXPECT_EQ(contents, (Set{"new", "old+tmp"}));
  }
}

TEST(Volume, ARenameAcrossDirectoriesLeavesOneName) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Disk disk;
    const NodeId to = disk.MakeDirectory("to");
    disk.CreateDurable("a", "x");
    EXPECT_EQ(disk.volume().Rename(kRoot, "a", to, "b", false), 0);
    if (seed % 2 == 0) disk.volume().SyncDirectory(to);
    disk.CutAndRestore(seed);
    const bool is_moved = disk.Find("b", disk.Find("to")) != 0;
    EXPECT_NE(disk.Find("a") != 0, is_moved);
    if (seed % 2 == 0) {
      EXPECT_TRUE(is_moved);
    }
  }
}

TEST(Volume, SyncingADirectoryTakesEarlierOperationsOnTheSameNameAlong) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Disk disk;
    const NodeId from = disk.MakeDirectory("from");
    disk.volume().SyncDirectory(kRoot);
    disk.CreateDurable("n", "first");
    disk.volume().Unlink(kRoot, "n");
    const NodeId second = disk.Create("n", from);
    disk.volume().Write(second, 0, "second", false);
    disk.volume().SyncFile(second);
    disk.volume().Rename(from, "n", kRoot, "n", false);
    disk.volume().SyncDirectory(from);
    disk.CutAndRestore(seed);
    EXPECT_EQ(disk.Content("n"), "second");
  }
}

TEST(Volume, AHardLinkIsTheSameFile) {
  Disk disk;
  const NodeId node = disk.CreateDurable("a", "1");
  struct stat out = {};
  EXPECT_EQ(disk.volume().Link(node, kRoot, "b", &out), 0);
  EXPECT_EQ(out.st_nlink, 2u);
  EXPECT_EQ(disk.volume().SyncDirectory(kRoot), 0);
  EXPECT_EQ(disk.volume().Unlink(kRoot, "a"), 0);
  EXPECT_EQ(disk.volume().SyncDirectory(kRoot), 0);
  disk.CutAndRestore(1);
  EXPECT_EQ(disk.Names(), "b ");
  EXPECT_EQ(disk.Content("b"), "1");
}

TEST(Volume, AnUnlinkedOpenFileCanBeRead) {
  Disk disk;
  const NodeId node = disk.CreateDurable("a", "still");
  EXPECT_EQ(disk.volume().Unlink(kRoot, "a"), 0);
  for (int i = 0; i < 100; ++i) {
    disk.volume().Forget(disk.Create("x"), 1);
    EXPECT_EQ(disk.volume().Unlink(kRoot, "x"), 0);
  }
  std::string read;
  EXPECT_EQ(disk.volume().Read(node, 0, 100, &read), 0);
  EXPECT_EQ(read, "still");
}

TEST(Volume, WithoutPowerEverythingFailsAndOldHandlesStayDead) {
  Disk disk;
  const NodeId node = disk.CreateDurable("a", "x");
  disk.volume().PowerCut(1);
  std::string read;
  struct stat out = {};
  EXPECT_EQ(disk.volume().Read(node, 0, 1, &read), EIO);
  EXPECT_EQ(disk.volume().Lookup(kRoot, "a", &out), EIO);
  EXPECT_EQ(disk.volume().Write(node, 0, "y", false), EIO);
  EXPECT_EQ(disk.volume().SyncFile(node), EIO);
  disk.volume().PowerOn();
  EXPECT_EQ(disk.volume().Read(node, 0, 1, &read), EIO);
  EXPECT_EQ(disk.Content("a"), "x");
}

TEST(Volume, AnArmedCutComesBeforeItsEvent) {
  for (uint64_t events = 1; events < 6; ++events) {
    Disk disk;
    disk.volume().PowerCutAfter(events, 1);
    uint64_t done = 0;
    struct stat out = {};
    while (disk.volume().MakeFile(kRoot, std::to_string(done), 0600, &out) == 0) ++done;
    EXPECT_EQ(done, events - 1);
    EXPECT_FALSE(disk.volume().is_on());
  }
}

TEST(Volume, AFailedSyncSavesNothing) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Disk disk;
    const NodeId node = disk.CreateDurable("a", "old");
    disk.volume().FailSync(2);
    disk.volume().Write(node, 0, "mid", false);
    EXPECT_EQ(disk.volume().SyncFile(node), 0);
    disk.volume().Write(node, 0, "new", false);
    EXPECT_EQ(disk.volume().SyncFile(node), EIO);
    EXPECT_EQ(disk.volume().SyncFile(node), 0);
    disk.CutAndRestore(seed);
    EXPECT_EQ(disk.Content("a"), "mid");
  }
}

TEST(Volume, ItsSizeIsALimitAndRemovingGivesSpaceBack) {
  Disk disk;
  disk.volume().SetTotalBytes(100'000);
  for (int i = 0; i < 200; ++i) {
    const NodeId node = disk.Create("a");
    EXPECT_EQ(disk.volume().Write(node, 0, std::string(1000, 'x'), false), 0) << i;
    EXPECT_EQ(disk.volume().Write(node, 1000, std::string(100'000, 'x'), false), ENOSPC);
    disk.volume().Forget(node, 1);
    EXPECT_EQ(disk.volume().Unlink(kRoot, "a"), 0);
    EXPECT_EQ(disk.volume().SyncDirectory(kRoot), 0);
  }
}

TEST(Volume, SyncWritesAreDurable) {
  Disk disk;
  const NodeId node = disk.CreateDurable("a", "");
  EXPECT_EQ(disk.volume().Write(node, 0, "now", true), 0);
  disk.CutAndRestore(0);
  EXPECT_EQ(disk.Content("a"), "now");
}

}  // namespace
}  // namespace strata::lossfs
