#include "services/store/engine/extent_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/blobstore/errors.h"
#include "lib/base/unique_fd.h"
#include "lib/fs/dir.h"

namespace strata::store {

namespace {

constexpr size_t kPieceBytes = 256 * 1024;
constexpr uint64_t kWriteBackBytes = 8 << 20;

std::string ExtentName(uint64_t id) { return absl::StrFormat("%016x", id); }
std::string FolderName(uint64_t id) { return absl::StrFormat("%02x", id & 0xff); }

absl::Status SyncFolder(int root, const std::string& name) {
  const UniqueFd folder(::openat(root, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_valid()) return ErrnoStatus(errno, absl::StrCat("open extent folder ", name));
  if (::fsync(folder.get()) != 0) return ErrnoStatus(errno, absl::StrCat("fsync extent folder ", name));
  return absl::OkStatus();
}

absl::StatusOr<int64_t> SpaceLeft(int fd, int64_t reserved_bytes) {
  struct statvfs info = {};
  if (::fstatvfs(fd, &info) != 0) return ErrnoStatus(errno, "statvfs");
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize) - reserved_bytes;
}

absl::Status RequireSpace(int fd, int64_t reserved_bytes, int64_t wanted_bytes) {
  STRATA_ASSIGN_OR_RETURN(const int64_t left, SpaceLeft(fd, reserved_bytes));
  if (left >= wanted_bytes) return absl::OkStatus();
  return blobstore::ExhaustedError(blobstore::Exhausted::kDisk,
                                   "the disk of the store is full; free space or collect garbage, then retry");
}

class FileWriter final : public ExtentWriter {
 public:
  // `root` and `on_sync` outlive this object. `folder` is empty when the file's directory entry is durable already.
  FileWriter(UniqueFd fd, uint64_t size_bytes, int root, std::string folder, int64_t reserved_bytes,
             const std::function<void(absl::Duration)>& on_sync)
      : fd_(std::move(fd)), root_(root), reserved_bytes_(reserved_bytes), on_sync_(on_sync), unsynced_folder_(std::move(folder)),
        size_bytes_(size_bytes), write_back_from_(size_bytes) {}

  absl::Status Write(absl::string_view data) override {
    while (!data.empty()) {
      const absl::string_view piece = data.substr(0, kPieceBytes);
      STRATA_RETURN_IF_ERROR(RequireSpace(fd_.get(), reserved_bytes_, static_cast<int64_t>(piece.size())));
      STRATA_RETURN_IF_ERROR(WritePiece(piece));
      data.remove_prefix(piece.size());
    }
    if (size_bytes_ - write_back_from_ >= kWriteBackBytes) StartWriteBack();
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    const absl::Time start = absl::Now();
    if (::fdatasync(fd_.get()) != 0) return ErrnoStatus(errno, "fdatasync extent");
    if (on_sync_) on_sync_(absl::Now() - start);
    if (unsynced_folder_.empty()) return absl::OkStatus();
    STRATA_RETURN_IF_ERROR(SyncFolder(root_, unsynced_folder_));
    unsynced_folder_.clear();
    return absl::OkStatus();
  }

  uint64_t size_bytes() const override { return size_bytes_; }

 private:
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

  void StartWriteBack() {
    // A hint: what it cannot start now the final fdatasync does, and reports.
    ::sync_file_range(fd_.get(), static_cast<off_t>(write_back_from_), static_cast<off_t>(size_bytes_ - write_back_from_),
                      SYNC_FILE_RANGE_WRITE);
    write_back_from_ = size_bytes_;
  }

  const UniqueFd fd_;
  const int root_;
  const int64_t reserved_bytes_;
  const std::function<void(absl::Duration)>& on_sync_;
  std::string unsynced_folder_;
  uint64_t size_bytes_;
  uint64_t write_back_from_;
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
  ExtentFiles(UniqueFd root, int64_t reserved_bytes, std::function<void(absl::Duration)> on_sync)
      : root_(std::move(root)), reserved_bytes_(reserved_bytes), on_sync_(std::move(on_sync)) {}

  absl::StatusOr<std::unique_ptr<ExtentWriter>> Create(uint64_t id) override {
    UniqueFd fd(::openat(root_.get(), Path(id).c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("create extent ", ExtentName(id)));
    return std::make_unique<FileWriter>(std::move(fd), 0, root_.get(), FolderName(id), reserved_bytes_, on_sync_);
  }

  absl::StatusOr<std::unique_ptr<ExtentWriter>> Append(uint64_t id, uint64_t offset_bytes) override {
    UniqueFd fd(::openat(root_.get(), Path(id).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.is_valid()) return Missing(id);
    struct stat info = {};
    if (::fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("stat extent ", ExtentName(id)));
    const uint64_t size = static_cast<uint64_t>(info.st_size);
    if (size < offset_bytes) {
      return absl::DataLossError(absl::StrCat("extent ", ExtentName(id), " has ", size, " bytes, not the ", offset_bytes,
                                              " that were made durable"));
    }
    if (size > offset_bytes && ::ftruncate(fd.get(), static_cast<off_t>(offset_bytes)) != 0) {
      return ErrnoStatus(errno, absl::StrCat("truncate extent ", ExtentName(id)));
    }
    return std::make_unique<FileWriter>(std::move(fd), offset_bytes, root_.get(), "", reserved_bytes_, on_sync_);
  }

  absl::StatusOr<std::unique_ptr<ExtentReader>> Open(uint64_t id) override {
    UniqueFd fd(::openat(root_.get(), Path(id).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.is_valid()) return Missing(id);
    return std::make_unique<FileReader>(std::move(fd), id);
  }

  absl::StatusOr<std::unique_ptr<ExtentReader>> OpenUncached(uint64_t id) override {
    UniqueFd fd(::openat(root_.get(), Path(id).c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW));
    if (fd.is_valid()) return std::make_unique<DirectReader>(std::move(fd), id);
    if (errno == EINVAL) return Open(id);  // tmpfs, and others that live in the cache anyway
    return Missing(id);
  }

  absl::StatusOr<std::optional<uint64_t>> Size(uint64_t id) override {
    struct stat info = {};
    if (::fstatat(root_.get(), Path(id).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
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
    if (::fstatat(root_.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return 0;
      return ErrnoStatus(errno, absl::StrCat("stat extent ", ExtentName(id)));
    }
    if (::unlinkat(root_.get(), path.c_str(), 0) != 0 && errno != ENOENT) {
      return ErrnoStatus(errno, absl::StrCat("remove extent ", ExtentName(id)));
    }
    return static_cast<int64_t>(info.st_blocks) * 512;
  }

  absl::StatusOr<int64_t> FreeBytes() override {
    STRATA_ASSIGN_OR_RETURN(const int64_t left, SpaceLeft(root_.get(), reserved_bytes_));
    return std::max<int64_t>(0, left);
  }

  absl::Status CheckSpace() override { return RequireSpace(root_.get(), reserved_bytes_, kPieceBytes); }

 private:
  static std::string Path(uint64_t id) { return absl::StrCat(FolderName(id), "/", ExtentName(id)); }
  absl::StatusOr<UniqueFd> OpenFolder(uint64_t id) const {
    UniqueFd folder(::openat(root_.get(), FolderName(id).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!folder.is_valid()) return ErrnoStatus(errno, absl::StrCat("open extent folder ", FolderName(id)));
    return folder;
  }
  static absl::Status Missing(uint64_t id) {
    if (errno == ENOENT) return absl::DataLossError(absl::StrCat("extent ", ExtentName(id), " is missing"));
    return ErrnoStatus(errno, absl::StrCat("open extent ", ExtentName(id)));
  }

  const UniqueFd root_;
  const int64_t reserved_bytes_;
  const std::function<void(absl::Duration)> on_sync_;
};

absl::Status MakeFolder(int parent, const char* name) {
  if (::mkdirat(parent, name, 0700) != 0 && errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("mkdir ", name));
  return absl::OkStatus();
}

}  // namespace

std::string ExtentPath(uint64_t id) { return absl::StrCat(FolderName(id), "/", ExtentName(id)); }

absl::StatusOr<std::unique_ptr<ExtentStore>> OpenExtentFiles(const std::string& root, int64_t reserved_bytes,
                                                             std::function<void(absl::Duration)> on_sync) {
  STRATA_RETURN_IF_ERROR(MakeFolder(AT_FDCWD, root.c_str()));
  UniqueFd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, "open the extents folder");
  for (uint64_t i = 0; i < 256; ++i) STRATA_RETURN_IF_ERROR(MakeFolder(fd.get(), FolderName(i).c_str()));
  if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "fsync the extents folder");
  return std::make_unique<ExtentFiles>(std::move(fd), reserved_bytes, std::move(on_sync));
}

}  // namespace strata::store
