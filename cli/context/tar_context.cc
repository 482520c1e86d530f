#include "cli/context/tar_context.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/context/temp_dir.h"
#include "lib/base/status.h"
#include "lib/compress/decompressing_source.h"
#include "lib/digest/hasher.h"
#include "lib/fs/beneath.h"
#include "lib/tar/reader.h"

namespace strata::cli {
namespace {

constexpr size_t kMaxEntries = 1'000'000;
constexpr size_t kBlockBytes = 512;

// A stretch of the temporary file.
class SpoolSource final : public ByteSource {
 public:
  SpoolSource(int fd, int64_t offset, int64_t size_bytes) : fd_(fd), offset_(offset), left_(size_bytes) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    const size_t want = std::min<size_t>(size, static_cast<size_t>(left_));
    if (want == 0) return 0;
    ssize_t got;
    do {
      got = ::pread(fd_, buffer, want, offset_);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return ErrnoStatus(errno, "reading the spooled context");
    if (got == 0) return absl::DataLossError("the spooled context is shorter than it was");
    offset_ += got;
    left_ -= got;
    return static_cast<size_t>(got);
  }

 private:
  const int fd_;
  int64_t offset_;
  int64_t left_;
};

uint32_t TypeBits(tar::EntryType type) {
  switch (type) {
    case tar::EntryType::kFile:
    case tar::EntryType::kHardLink:
      return S_IFREG;
    case tar::EntryType::kSymlink:
      return S_IFLNK;
    case tar::EntryType::kCharDevice:
      return S_IFCHR;
    case tar::EntryType::kBlockDevice:
      return S_IFBLK;
    case tar::EntryType::kDirectory:
      return S_IFDIR;
    case tar::EntryType::kFifo:
      return S_IFIFO;
  }
  return S_IFREG;
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string Quote(absl::string_view path) { return absl::StrCat("\"", absl::CHexEscape(path.substr(0, 300)), "\""); }

}  // namespace

bool LooksLikeTar(absl::string_view head) {
  if (head.size() < kBlockBytes) return false;
  // Every dialect sums the bytes of the header with the sum's own field taken as blanks.
  unsigned sum = 0;
  for (size_t i = 0; i < kBlockBytes; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(head[i]);
  unsigned written = 0;
  size_t i = 148;
  while (i < 156 && head[i] == ' ') ++i;
  for (; i < 156 && head[i] >= '0' && head[i] <= '7'; ++i) written = written * 8 + static_cast<unsigned>(head[i] - '0');
  if (written == sum) return true;
  // An empty archive is nothing but zeros.
  return std::all_of(head.begin(), head.begin() + kBlockBytes, [](char c) { return c == '\0'; });
}

absl::StatusOr<std::unique_ptr<TarContext>> TarContext::Read(const CallContext& call, ByteSource& source,
                                                             const std::string& temp_base) {
  STRATA_ASSIGN_OR_RETURN(UniqueFd spool, CreateTempFile(temp_base));
  std::unique_ptr<TarContext> context(new TarContext(std::move(spool)));
  STRATA_ASSIGN_OR_RETURN(const auto plain, compress::DecompressingSource::Open(source));
  tar::Reader reader(*plain);
  for (;;) {
    STRATA_RETURN_IF_ERROR(call.Check());
    STRATA_ASSIGN_OR_RETURN(const auto header, reader.Next());
    if (!header.has_value()) break;
    STRATA_RETURN_IF_ERROR(context->Add(*header, reader.content()));
  }
  STRATA_RETURN_IF_ERROR(reader.DrainSource());
  return context;
}

absl::Status TarContext::Add(const tar::Entry& header, ByteSource& content) {
  const std::string path = fs::CleanPath(header.name);
  if (path.empty()) return absl::OkStatus();
  if (members_.size() >= kMaxEntries) {
    return absl::ResourceExhaustedError(absl::StrCat("the tar has more than ", kMaxEntries, " entries"));
  }
  STRATA_RETURN_IF_ERROR(AddParents(path));
  if (header.type == tar::EntryType::kHardLink) return AddHardLink(path, header);
  Member member;
  member.entry.path = path;
  member.entry.mode = TypeBits(header.type) | header.mode;
  member.entry.mtime_ns = absl::ToUnixNanos(header.mtime);
  member.entry.device_major = header.dev_major;
  member.entry.device_minor = header.dev_minor;
  for (const auto& [name, value] : header.xattrs) {
    if (IsContextXattr(name)) member.entry.xattrs[name] = value;
  }
  if (header.type == tar::EntryType::kSymlink) member.entry.link_target = header.link_name;
  if (header.type == tar::EntryType::kFile) STRATA_RETURN_IF_ERROR(Spool(content, member));
  const auto existing = members_.find(path);
  if (existing != members_.end() && S_ISDIR(existing->second.entry.mode) && header.type != tar::EntryType::kDirectory) {
    const auto below = members_.lower_bound(absl::StrCat(path, "/"));
    if (below != members_.end() && absl::StartsWith(below->first, absl::StrCat(path, "/"))) {
      return absl::InvalidArgumentError(absl::StrCat("tar entry ", Quote(path), " takes the place of a folder that is not empty"));
    }
  }
  members_.insert_or_assign(path, std::move(member));
  return absl::OkStatus();
}

absl::Status TarContext::AddParents(const std::string& path) {
  for (std::string parent = ParentOf(path); !parent.empty(); parent = ParentOf(parent)) {
    const auto found = members_.find(parent);
    if (found != members_.end()) {
      if (S_ISDIR(found->second.entry.mode)) return absl::OkStatus();
      return absl::InvalidArgumentError(
          absl::StrCat("tar entry ", Quote(path), " lies below ", Quote(parent), ", which is not a folder"));
    }
    Member folder;
    folder.entry.path = parent;
    folder.entry.mode = S_IFDIR | 0755;
    members_.emplace(parent, std::move(folder));
  }
  return absl::OkStatus();
}

absl::Status TarContext::AddHardLink(const std::string& path, const tar::Entry& header) {
  const auto target = members_.find(fs::CleanPath(header.link_name));
  if (target == members_.end() || S_ISDIR(target->second.entry.mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("tar entry ", Quote(path), " is a hard link to ", Quote(header.link_name), ", which is not in the tar before it"));
  }
  Member member = target->second;
  member.entry.path = path;
  members_.insert_or_assign(path, std::move(member));
  return absl::OkStatus();
}

absl::Status TarContext::Spool(ByteSource& content, Member& member) {
  const auto buffer = std::make_unique<char[]>(kStreamChunkBytes);
  Hasher hasher;
  member.offset = spooled_bytes_;
  for (;;) {
    STRATA_ASSIGN_OR_RETURN(const size_t got, content.Read(buffer.get(), kStreamChunkBytes));
    if (got == 0) break;
    const absl::string_view data(buffer.get(), got);
    hasher.Update(data);
    STRATA_RETURN_IF_ERROR(Annotate(WriteFully(spool_.get(), data), "keeping the context in a temporary file"));
    spooled_bytes_ += static_cast<int64_t>(got);
  }
  member.entry.size_bytes = static_cast<int64_t>(hasher.bytes_hashed());
  member.entry.digest = hasher.Finish();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ContextEntry>> TarContext::List(const CallContext& call, const ContextFilter& filter) {
  STRATA_RETURN_IF_ERROR(call.Check());
  std::vector<ContextEntry> entries;
  std::vector<const ContextEntry*> passing;
  // Folders come before what is in them, although "a-b" comes between "a" and "a/b".
  for (const auto& [path, member] : members_) {
    const Verdict verdict = filter.Judge(path, S_ISDIR(member.entry.mode));
    if (verdict == Verdict::kSkip) continue;
    if (verdict == Verdict::kPassing) {
      passing.push_back(&member.entry);
      continue;
    }
    std::erase_if(passing, [&](const ContextEntry* folder) {
      if (!absl::StartsWith(path, absl::StrCat(folder->path, "/"))) return false;
      entries.push_back(*folder);
      return true;
    });
    entries.push_back(member.entry);
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return entries;
}

absl::StatusOr<std::unique_ptr<ByteSource>> TarContext::Open(const ContextEntry& entry) {
  const auto found = members_.find(entry.path);
  if (found == members_.end()) return absl::NotFoundError(absl::StrCat(Quote(entry.path), " is not in the tar"));
  return std::make_unique<SpoolSource>(spool_.get(), found->second.offset, found->second.entry.size_bytes);
}

absl::StatusOr<std::optional<std::string>> TarContext::ReadFile(absl::string_view path, size_t limit_bytes) {
  std::string at = fs::CleanPath(path);
  for (int links = 0; links < 40; ++links) {
    const auto found = members_.find(at);
    if (found == members_.end()) return std::nullopt;
    const ContextEntry& entry = found->second.entry;
    if (S_ISLNK(entry.mode)) {
      const bool rooted = absl::StartsWith(entry.link_target, "/");
      at = fs::CleanPath(rooted ? entry.link_target : absl::StrCat(ParentOf(at), "/", entry.link_target));
      continue;
    }
    if (!S_ISREG(entry.mode)) return std::nullopt;
    SpoolSource source(spool_.get(), found->second.offset, entry.size_bytes);
    auto text = ReadAll(source, limit_bytes);
    if (!text.ok()) return Annotate(text.status(), absl::StrCat("reading ", Quote(path), " of the tar"));
    return *std::move(text);
  }
  return absl::InvalidArgumentError(absl::StrCat(Quote(path), ": links form a loop"));
}

std::optional<std::string> TarContext::LinkTarget(absl::string_view path) {
  const auto found = members_.find(std::string(path));
  if (found == members_.end() || !S_ISLNK(found->second.entry.mode)) return std::nullopt;
  return found->second.entry.link_target;
}

std::vector<std::string> TarContext::FolderNames(absl::string_view path) {
  const std::string prefix = path.empty() ? "" : absl::StrCat(path, "/");
  std::vector<std::string> names;
  for (auto it = members_.lower_bound(prefix); it != members_.end() && absl::StartsWith(it->first, prefix); ++it) {
    const std::string name = it->first.substr(prefix.size());
    if (!name.empty() && name.find('/') == std::string::npos) names.push_back(name);
  }
  return names;
}

}  // namespace strata::cli
