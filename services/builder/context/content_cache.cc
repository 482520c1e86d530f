#include "services/builder/context/content_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"

namespace strata::context {

namespace {

namespace stdfs = std::filesystem;

constexpr char kIncoming[] = "incoming";

}  // namespace

ContentCache::Incoming::Incoming(ContentCache& cache, Digest digest, int64_t size_bytes, UniqueFd fd, std::string path)
    : cache_(cache),
      digest_(std::move(digest)),
      size_bytes_(size_bytes),
      fd_(std::move(fd)),
      path_(std::move(path)),
      hasher_(digest_.algorithm()) {}

ContentCache::Incoming::~Incoming() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

absl::Status ContentCache::Incoming::Append(absl::string_view data) {
  if (static_cast<int64_t>(hasher_.bytes_hashed() + data.size()) > size_bytes_) {
    return absl::ResourceExhaustedError(absl::StrCat("more than the announced ", size_bytes_, " bytes came"));
  }
  hasher_.Update(data);
  return Annotate(WriteFully(fd_.get(), data), "keeping a file of the context");
}

absl::Status ContentCache::Incoming::Commit() {
  if (static_cast<int64_t>(hasher_.bytes_hashed()) != size_bytes_ || hasher_.Finish() != digest_) {
    return absl::InvalidArgumentError(absl::StrCat("the file changed while it was sent (", hasher_.bytes_hashed(), " of ",
                                                   size_bytes_, " bytes, or other content); build again"));
  }
  const std::string target = cache_.PathOf(digest_);
  if (::rename(path_.c_str(), target.c_str()) != 0) return ErrnoStatus(errno, "keeping a file of the context");
  path_.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ContentCache>> ContentCache::Open(const std::string& root, int64_t max_bytes) {
  std::error_code error;
  stdfs::remove_all(absl::StrCat(root, "/", kIncoming), error);
  stdfs::create_directories(absl::StrCat(root, "/", kIncoming), error);
  for (int i = 0; i < 256 && !error; ++i) {
    char name[4];
    std::snprintf(name, sizeof(name), "%02x", i);
    stdfs::create_directories(absl::StrCat(root, "/", name), error);
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("creating the context cache ", root));
  return std::unique_ptr<ContentCache>(new ContentCache(root, max_bytes));
}

std::string ContentCache::PathOf(const Digest& digest) const {
  return absl::StrCat(root_, "/", digest.hex().substr(0, 2), "/", digest.hex());
}

bool ContentCache::Has(const Digest& digest) const { return ::access(PathOf(digest).c_str(), R_OK) == 0; }

absl::StatusOr<UniqueFd> ContentCache::OpenFile(const Digest& digest) const {
  UniqueFd fd(::open(PathOf(digest).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("opening context file ", digest.ToString()));
  // The time of last use is the file's own access time; the mount may not keep it by itself (relatime, noatime).
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_NOW}, {.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
  ::futimens(fd.get(), times);
  return fd;
}

absl::StatusOr<std::unique_ptr<ContentCache::Incoming>> ContentCache::Begin(const Digest& digest, int64_t size_bytes) {
  std::string path = absl::StrCat(root_, "/", kIncoming, "/f.XXXXXX");
  UniqueFd fd(::mkostemp(path.data(), O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, "keeping a file of the context");
  return std::unique_ptr<Incoming>(new Incoming(*this, digest, size_bytes, std::move(fd), std::move(path)));
}

absl::Status ContentCache::Trim() {
  struct File {
    int64_t last_use;
    int64_t size_bytes;
    std::string path;
  };
  std::vector<File> files;
  int64_t total = 0;
  std::error_code error;
  for (auto it = stdfs::recursive_directory_iterator(root_, error); !error && it != stdfs::recursive_directory_iterator();
       it.increment(error)) {
    struct stat info;
    if (::lstat(it->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (it->path().parent_path().filename() == kIncoming) continue;
    total += info.st_blocks * 512;
    files.push_back({info.st_atim.tv_sec * 1'000'000'000 + info.st_atim.tv_nsec, info.st_blocks * 512, it->path().string()});
  }
  if (error) return ErrnoStatus(error.value(), "listing the context cache");
  if (total <= max_bytes_) return absl::OkStatus();
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.last_use < b.last_use; });
  for (const File& file : files) {
    if (total <= max_bytes_) break;
    if (::unlink(file.path.c_str()) == 0) total -= file.size_bytes;
  }
  return absl::OkStatus();
}

}  // namespace strata::context
