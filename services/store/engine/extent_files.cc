#include "services/store/engine/extent_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/blobstore/errors.h"
#include "lib/fs/dir.h"

namespace strata::store {

namespace {

constexpr size_t kPieceBytes = 256 * 1024;
constexpr uint64_t kWriteBackBytes = 8 << 20;
constexpr size_t kAdoptBytes = 128 * 1024;    // stays in the processor's cache between the kernel's copy and the hash
constexpr int64_t kGrantBytes = 16 << 20;

std::string ExtentName(uint64_t id) { return absl::StrFormat("%016x", id); }
std::string FolderName(uint64_t id) { return absl::StrFormat("%02x", id & 0xff); }
std::string Path(uint64_t id) { return absl::StrCat(FolderName(id), "/", ExtentName(id)); }

absl::Status SyncFolder(int root, const std::string& name) {
  const UniqueFd folder(::openat(root, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_valid()) return ErrnoStatus(errno, absl::StrCat("open extent folder ", name));
  if (::fsync(folder.get()) != 0) return ErrnoStatus(errno, absl::StrCat("fsync extent folder ", name));
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FileSize(int fd) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return ErrnoStatus(errno, "stat extent");
  return static_cast<uint64_t>(info.st_size);
}

// Whether anybody, in whatever process, has the file open for writing, descriptors on their way in a socket and mappings included:
// the kernel gives a read lease on a file only when nobody has. `fd` is open for reading only.
absl::StatusOr<bool> HasWriters(int fd) {
  if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
    if (::fcntl(fd, F_SETLEASE, F_UNLCK) != 0) return ErrnoStatus(errno, "give up the lease of an extent");
    return false;
  }
  if (errno == EAGAIN) return true;
  return ErrnoStatus(errno, "ask who writes an extent");
}

// A process that was killed, or has just closed its descriptor, may need a moment until the kernel has let go of it.
absl::Status RequireNoWriters(int fd, uint64_t id) {
  constexpr int kTries = 50;
  constexpr timespec kPause = {.tv_sec = 0, .tv_nsec = 2'000'000};
  for (int i = 0; i < kTries; ++i) {
    STRATA_ASSIGN_OR_RETURN(const bool has_writers, HasWriters(fd));
    if (!has_writers) return absl::OkStatus();
    ::nanosleep(&kPause, nullptr);
  }
  return absl::AbortedError(absl::StrCat("another process has extent ", ExtentName(id), " open for writing still; retry in a moment"));
}

// What the writers of one store share.
struct Shared {
  UniqueFd root;
  int64_t reserved_bytes;
  bool can_tell_writers = false;       // the file system has leases
  std::function<void(absl::Duration)> on_sync;  // may be empty
  std::atomic<int64_t> granted_bytes;  // to others, and not there yet as far as we know
};

absl::StatusOr<int64_t> SpaceLeft(const Shared& shared) {
  struct statvfs info = {};
  if (::fstatvfs(shared.root.get(), &info) != 0) return ErrnoStatus(errno, "statvfs");
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize) - shared.reserved_bytes -
         shared.granted_bytes.load(std::memory_order_relaxed);
}

absl::Status DiskFull() {
  return blobstore::ExhaustedError(blobstore::Exhausted::kDisk,
                                   "the disk of the store is full; free space or collect garbage, then retry");
}

absl::Status RequireSpace(const Shared& shared, int64_t wanted_bytes) {
  STRATA_ASSIGN_OR_RETURN(const int64_t left, SpaceLeft(shared));
  return left >= wanted_bytes ? absl::OkStatus() : DiskFull();
}

class FileWriter final : public ExtentWriter {
 public:
  // `folder` is empty when the file's directory entry is durable already.
  FileWriter(Shared& shared, UniqueFd fd, uint64_t id, uint64_t size_bytes, std::string folder)
      : shared_(shared), id_(id), fd_(std::move(fd)), unsynced_folder_(std::move(folder)), size_bytes_(size_bytes),
        write_back_from_(size_bytes) {}
  ~FileWriter() override { shared_.granted_bytes -= static_cast<int64_t>(granted_bytes_); }

  absl::Status Write(absl::string_view data) override {
    while (!data.empty()) {
      const absl::string_view piece = data.substr(0, kPieceBytes);
      STRATA_RETURN_IF_ERROR(RequireSpace(shared_, static_cast<int64_t>(piece.size())));
      STRATA_RETURN_IF_ERROR(WritePiece(piece));
      data.remove_prefix(piece.size());
    }
    StartWriteBack();
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    const absl::Time start = absl::Now();
    if (::fdatasync(fd_.get()) != 0) return ErrnoStatus(errno, "fdatasync extent");
    if (shared_.on_sync) shared_.on_sync(absl::Now() - start);
    if (unsynced_folder_.empty()) return absl::OkStatus();
    STRATA_RETURN_IF_ERROR(SyncFolder(shared_.root.get(), unsynced_folder_));
    unsynced_folder_.clear();
    return absl::OkStatus();
  }

  uint64_t size_bytes() const override { return size_bytes_; }

  absl::StatusOr<UniqueFd> OpenForOthers() override {
    if (!shared_.can_tell_writers) return absl::UnimplementedError("the file system of the store cannot tell who writes a file");
    return Reopen(O_WRONLY);
  }

  absl::StatusOr<uint64_t> Grant() override {
    STRATA_ASSIGN_OR_RETURN(const int64_t left, SpaceLeft(shared_));
    // Close to the end of the disk in smaller steps, so that the last ones can be shared out too.
    const int64_t window = std::clamp<int64_t>(left / 8, kPieceBytes, kGrantBytes);
    const int64_t more = std::min(window - static_cast<int64_t>(granted_bytes_), left);
    if (more > 0) {
      granted_bytes_ += static_cast<uint64_t>(more);
      shared_.granted_bytes += more;
    }
    if (granted_bytes_ == 0) return DiskFull();
    return granted_bytes_;
  }

  absl::Status Adopt(uint64_t count, absl::FunctionRef<void(absl::string_view)> see) override {
    STRATA_ASSIGN_OR_RETURN(const uint64_t in_file, FileSize(fd_.get()));
    if (count > granted_bytes_ || in_file > size_bytes_ + granted_bytes_) {
      return absl::InvalidArgumentError(absl::StrCat("more was written to the extent than the ", granted_bytes_, " bytes allowed"));
    }
    if (in_file < size_bytes_ + count) {
      return absl::InvalidArgumentError(absl::StrCat(count, " more bytes were reported, but the extent has only ",
                                                     in_file - std::min(in_file, size_bytes_), " more"));
    }
    if (adopting_ == nullptr) adopting_ = std::make_unique<char[]>(kAdoptBytes);
    while (count > 0) {
      const ssize_t n = ::pread(fd_.get(), adopting_.get(), std::min<uint64_t>(count, kAdoptBytes), static_cast<off_t>(size_bytes_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoStatus(errno, "read extent");
      if (n == 0) return absl::InvalidArgumentError("the extent was cut while it was written");
      see(absl::string_view(adopting_.get(), static_cast<size_t>(n)));
      size_bytes_ += static_cast<uint64_t>(n);
      count -= static_cast<uint64_t>(n);
      granted_bytes_ -= static_cast<uint64_t>(n);
      shared_.granted_bytes -= n;
      StartWriteBack();
    }
    return absl::OkStatus();
  }

  absl::Status Seal() override {
    STRATA_ASSIGN_OR_RETURN(UniqueFd sealed, Reopen(O_RDONLY));
    fd_ = std::move(sealed);  // we are a writer too, up to here
    STRATA_RETURN_IF_ERROR(RequireNoWriters(fd_.get(), id_));
    STRATA_ASSIGN_OR_RETURN(const uint64_t in_file, FileSize(fd_.get()));
    if (in_file == size_bytes_) return absl::OkStatus();
    if (in_file < size_bytes_) return absl::InvalidArgumentError("the extent was cut after it was written");
    STRATA_ASSIGN_OR_RETURN(const UniqueFd cutting, Reopen(O_WRONLY));
    if (::ftruncate(cutting.get(), static_cast<off_t>(size_bytes_)) != 0) return ErrnoStatus(errno, "truncate extent");
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<UniqueFd> Reopen(int mode) const {
    UniqueFd fd(::openat(shared_.root.get(), Path(id_).c_str(), mode | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("open extent ", ExtentName(id_)));
    return fd;
  }

  absl::Status WritePiece(absl::string_view piece) {
    while (!piece.empty()) {
      const ssize_t n = ::pwrite(fd_.get(), piece.data(), piece.size(), static_cast<off_t>(size_bytes_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoStatus(errno, "write extent");
      size_bytes_ += static_cast<uint64_t>(n);
      piece.remove_prefix(static_cast<size_t>(n));
    }
    return absl::OkStatus();
  }

  // A hint: what it cannot start now the final fdatasync does, and reports.
  void StartWriteBack() {
    if (size_bytes_ - write_back_from_ < kWriteBackBytes) return;
    ::sync_file_range(fd_.get(), static_cast<off_t>(write_back_from_), static_cast<off_t>(size_bytes_ - write_back_from_),
                      SYNC_FILE_RANGE_WRITE);
    write_back_from_ = size_bytes_;
  }

  Shared& shared_;
  const uint64_t id_;
  UniqueFd fd_;
  std::string unsynced_folder_;
  uint64_t size_bytes_;
  uint64_t write_back_from_;
  uint64_t granted_bytes_ = 0;        // behind size_bytes_, to others
  std::unique_ptr<char[]> adopting_;  // kAdoptBytes
};

class FileReader final : public ExtentReader {
 public:
  FileReader(UniqueFd fd, uint64_t id) : fd_(std::move(fd)), id_(id) {}

  absl::Status ReadAt(uint64_t offset_bytes, char* buffer, size_t size) const override {
    size_t done = 0;
    while (done < size) {
      const ssize_t n = ::pread(fd_.get(), buffer + done, size - done, static_cast<off_t>(offset_bytes + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return absl::DataLossError(absl::StrCat("extent ", ExtentName(id_), ": ", ErrnoStatus(errno, "read").message()));
      if (n == 0) return absl::DataLossError(absl::StrCat("extent ", ExtentName(id_), " ends at byte ", offset_bytes + done));
      done += static_cast<size_t>(n);
    }
    return absl::OkStatus();
  }

  UniqueFd ReadOnlyFile() const override { return UniqueFd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0)); }

 private:
  const UniqueFd fd_;
  const uint64_t id_;
};

// Past the page cache, which then neither hides what the disk has become nor loses what others read. Takes whole blocks at aligned
// places; one buffer a reader, so not for several threads.
class DirectReader final : public ExtentReader {
 public:
  DirectReader(UniqueFd fd, uint64_t id)
      : fd_(std::move(fd)), id_(id), buffer_(static_cast<char*>(std::aligned_alloc(kBlockBytes, kBufferBytes))) {}

  absl::Status ReadAt(uint64_t offset_bytes, char* out, size_t size) const override {
    while (size > 0) {
      const uint64_t start = offset_bytes / kBlockBytes * kBlockBytes;
      const size_t skip = offset_bytes - start;
      const size_t n = std::min(size, kBufferBytes - skip);
      STRATA_RETURN_IF_ERROR(Fill(start, (skip + n + kBlockBytes - 1) / kBlockBytes * kBlockBytes, skip + n));
      std::memcpy(out, buffer_.get() + skip, n);
      out += n;
      offset_bytes += n;
      size -= n;
    }
    return absl::OkStatus();
  }

  UniqueFd ReadOnlyFile() const override { return UniqueFd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0)); }

 private:
  static constexpr size_t kBlockBytes = 4096;
  static constexpr size_t kBufferBytes = kPieceBytes;
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };

  // Reads `size` bytes at `start`, of which `needed` must exist.
  absl::Status Fill(uint64_t start, size_t size, size_t needed) const {
    size_t done = 0;
    while (done < needed) {
      const ssize_t n = ::pread(fd_.get(), buffer_.get() + done, size - done, static_cast<off_t>(start + done));
      if (n < 0 && errno == EINTR) continue;
      const bool is_end = n == 0 || (n < 0 && errno == EINVAL && done > 0);  // no read starts in the middle of a block
      if (is_end) return absl::DataLossError(absl::StrCat("extent ", ExtentName(id_), " ends at byte ", start + done));
      if (n < 0) return absl::DataLossError(absl::StrCat("extent ", ExtentName(id_), ": ", ErrnoStatus(errno, "read").message()));
      done += static_cast<size_t>(n);
    }
    return absl::OkStatus();
  }

  const UniqueFd fd_;
  const uint64_t id_;
  const std::unique_ptr<char, Free> buffer_;
};

class ExtentFiles final : public ExtentStore {
 public:
  ExtentFiles(UniqueFd root, int64_t reserved_bytes, bool can_tell_writers, std::function<void(absl::Duration)> on_sync)
      : shared_{.root = std::move(root), .reserved_bytes = reserved_bytes, .can_tell_writers = can_tell_writers,
                .on_sync = std::move(on_sync), .granted_bytes = 0} {}

  absl::StatusOr<std::unique_ptr<ExtentWriter>> Create(uint64_t id) override {
    // A new file, not an emptied one: somebody may have the old one open.
    STRATA_RETURN_IF_ERROR(Remove(id).status());
    UniqueFd fd(::openat(shared_.root.get(), Path(id).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("create extent ", ExtentName(id)));
    return std::make_unique<FileWriter>(shared_, std::move(fd), id, 0, FolderName(id));
  }

  absl::StatusOr<std::unique_ptr<ExtentWriter>> Append(uint64_t id, uint64_t offset_bytes) override {
    const UniqueFd looking(::openat(shared_.root.get(), Path(id).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!looking.is_valid()) return Missing(id);
    // Where nobody can tell, no descriptor was given out either.
    const absl::Status no_writers = RequireNoWriters(looking.get(), id);
    if (absl::IsAborted(no_writers)) return no_writers;
    UniqueFd fd(::openat(shared_.root.get(), Path(id).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.is_valid()) return Missing(id);
    STRATA_ASSIGN_OR_RETURN(const uint64_t size, FileSize(fd.get()));
    if (size < offset_bytes) {
      return absl::DataLossError(absl::StrCat("extent ", ExtentName(id), " has ", size, " bytes, not the ", offset_bytes,
                                              " that were made durable"));
    }
    if (size > offset_bytes && ::ftruncate(fd.get(), static_cast<off_t>(offset_bytes)) != 0) {
      return ErrnoStatus(errno, absl::StrCat("truncate extent ", ExtentName(id)));
    }
    return std::make_unique<FileWriter>(shared_, std::move(fd), id, offset_bytes, "");
  }

  absl::StatusOr<std::unique_ptr<ExtentReader>> Open(uint64_t id) override {
    UniqueFd fd(::openat(shared_.root.get(), Path(id).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.is_valid()) return Missing(id);
    return std::make_unique<FileReader>(std::move(fd), id);
  }

  absl::StatusOr<std::unique_ptr<ExtentReader>> OpenUncached(uint64_t id) override {
    UniqueFd fd(::openat(shared_.root.get(), Path(id).c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW));
    if (fd.is_valid()) return std::make_unique<DirectReader>(std::move(fd), id);
    if (errno == EINVAL) return Open(id);  // tmpfs, and others that live in the cache anyway
    return Missing(id);
  }

  absl::StatusOr<std::optional<uint64_t>> Size(uint64_t id) override {
    struct stat info = {};
    if (::fstatat(shared_.root.get(), Path(id).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      return std::optional<uint64_t>(static_cast<uint64_t>(info.st_size));
    }
    if (errno == ENOENT) return std::optional<uint64_t>();
    return ErrnoStatus(errno, absl::StrCat("stat extent ", ExtentName(id)));
  }

  absl::StatusOr<std::vector<uint64_t>> List(uint8_t shard) override {
    STRATA_ASSIGN_OR_RETURN(const UniqueFd folder, OpenFolder(shard));
    STRATA_ASSIGN_OR_RETURN(const std::vector<fs::DirEntry> entries, fs::ListDirectory(folder.get()));
    std::vector<uint64_t> ids;
    for (const fs::DirEntry& entry : entries) {
      uint64_t id = 0;
      // Names that are not ours are nobody's business.
      if (entry.name.size() == 16 && absl::SimpleHexAtoi(entry.name, &id) && (id & 0xff) == shard) ids.push_back(id);
    }
    return ids;
  }

  absl::StatusOr<int64_t> Remove(uint64_t id) override {
    const std::string path = Path(id);
    struct stat info = {};
    if (::fstatat(shared_.root.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return 0;
      return ErrnoStatus(errno, absl::StrCat("stat extent ", ExtentName(id)));
    }
    if (::unlinkat(shared_.root.get(), path.c_str(), 0) != 0 && errno != ENOENT) {
      return ErrnoStatus(errno, absl::StrCat("remove extent ", ExtentName(id)));
    }
    return static_cast<int64_t>(info.st_blocks) * 512;
  }

  absl::Status SyncRemovals(absl::Span<const uint64_t> ids) override {
    std::set<std::string> folders;
    for (const uint64_t id : ids) folders.insert(FolderName(id));
    for (const std::string& folder : folders) STRATA_RETURN_IF_ERROR(SyncFolder(shared_.root.get(), folder));
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> FreeBytes() override {
    STRATA_ASSIGN_OR_RETURN(const int64_t left, SpaceLeft(shared_));
    return std::max<int64_t>(0, left);
  }

  absl::Status CheckSpace() override { return RequireSpace(shared_, kPieceBytes); }

 private:
  absl::StatusOr<UniqueFd> OpenFolder(uint64_t id) const {
    UniqueFd folder(::openat(shared_.root.get(), FolderName(id).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!folder.is_valid()) return ErrnoStatus(errno, absl::StrCat("open extent folder ", FolderName(id)));
    return folder;
  }
  static absl::Status Missing(uint64_t id) {
    if (errno == ENOENT) return absl::DataLossError(absl::StrCat("extent ", ExtentName(id), " is missing"));
    return ErrnoStatus(errno, absl::StrCat("open extent ", ExtentName(id)));
  }

  Shared shared_;
};

absl::Status MakeFolder(int parent, const char* name) {
  if (::mkdirat(parent, name, 0700) != 0 && errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("mkdir ", name));
  return absl::OkStatus();
}

// Tries it: network and FUSE file systems refuse leases. A disk too full for the trial is no reason not to start.
bool CanTellWriters(int root) {
  constexpr char kTrial[] = "lease-trial";
  const UniqueFd writing(::openat(root, kTrial, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  const UniqueFd reading(::openat(root, kTrial, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  ::unlinkat(root, kTrial, 0);
  if (!writing.is_valid() || !reading.is_valid()) return false;
  const absl::StatusOr<bool> has_writers = HasWriters(reading.get());
  return has_writers.ok() && *has_writers;
}

}  // namespace

std::string ExtentPath(uint64_t id) { return Path(id); }

absl::StatusOr<std::unique_ptr<ExtentStore>> OpenExtentFiles(const std::string& root, int64_t reserved_bytes,
                                                             std::function<void(absl::Duration)> on_sync) {
  STRATA_RETURN_IF_ERROR(MakeFolder(AT_FDCWD, root.c_str()));
  UniqueFd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, "open the extents folder");
  for (uint64_t i = 0; i < 256; ++i) STRATA_RETURN_IF_ERROR(MakeFolder(fd.get(), FolderName(i).c_str()));
  if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "fsync the extents folder");
  const bool can_tell_writers = CanTellWriters(fd.get());
  return std::make_unique<ExtentFiles>(std::move(fd), reserved_bytes, can_tell_writers, std::move(on_sync));
}

}  // namespace strata::store
