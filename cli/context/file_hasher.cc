#include "cli/context/file_hasher.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/digest/hasher.h"
#include "lib/fs/beneath.h"

namespace strata::cli {
namespace {

constexpr size_t kMaxQueued = 4096;

}  // namespace

absl::Status ChangedError(absl::string_view path) {
  return absl::AbortedError(absl::StrCat("\"", absl::CHexEscape(path),
                                         "\" changed while the build was reading it; build again when nothing writes to the context"));
}

int64_t MtimeNs(const struct stat& info) { return info.st_mtim.tv_sec * int64_t{1'000'000'000} + info.st_mtim.tv_nsec; }

absl::StatusOr<UniqueFd> OpenContextFile(int root_fd, const std::string& path, struct stat& info) {
  // O_NONBLOCK: a pipe that took the file's place must not hang us.
  auto fd = fs::OpenBeneath(root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, /*follow_symlinks=*/false);
  if (absl::IsPermissionDenied(fd.status())) {
    return absl::PermissionDeniedError(absl::StrCat("cannot read \"", absl::CHexEscape(path),
                                                    "\" of the build context; make it readable or name it in .dockerignore"));
  }
  if (absl::IsResourceExhausted(fd.status())) return fd.status();
  if (!fd.ok()) return ChangedError(path);
  if (::fstat(fd->get(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("looking at \"", absl::CHexEscape(path), "\""));
  if (!S_ISREG(info.st_mode)) return ChangedError(path);
  return fd;
}

FileHasher::FileHasher(int root_fd, int threads) : root_fd_(root_fd) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

FileHasher::~FileHasher() {
  {
    MutexLock lock(mutex_);
    queue_.clear();
    closed_ = true;
  }
  changed_.SignalAll();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void FileHasher::Add(ContextEntry& entry) {
  {
    MutexLock lock(mutex_);
    while (queue_.size() >= kMaxQueued && status_.ok()) changed_.Wait(mutex_);
    if (!status_.ok()) return;
    queue_.push_back(&entry);
  }
  changed_.SignalAll();
}

bool FileHasher::failed() const {
  MutexLock lock(mutex_);
  return !status_.ok();
}

absl::Status FileHasher::Finish() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  changed_.SignalAll();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  MutexLock lock(mutex_);
  return status_;
}

void FileHasher::Work() {
  const auto buffer = std::make_unique<char[]>(kStreamChunkBytes);
  for (;;) {
    ContextEntry* entry = nullptr;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !closed_) changed_.Wait(mutex_);
      if (queue_.empty()) return;
      entry = queue_.front();
      queue_.pop_front();
    }
    const absl::Status status = HashOne(*entry, buffer.get());
    {
      MutexLock lock(mutex_);
      if (!status.ok()) {
        if (status_.ok()) status_ = status;
        queue_.clear();
      }
    }
    changed_.SignalAll();
  }
}

absl::Status FileHasher::HashOne(ContextEntry& entry, char* buffer) {
  struct stat info;
  STRATA_ASSIGN_OR_RETURN(const UniqueFd fd, OpenContextFile(root_fd_, entry.path, info));
  Hasher hasher;
  FdSource source(fd.get());
  for (;;) {
    auto size = source.Read(buffer, kStreamChunkBytes);
    if (!size.ok()) return Annotate(size.status(), absl::StrCat("reading \"", absl::CHexEscape(entry.path), "\""));
    if (*size == 0) break;
    hasher.Update(absl::string_view(buffer, *size));
  }
  struct stat after;
  if (::fstat(fd.get(), &after) != 0 || MtimeNs(after) != MtimeNs(info) ||
      hasher.bytes_hashed() != static_cast<uint64_t>(info.st_size)) {
    return ChangedError(entry.path);
  }
  entry.size_bytes = info.st_size;
  entry.mtime_ns = MtimeNs(info);
  entry.digest = hasher.Finish();
  return absl::OkStatus();
}

}  // namespace strata::cli
