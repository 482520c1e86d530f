#include "services/store/backup/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/fs/dir.h"
#include "services/store/backup/extent_copier.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/rocks_key_value.h"

namespace strata::store {

namespace {

constexpr char kMaking[] = ".making";
constexpr size_t kMaxNameBytes = 64;
constexpr int kMaxKeep = 1000;
constexpr int64_t kExtentsAReport = 500;

bool IsNameChar(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-'; }

// Begins with "2" and holds a "T" where a time does; nothing else in the folder is ours.
bool IsCopyName(const std::string& name) {
  return name.size() == 20 && name[8] == 'T' && name[19] == 'Z' && std::all_of(name.begin(), name.begin() + 8, absl::ascii_isdigit);
}

absl::StatusOr<std::string> CheckName(absl::string_view name, const std::string& folder) {
  absl::string_view base = name;
  if (absl::ConsumePrefix(&base, absl::StrCat(folder, "/"))) {
    while (absl::ConsumePrefix(&base, "/") || absl::ConsumeSuffix(&base, "/")) continue;
  }
  const bool is_good = !base.empty() && base.size() <= kMaxNameBytes && base.front() != '.' && std::all_of(base.begin(), base.end(), IsNameChar);
  if (is_good) return std::string(base);
  return absl::InvalidArgumentError(absl::StrCat("a backup cannot be called \"", absl::CHexEscape(name.substr(0, 100)),
                                                 "\": want 1 to 64 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"; it becomes a folder in the store's --backup-dir"));
}

absl::Status MakeFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoStatus(errno, "make the backup's folder");
}

absl::Status SyncFolder(const std::string& path) {
  STRATA_ASSIGN_OR_RETURN(const UniqueFd fd, fs::OpenDirectory(path));
  return fs::SyncDirectory(fd.get());
}

// The inverse of TimeName.
absl::Time TimeOf(const std::string& name) {
  const auto part = [&name](size_t at, size_t size) { return name.substr(at, size); };
  const std::string text = absl::StrCat(part(0, 4), "-", part(4, 2), "-", part(6, 2), "T", part(9, 2), ":", part(11, 2), ":", part(13, 6));
  absl::Time time = absl::InfinitePast();
  absl::ParseTime("%Y-%m-%dT%H:%M:%E*S", text, absl::UTCTimeZone(), &time, nullptr);
  return time;
}

std::string TimeName(absl::Time now) { return absl::FormatTime("%Y%m%dT%H%M%E3SZ", now, absl::UTCTimeZone()); }

// Complete copies, oldest first.
absl::StatusOr<std::vector<std::string>> ListCopies(const std::string& home) {
  STRATA_ASSIGN_OR_RETURN(const UniqueFd fd, fs::OpenDirectory(home));
  STRATA_ASSIGN_OR_RETURN(const std::vector<fs::DirEntry> entries, fs::ListDirectory(fd.get()));
  std::vector<std::string> copies;
  for (const fs::DirEntry& entry : entries) {
    if (IsCopyName(entry.name)) copies.push_back(entry.name);
  }
  return copies;
}

struct Wanted {
  uint64_t id = 0;
  uint64_t size_bytes = 0;
};

// The extents that a checkpoint names. Those of damaged blobs too: they may be all there is.
absl::StatusOr<std::vector<Wanted>> ListWanted(const std::string& meta) {
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Reader> facts, OpenRocksReader(meta));
  std::vector<Wanted> wanted;
  const std::unique_ptr<Cursor> cursor = facts->Scan(Table::kFacts, keys::Blobs());
  for (; cursor->valid(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(cursor->value()));
    if (row.layout == Layout::kExtent) wanted.push_back({row.id, row.size_bytes});
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  // In order of the folders.
  std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) {
    return std::make_pair(a.id & 0xff, a.id) < std::make_pair(b.id & 0xff, b.id);
  });
  return wanted;
}

class Hold {
 public:
  explicit Hold(const Core& core) : core_(core) { core_.removal_hold.Begin(); }
  ~Hold() {
    // What cannot be removed now keeps its mark, and goes when the store starts.
    for (const uint64_t id : core_.removal_hold.End()) RemoveDoomedExtent(core_, id).IgnoreError();
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  const Core& core_;
};

// Says that one runs, until it is destroyed.
class Running {
 public:
  Running(Mutex& mutex, bool& flag) : mutex_(mutex), flag_(flag) {}
  ~Running() {
    MutexLock lock(mutex_);
    flag_ = false;
  }

 private:
  Mutex& mutex_;
  bool& flag_;
};

absl::Status CopyExtents(const CallContext& context, const std::vector<Wanted>& wanted, ExtentCopier& copier, BackupProgress& progress,
                         const OnBackupProgress& on_progress) {
  progress.stage = "extents";
  progress.total_extents = static_cast<int64_t>(wanted.size());
  for (const Wanted& extent : wanted) progress.total_bytes += static_cast<int64_t>(extent.size_bytes);
  for (const Wanted& extent : wanted) {
    if (progress.extents % kExtentsAReport == 0) {
      STRATA_RETURN_IF_ERROR(context.Check());
      STRATA_RETURN_IF_ERROR(on_progress(progress));
    }
    const int64_t before = copier.bytes_copied();
    STRATA_RETURN_IF_ERROR(copier.Copy(context, extent.id, extent.size_bytes));
    progress.extents += 1;
    progress.bytes += static_cast<int64_t>(extent.size_bytes);
    // What was copied took its time.
    if (copier.bytes_copied() - before > 64 << 20) STRATA_RETURN_IF_ERROR(on_progress(progress));
  }
  return copier.Sync();
}

}  // namespace

absl::StatusOr<BackupSummary> Backups::Make(const CallContext& context, absl::string_view name, int keep,
                                            const OnBackupProgress& on_progress) {
  if (folder_.empty()) {
    return absl::FailedPreconditionError("the store has no folder for backups; start it with --backup-dir FOLDER");
  }
  if (keep < 1 || keep > kMaxKeep) return absl::InvalidArgumentError(absl::StrCat("keeping ", keep, " backups; want 1 to ", kMaxKeep));
  STRATA_ASSIGN_OR_RETURN(const std::string base, CheckName(name, folder_));
  {
    MutexLock lock(mutex_);
    if (is_running_) return absl::AbortedError("another backup of this store runs; try again when it has ended");
    is_running_ = true;
  }
  const Running running(mutex_, is_running_);
  STRATA_RETURN_IF_ERROR(MakeFolder(folder_));
  const std::string home = absl::StrCat(folder_, "/", base);
  STRATA_RETURN_IF_ERROR(MakeFolder(home));
  STRATA_RETURN_IF_ERROR(SyncFolder(folder_));
  absl::StatusOr<BackupSummary> summary = MakeIn(context, home, keep, on_progress);
  if (!summary.ok()) {
    // Give the disk back at once; what cannot be removed now, the next backup removes.
    const absl::StatusOr<UniqueFd> fd = fs::OpenDirectory(home);
    if (fd.ok()) fs::RemoveAllAt(fd->get(), kMaking).IgnoreError();
    if (absl::IsResourceExhausted(summary.status())) {
      return absl::ResourceExhaustedError(absl::StrCat("the disk of the backup is full; older backups are as they were; free space, or keep fewer with --keep (",
                                                       std::string(summary.status().message()), ")"));
    }
    return Annotate(summary.status(), absl::StrCat("backup \"", base, "\""));
  }
  MutexLock lock(mutex_);
  last_ = core_.clock.Now();
  return summary;
}

absl::StatusOr<BackupSummary> Backups::MakeIn(const CallContext& context, const std::string& home, int keep,
                                              const OnBackupProgress& on_progress) {
  STRATA_ASSIGN_OR_RETURN(const UniqueFd home_fd, fs::OpenDirectory(home));
  STRATA_RETURN_IF_ERROR(fs::RemoveAllAt(home_fd.get(), kMaking));
  STRATA_ASSIGN_OR_RETURN(std::vector<std::string> copies, ListCopies(home));
  const std::string making = absl::StrCat(home, "/", kMaking);
  STRATA_RETURN_IF_ERROR(MakeFolder(making));

  BackupProgress progress = {.stage = "facts"};
  STRATA_RETURN_IF_ERROR(on_progress(progress));
  BackupSummary summary;
  {
    const Hold hold(core_);
    STRATA_RETURN_IF_ERROR(core_.kv.Checkpoint(absl::StrCat(making, "/meta")));
    core_.AtCommitPoint("backup.checkpointed");
    STRATA_ASSIGN_OR_RETURN(const std::vector<Wanted> wanted, ListWanted(absl::StrCat(making, "/meta")));
    std::vector<std::string> sources;
    if (!copies.empty()) sources.push_back(absl::StrCat(home, "/", copies.back(), "/extents"));
    STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<ExtentCopier> copier,
                            ExtentCopier::Open(absl::StrCat(core_.options.data_dir, "/extents"), absl::StrCat(making, "/extents"), sources));
    STRATA_RETURN_IF_ERROR(CopyExtents(context, wanted, *copier, progress, on_progress));
    summary.extents = progress.extents;
    summary.extent_bytes = progress.bytes;
    summary.extents_linked = copier->linked();
    summary.bytes_copied = copier->bytes_copied();
  }
  progress.stage = "syncing";
  STRATA_RETURN_IF_ERROR(on_progress(progress));
  STRATA_RETURN_IF_ERROR(SyncTree(absl::StrCat(making, "/meta")));
  STRATA_RETURN_IF_ERROR(SyncFolder(making));
  core_.AtCommitPoint("backup.synced");
  // Never before the copy that is there, whatever the clock does.
  absl::Time now = core_.clock.Now();
  if (!copies.empty()) now = std::max(now, TimeOf(copies.back()) + absl::Milliseconds(1));
  const std::string name = TimeName(now);
  if (::renameat(home_fd.get(), kMaking, home_fd.get(), name.c_str()) != 0) return ErrnoStatus(errno, "rename the complete backup");
  STRATA_RETURN_IF_ERROR(fs::SyncDirectory(home_fd.get()));
  core_.AtCommitPoint("backup.complete");
  summary.path = absl::StrCat(home, "/", name);
  copies.push_back(name);

  progress.stage = "removing old";
  for (; copies.size() > static_cast<size_t>(keep); copies.erase(copies.begin())) {
    STRATA_RETURN_IF_ERROR(on_progress(progress));
    STRATA_RETURN_IF_ERROR(Annotate(fs::RemoveAllAt(home_fd.get(), copies.front()), absl::StrCat("the backup is complete; removing the old one ", copies.front())));
    ++summary.removed_backups;
  }
  return summary;
}

std::optional<absl::Time> Backups::last() const {
  MutexLock lock(mutex_);
  return last_;
}

absl::StatusOr<std::string> FindBackup(const std::string& path) {
  if (::access(absl::StrCat(path, "/meta/CURRENT").c_str(), F_OK) == 0) return path;
  const absl::StatusOr<std::vector<std::string>> copies = ListCopies(path);
  if (!copies.ok()) return Annotate(copies.status(), "looking for a backup");
  if (!copies->empty()) return absl::StrCat(path, "/", copies->back());
  return absl::NotFoundError(absl::StrCat("there is no complete backup in ", path, "; name the folder that strata store backup printed, or the one above"));
}

}  // namespace strata::store
