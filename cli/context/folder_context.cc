#include "cli/context/folder_context.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/context/file_hasher.h"
#include "lib/base/status.h"
#include "lib/fs/beneath.h"
#include "lib/fs/dir.h"
#include "lib/fs/tree_walk.h"
#include "lib/fs/xattr.h"

namespace strata::cli {
namespace {

int HashThreads() { return std::clamp<int>(static_cast<int>(std::thread::hardware_concurrency()), 2, 8); }

// The content of one file, checked against its listing at both ends.
class ContextFileSource final : public ByteSource {
 public:
  ContextFileSource(UniqueFd fd, const ContextEntry& entry) : fd_(std::move(fd)), source_(fd_.get()), path_(entry.path),
        size_bytes_(entry.size_bytes), mtime_ns_(entry.mtime_ns) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    STRATA_ASSIGN_OR_RETURN(const size_t got, source_.Read(buffer, size));
    read_bytes_ += static_cast<int64_t>(got);
    if (read_bytes_ > size_bytes_) return ChangedError(path_);
    if (got != 0) return got;
    struct stat info;
    if (::fstat(fd_.get(), &info) != 0 || read_bytes_ != size_bytes_ || MtimeNs(info) != mtime_ns_) return ChangedError(path_);
    return 0;
  }

 private:
  const UniqueFd fd_;
  FdSource source_;
  const std::string path_;
  const int64_t size_bytes_;
  const int64_t mtime_ns_;
  int64_t read_bytes_ = 0;
};

absl::Status AddXattrs(const fs::WalkEntry& at, ContextEntry& entry) {
  STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs::ListXattrsAt(at.parent_fd, at.name));
  for (const std::string& name : names) {
    if (!IsContextXattr(name)) continue;
    STRATA_ASSIGN_OR_RETURN(auto value, fs::GetXattrAt(at.parent_fd, at.name, name));
    if (value.has_value()) entry.xattrs[name] = *std::move(value);
  }
  return absl::OkStatus();
}

absl::StatusOr<ContextEntry> Describe(const fs::WalkEntry& at) {
  ContextEntry entry;
  entry.path = at.path;
  entry.mode = at.stat.st_mode;
  entry.mtime_ns = MtimeNs(at.stat);
  if (S_ISLNK(at.stat.st_mode)) {
    STRATA_ASSIGN_OR_RETURN(entry.link_target, fs::ReadLinkAt(at.parent_fd, at.name));
  } else if (S_ISCHR(at.stat.st_mode) || S_ISBLK(at.stat.st_mode)) {
    entry.device_major = major(at.stat.st_rdev);
    entry.device_minor = minor(at.stat.st_rdev);
  }
  STRATA_RETURN_IF_ERROR(AddXattrs(at, entry));
  return entry;
}

// What one walk has found so far. Folders above something taken are added with it, not before.
class Listing {
 public:
  explicit Listing(int root_fd) : hasher_(root_fd, HashThreads()) {}

  absl::StatusOr<fs::WalkAction> Visit(const CallContext& call, const ContextFilter& filter, const fs::WalkEntry& at) {
    STRATA_RETURN_IF_ERROR(call.Check());
    if (hasher_.failed() || S_ISSOCK(at.stat.st_mode)) return fs::WalkAction::kSkipSubtree;
    const Verdict verdict = filter.Judge(at.path, S_ISDIR(at.stat.st_mode));
    if (verdict == Verdict::kSkip) return fs::WalkAction::kSkipSubtree;
    while (!passing_.empty() && !absl::StartsWith(at.path, absl::StrCat(passing_.back().path, "/"))) passing_.pop_back();
    auto entry = Describe(at);
    if (!entry.ok()) return Annotate(entry.status(), absl::StrCat("context entry \"", absl::CHexEscape(at.path), "\""));
    if (verdict == Verdict::kPassing) {
      passing_.push_back(*std::move(entry));
      return fs::WalkAction::kContinue;
    }
    for (ContextEntry& folder : passing_) entries_.push_back(std::move(folder));
    passing_.clear();
    entries_.push_back(*std::move(entry));
    if (S_ISREG(at.stat.st_mode)) hasher_.Add(entries_.back());
    return fs::WalkAction::kContinue;
  }

  absl::StatusOr<std::vector<ContextEntry>> Finish() {
    STRATA_RETURN_IF_ERROR(hasher_.Finish());
    std::vector<ContextEntry> sorted(std::make_move_iterator(entries_.begin()), std::make_move_iterator(entries_.end()));
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return sorted;
  }

 private:
  std::vector<ContextEntry> passing_;  // folders on the way to where the walk stands, none of them added yet
  std::deque<ContextEntry> entries_;   // never moves what it holds: the hasher writes there
  FileHasher hasher_;
};

}  // namespace

bool IsContextXattr(absl::string_view name) { return absl::StartsWith(name, "user.") || name == "security.capability"; }

absl::StatusOr<std::unique_ptr<FolderContext>> FolderContext::Open(const std::string& path) {
  UniqueFd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root.is_valid()) return std::unique_ptr<FolderContext>(new FolderContext(std::move(root)));
  if (errno == ENOENT) return absl::NotFoundError(absl::StrCat("build context \"", path, "\": no such folder"));
  if (errno == ENOTDIR) {
    return absl::InvalidArgumentError(
        absl::StrCat("build context \"", path, "\" is not a folder; to build from a tar or a Dockerfile alone, give - and send it on standard input"));
  }
  return ErrnoStatus(errno, absl::StrCat("opening build context \"", path, "\""));
}

absl::StatusOr<std::unique_ptr<FolderContext>> FolderContext::OpenBelow(const std::string& path, absl::string_view subdir) {
  STRATA_ASSIGN_OR_RETURN(const auto outer, Open(path));
  STRATA_ASSIGN_OR_RETURN(UniqueFd root, fs::OpenInRoot(outer->root_.get(), subdir, O_RDONLY | O_DIRECTORY));
  return std::unique_ptr<FolderContext>(new FolderContext(std::move(root)));
}

absl::StatusOr<std::vector<ContextEntry>> FolderContext::List(const CallContext& call, const ContextFilter& filter) {
  Listing listing(root_.get());
  STRATA_RETURN_IF_ERROR(fs::WalkTree(root_.get(), [&](const fs::WalkEntry& at) { return listing.Visit(call, filter, at); }));
  return listing.Finish();
}

absl::StatusOr<std::unique_ptr<ByteSource>> FolderContext::Open(const ContextEntry& entry) {
  struct stat info;
  STRATA_ASSIGN_OR_RETURN(UniqueFd fd, OpenContextFile(root_.get(), entry.path, info));
  if (info.st_size != entry.size_bytes || MtimeNs(info) != entry.mtime_ns) return ChangedError(entry.path);
  return std::make_unique<ContextFileSource>(std::move(fd), entry);
}

absl::StatusOr<std::optional<std::string>> FolderContext::ReadFile(absl::string_view path, size_t limit_bytes) {
  auto fd = fs::OpenInRoot(root_.get(), path, O_RDONLY | O_NONBLOCK);
  if (absl::IsNotFound(fd.status()) || absl::IsFailedPrecondition(fd.status())) return std::nullopt;
  if (!fd.ok()) return fd.status();
  FdSource source(fd->get());
  auto text = ReadAll(source, limit_bytes);
  if (!text.ok()) return Annotate(text.status(), absl::StrCat("reading \"", path, "\""));
  return *std::move(text);
}

std::optional<std::string> FolderContext::LinkTarget(absl::string_view path) {
  const size_t slash = path.rfind('/');
  const absl::string_view folder = slash == absl::string_view::npos ? absl::string_view() : path.substr(0, slash);
  const absl::string_view name = slash == absl::string_view::npos ? path : path.substr(slash + 1);
  const auto parent = fs::OpenBeneath(root_.get(), folder, O_PATH | O_DIRECTORY, 0, /*follow_symlinks=*/false);
  if (!parent.ok()) return std::nullopt;
  auto target = fs::ReadLinkAt(parent->get(), name);
  if (!target.ok()) return std::nullopt;
  return *std::move(target);
}

std::vector<std::string> FolderContext::FolderNames(absl::string_view path) {
  const auto folder = fs::OpenBeneath(root_.get(), path, O_RDONLY | O_DIRECTORY, 0, /*follow_symlinks=*/false);
  if (!folder.ok()) return {};
  const auto entries = fs::ListDirectory(folder->get());
  std::vector<std::string> names;
  for (const fs::DirEntry& entry : entries.value_or(std::vector<fs::DirEntry>())) names.push_back(entry.name);
  return names;
}

}  // namespace strata::cli
