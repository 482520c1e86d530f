// The tree of a file system that knows what of it is on the disk. No FUSE here: fuse_server.h translates.
//
// Every change is visible at once and durable later:
//
//   bytes and size of a file     by SyncFile() of that file (fsync, fdatasync, O_SYNC, msync)
//   create, mkdir, link, unlink, rmdir, rename
//     Rules::kStrict             by SyncDirectory() of a directory that the operation changed. Syncing a new file does not make its
//                                name durable. At a power cut each operation on its own may be there or not.
//     Rules::kExt4               by any sync of anything, as one journal commits for all. At a power cut a prefix survives.
//
// Under both a rename is atomic, also across directories: afterwards the old name or the new one, never both or neither. An
// operation survives only together with the earlier ones on the same name or the same file, as in every file system that orders
// its metadata. Owner, mode and times are durable at once: nothing of ours depends on them.
//
// PowerCut() decides what survived and leaves the volume off: every call fails with EIO until PowerOn(). Nodes have new ids
// afterwards, so that handles of programs that ran before stay dead.
//
// Calls return 0 or an errno value. Thread-safe; nothing blocks.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "tests/crash/lossfs/file_image.h"

namespace strata::lossfs {

using NodeId = uint64_t;
inline constexpr NodeId kRoot = 1;

enum class Rules { kStrict, kExt4 };

struct VolumeFigures {
  uint64_t changes = 0;   // writes, truncations, operations on names
  uint64_t syncs = 0;
  uint64_t power_cuts = 0;
  uint64_t used_bytes = 0;
  uint64_t total_bytes = 0;
};

class Volume {
 public:
  // Holds at most `total_bytes` of file contents; memory use is up to three times that.
  Volume(Rules rules, uint64_t total_bytes);

  // Names. What finds or makes a node counts as one lookup of it; Forget() takes lookups back.
  int Lookup(NodeId parent, const std::string& name, struct stat* out);
  int MakeFile(NodeId parent, const std::string& name, mode_t mode, struct stat* out);
  int MakeDirectory(NodeId parent, const std::string& name, mode_t mode, struct stat* out);
  int Link(NodeId node, NodeId parent, const std::string& name, struct stat* out);
  int Unlink(NodeId parent, const std::string& name);
  int RemoveDirectory(NodeId parent, const std::string& name);
  int Rename(NodeId parent, const std::string& name, NodeId new_parent, const std::string& new_name, bool no_replace);
  int List(NodeId directory, std::vector<std::pair<std::string, struct stat>>* out);
  void Forget(NodeId node, uint64_t lookups);

  // Files.
  int Stat(NodeId node, struct stat* out);
  int SetMode(NodeId node, mode_t mode);
  int Read(NodeId node, uint64_t offset, uint64_t size, std::string* out);
  // ENOSPC: no room. `is_sync`: the file was opened O_SYNC or O_DSYNC.
  int Write(NodeId node, uint64_t offset, absl::string_view data, bool is_sync);
  int Truncate(NodeId node, uint64_t size);
  int Zero(NodeId node, uint64_t offset, uint64_t size, bool keep_size);  // fallocate

  int SyncFile(NodeId node);
  int SyncDirectory(NodeId directory);

  // Faults.
  void PowerCut(uint64_t seed);
  // PowerCut() by itself when that many more changes or syncs have begun; the last one is not done any more. 0 disarms.
  void PowerCutAfter(uint64_t events, uint64_t seed);
  void PowerOn();
  bool is_on() const;
  // The `count`th sync from now fails with EIO and what it should have saved is lost for good. 0: none.
  void FailSync(uint64_t count);
  void SetTotalBytes(uint64_t total_bytes);
  VolumeFigures Figures() const;

 private:
  struct Node {
    NodeId id = 0;
    bool is_directory = false;
    mode_t mode = 0;
    uint64_t lookups = 0;
    uint64_t links = 0;  // as a running program counts them
    absl::Time changed;
    FileImage file;
    std::map<std::string, NodeId> entries;
    std::map<std::string, NodeId> durable_entries;
  };
  // What an operation does to names: each of them then names a node, or nothing (0). All of it happens, or nothing.
  struct NameChange {
    struct Set {
      NodeId directory;
      std::string name;
      NodeId node;
    };
    std::vector<Set> sets;
    NodeId subject = 0;  // the node that was created, linked, unlinked or renamed
  };

  // Most take the lock's holder for granted: the lock is taken by the public calls.
  int Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);        // EIO when the power is off
  int BeginChange() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);  // the same, and counts towards PowerCutAfter()
  Node* Find(NodeId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Node* FindDirectory(NodeId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Node* FindEntry(Node& directory, const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Node& NewNode(bool is_directory, mode_t mode) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int Make(NodeId parent, const std::string& name, bool is_directory, mode_t mode, struct stat* out);
  void Apply(NameChange change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FillStat(const Node& node, struct stat* out) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int Reserve(const Node& node, uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool SyncFails() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the marked changes durable, with every earlier one that they depend on.
  void Commit(std::vector<bool> marked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CommitJournal() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Cut(uint64_t seed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<bool> ChooseSurvivors(Random& random) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RebuildFromDisk() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SweepNodes() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Rules rules_;
  mutable Mutex mutex_;
  std::map<NodeId, Node> nodes_ ABSL_GUARDED_BY(mutex_);
  std::deque<NameChange> journal_ ABSL_GUARDED_BY(mutex_);  // not durable yet, in order
  NodeId next_id_ ABSL_GUARDED_BY(mutex_) = kRoot;
  bool is_on_ ABSL_GUARDED_BY(mutex_) = true;
  uint64_t events_to_cut_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t armed_seed_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t syncs_to_failure_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t removals_ ABSL_GUARDED_BY(mutex_) = 0;  // since the last sweep
  VolumeFigures figures_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::lossfs
