// Through the kernel: what programs do with files, and what is left of it.
#include "tests/crash/lossfs/fuse_server.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/unique_fd.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::lossfs {
namespace {

class FuseServerTest : public ::testing::Test {
 protected:
  FuseServerTest() {
    EXPECT_EQ(::mkdir(scratch_.Join("mnt").c_str(), 0700), 0);
    auto mounted = FuseServer::Mount(scratch_.Join("mnt"), volume_);
    EXPECT_OK(mounted);
    if (mounted.ok()) server_ = *std::move(mounted);
  }

  std::string Path(const std::string& name) const { return scratch_.Join("mnt/" + name); }
  UniqueFd Open(const std::string& name, int flags = O_RDWR | O_CREAT) {
    UniqueFd fd(::open(Path(name).c_str(), flags | O_CLOEXEC, 0600));
    EXPECT_TRUE(fd.is_valid()) << name << ": " << strerror(errno);
    return fd;
  }
  void SyncRoot() { EXPECT_EQ(::fsync(Open("", O_RDONLY | O_DIRECTORY).get()), 0); }
  static void Write(const UniqueFd& fd, const std::string& data, off_t offset = 0) {
    EXPECT_EQ(::pwrite(fd.get(), data.data(), data.size(), offset), static_cast<ssize_t>(data.size()));
  }
  static std::string Read(const UniqueFd& fd) {
    std::string buffer(1 << 16, '\0');
    const ssize_t size = ::pread(fd.get(), buffer.data(), buffer.size(), 0);
    return size < 0 ? strerror(errno) : buffer.substr(0, static_cast<size_t>(size));
  }
  // The power goes and comes back; of what is not synced nothing survives with this seed.
  void Cut(uint64_t seed = kLosesAll) {
    volume_.PowerCut(seed);
    volume_.PowerOn();
  }

  static constexpr uint64_t kLosesAll = 0;
  testing::ScratchDir scratch_;
  Volume volume_{Rules::kStrict, 64 << 20};
  std::unique_ptr<FuseServer> server_;
};

TEST_F(FuseServerTest, SyncedIsKeptAndOldDescriptorsAreDead) {
  const UniqueFd file = Open("a");
  Write(file, "synced");
  ASSERT_EQ(::fdatasync(file.get()), 0);
  SyncRoot();
  Cut();
  EXPECT_EQ(Read(file), strerror(EIO));
  EXPECT_EQ(Read(Open("a", O_RDONLY)), "synced");
}

TEST_F(FuseServerTest, CachedPagesDoNotHideALoss) {
  const UniqueFd file = Open("a");
  Write(file, std::string(8192, 'o'));
  ASSERT_EQ(::fsync(file.get()), 0);
  SyncRoot();
  bool has_lost = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const UniqueFd open = Open("a", O_RDWR);
    Write(open, std::string(8192, 'n'));
    EXPECT_EQ(Read(open), std::string(8192, 'n'));
    Cut(seed);
    const UniqueFd again = Open("a", O_RDWR);
    has_lost = has_lost || Read(again) != std::string(8192, 'n');
    Write(again, std::string(8192, 'o'));
    ASSERT_EQ(::fsync(again.get()), 0);
  }
  EXPECT_TRUE(has_lost);
}

TEST_F(FuseServerTest, MappedWritesAreDurableByMsync) {
  const UniqueFd file = Open("a");
  ASSERT_EQ(::ftruncate(file.get(), 4096), 0);
  SyncRoot();
  char* map = static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  ASSERT_NE(map, MAP_FAILED);
  map[7] = 'm';
  ASSERT_EQ(::msync(map, 4096, MS_SYNC), 0);
  Cut();
  EXPECT_EQ(Read(Open("a", O_RDONLY)).at(7), 'm');
  ::munmap(map, 4096);
}

TEST_F(FuseServerTest, FilesDoWhatAStoreNeeds) {
  const UniqueFd file = Open("dir-less");
  EXPECT_EQ(::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, 1 << 20), 0);
  Write(file, "0123456789");
  EXPECT_EQ(::sync_file_range(file.get(), 0, 10, SYNC_FILE_RANGE_WRITE), 0);
  EXPECT_EQ(::ftruncate(file.get(), 5), 0);
  EXPECT_EQ(Read(file), "01234");
  EXPECT_EQ(::link(Path("dir-less").c_str(), Path("other").c_str()), 0);
  EXPECT_EQ(::rename(Path("other").c_str(), Path("third").c_str()), 0);
  EXPECT_EQ(::unlink(Path("dir-less").c_str()), 0);
  EXPECT_EQ(Read(file), "01234");
  EXPECT_EQ(Read(Open("third", O_RDONLY)), "01234");
  EXPECT_EQ(::mkdir(Path("d").c_str(), 0700), 0);
  EXPECT_EQ(::rmdir(Path("d").c_str()), 0);
  struct statvfs info = {};
  ASSERT_EQ(::fstatvfs(file.get(), &info), 0);
  EXPECT_EQ(info.f_blocks * info.f_frsize, 64u << 20);
  EXPECT_EQ(::open(Path("none").c_str(), O_RDONLY), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(FuseServerTest, LocksKeepASecondOpenerOut) {
  const UniqueFd first = Open("LOCK");
  const UniqueFd second = Open("LOCK");
  EXPECT_EQ(::flock(first.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(::flock(second.get(), LOCK_EX | LOCK_NB), -1);
}

TEST_F(FuseServerTest, SendfileReadsThroughADescriptor) {
  const UniqueFd file = Open("a");
  Write(file, std::string(100000, 's'));
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  off_t offset = 0;
  ASSERT_EQ(::sendfile(write_end.get(), file.get(), &offset, 4096), 4096);
  std::string got(4096, '\0');
  ASSERT_EQ(::read(read_end.get(), got.data(), got.size()), 4096);
  EXPECT_EQ(got, std::string(4096, 's'));
}

TEST_F(FuseServerTest, AppendAndSyncOpenFlagsWork) {
  {
    const UniqueFd file = Open("log", O_WRONLY | O_CREAT | O_APPEND);
    EXPECT_EQ(::write(file.get(), "a", 1), 1);
    EXPECT_EQ(::write(file.get(), "b", 1), 1);
    ASSERT_EQ(::fsync(file.get()), 0);
  }
  SyncRoot();
  const UniqueFd file = Open("log", O_WRONLY | O_APPEND | O_DSYNC);
  EXPECT_EQ(::write(file.get(), "c", 1), 1);
  Cut();
  EXPECT_EQ(Read(Open("log", O_RDONLY)), "abc");
}

TEST_F(FuseServerTest, FaultsReachThePrograms) {
  const UniqueFd file = Open("a");
  volume_.FailSync(1);
  Write(file, "x");
  EXPECT_EQ(::fsync(file.get()), -1);
  EXPECT_EQ(errno, EIO);
  volume_.SetTotalBytes(10);
  EXPECT_EQ(::pwrite(file.get(), "0123456789ab", 12, 0), -1);
  EXPECT_EQ(errno, ENOSPC);
}

}  // namespace
}  // namespace strata::lossfs
