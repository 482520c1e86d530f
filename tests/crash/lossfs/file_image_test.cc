#include "tests/crash/lossfs/file_image.h"

#include <set>

#include "gtest/gtest.h"

namespace strata::lossfs {
namespace {

constexpr int kSeeds = 300;

std::string Whole(const FileImage& image) { return std::string(image.Read(0, image.size_bytes())); }

TEST(FileImage, ReadsWhatWasWritten) {
  FileImage image;
  image.Write(3, "abc");
  EXPECT_EQ(Whole(image), std::string("\0\0\0abc", 6));
  image.Truncate(4);
  EXPECT_EQ(Whole(image), std::string("\0\0\0a", 4));
  EXPECT_EQ(image.Read(4, 10), "");
  EXPECT_EQ(image.Read(3, 10), "a");
}

TEST(FileImage, SyncedBytesSurviveEverySeed) {
  const std::string kept(10000, 'k');
  for (int seed = 0; seed < kSeeds; ++seed) {
    FileImage image;
    image.Write(0, kept);
    image.Sync();
    image.Write(kept.size(), std::string(5000, 'n'));
    Random random(seed);
    image.PowerCut(random);
    ASSERT_GE(image.size_bytes(), kept.size()) << seed;
    ASSERT_EQ(image.Read(0, kept.size()), kept) << seed;
  }
}

TEST(FileImage, UnsyncedBytesAreLostInEveryWay) {
  std::set<std::string> outcomes;
  bool has_zeros = false;
  for (int seed = 0; seed < kSeeds; ++seed) {
    FileImage image;
    image.Write(0, std::string(1024, 'a'));
    image.Write(1024, std::string(1024, 'b'));
    Random random(seed);
    image.PowerCut(random);
    for (size_t at = 0; at < image.size_bytes(); at += 512) {
      const std::string sector(image.Read(at, 512));
      const char want = at < 1024 ? 'a' : 'b';
      has_zeros = has_zeros || sector[0] == 0;
      // Whole sectors: there, or never written.
      ASSERT_TRUE(sector == std::string(512, want) || sector == std::string(512, '\0')) << seed;
    }
    outcomes.insert(Whole(image));
  }
  EXPECT_TRUE(outcomes.contains(""));
  EXPECT_TRUE(outcomes.contains(std::string(1024, 'a')));
  EXPECT_TRUE(outcomes.contains(std::string(512, 'a')));                                          // a torn write
  EXPECT_TRUE(outcomes.contains(std::string(1024, 'a') + std::string(1024, 'b')));
  EXPECT_TRUE(outcomes.contains(std::string(1024, '\0') + std::string(1024, 'b')));               // the later one only
  EXPECT_TRUE(has_zeros);
}

TEST(FileImage, AnOverwrittenSectorIsOldOrNew) {
  std::set<char> seen;
  for (int seed = 0; seed < kSeeds; ++seed) {
    FileImage image;
    image.Write(0, std::string(4096, 'o'));
    image.Sync();
    image.Write(0, std::string(4096, 'n'));
    Random random(seed);
    image.PowerCut(random);
    ASSERT_EQ(image.size_bytes(), 4096u);
    for (size_t at = 0; at < 4096; at += 512) {
      const std::string sector(image.Read(at, 512));
      ASSERT_EQ(sector, std::string(512, sector[0]));
      seen.insert(sector[0]);
    }
  }
  EXPECT_EQ(seen, (std::set<char>{'n', 'o'}));
}

TEST(FileImage, TruncationsAreChangesToo) {
  std::set<uint64_t> sizes;
  for (int seed = 0; seed < kSeeds; ++seed) {
    FileImage image;
    image.Write(0, "0123456789");
    image.Sync();
    image.Truncate(4);
    EXPECT_EQ(image.size_bytes(), 4u);
    Random random(seed);
    image.PowerCut(random);
    sizes.insert(image.size_bytes());
  }
  EXPECT_EQ(sizes, (std::set<uint64_t>{4, 10}));
}

TEST(FileImage, WhatAFailedSyncLostNoLaterSyncSaves) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    FileImage image;
    image.Write(0, "lost");
    image.FailSync();
    EXPECT_EQ(Whole(image), "lost");
    image.Write(4, "kept");
    image.Sync();
    Random random(seed);
    image.PowerCut(random);
    ASSERT_EQ(Whole(image), std::string("\0\0\0\0kept", 8));
  }
}

TEST(FileImage, TheSeedDecides) {
  std::string first;
  for (int run = 0; run < 2; ++run) {
    FileImage image;
    for (int i = 0; i < 20; ++i) image.Write(i * 700, std::string(900, static_cast<char>('a' + i)));
    Random random(7);
    image.PowerCut(random);
    if (run == 0) first = Whole(image);
    EXPECT_EQ(Whole(image), first);
  }
}

}  // namespace
}  // namespace strata::lossfs
