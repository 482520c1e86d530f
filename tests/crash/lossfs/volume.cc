#include "tests/crash/lossfs/volume.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "absl/time/clock.h"

namespace strata::lossfs {

namespace {

constexpr uint64_t kSweepEvery = 32;
constexpr size_t kMaxNameBytes = 255;

}  // namespace

Volume::Volume(Rules rules, uint64_t total_bytes) : rules_(rules) {
  MutexLock lock(mutex_);
  figures_.total_bytes = total_bytes;
  NewNode(/*is_directory=*/true, 0755).links = 2;
}

int Volume::Begin() { return is_on_ ? 0 : EIO; }

int Volume::BeginChange() {
  if (!is_on_) return EIO;
  if (events_to_cut_ > 0 && --events_to_cut_ == 0) {
    Cut(armed_seed_);
    return EIO;
  }
  ++figures_.changes;
  return 0;
}

Volume::Node* Volume::Find(NodeId id) {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second;
}

Volume::Node* Volume::FindDirectory(NodeId id) {
  Node* node = Find(id);
  return node != nullptr && node->is_directory ? node : nullptr;
}

Volume::Node* Volume::FindEntry(Node& directory, const std::string& name) {
  const auto found = directory.entries.find(name);
  return found == directory.entries.end() ? nullptr : Find(found->second);
}

Volume::Node& Volume::NewNode(bool is_directory, mode_t mode) {
  Node& node = nodes_[next_id_];
  node.id = next_id_++;
  node.is_directory = is_directory;
  node.mode = mode & 07777;
  node.changed = absl::Now();
  return node;
}

void Volume::FillStat(const Node& node, struct stat* out) const {
  *out = {};
  out->st_ino = node.id;
  out->st_mode = node.mode | (node.is_directory ? S_IFDIR : S_IFREG);
  out->st_nlink = node.links;
  out->st_uid = ::geteuid();
  out->st_gid = ::getegid();
  out->st_size = static_cast<off_t>(node.file.size_bytes());
  out->st_blksize = 4096;
  out->st_blocks = static_cast<blkcnt_t>((node.file.size_bytes() + 511) / 512);
  out->st_mtim = out->st_ctim = out->st_atim = absl::ToTimespec(node.changed);
}

int Volume::Lookup(NodeId parent, const std::string& name, struct stat* out) {
  MutexLock lock(mutex_);
  if (const int error = Begin()) return error;
  Node* directory = FindDirectory(parent);
  if (directory == nullptr) return EIO;
  Node* node = FindEntry(*directory, name);
  if (node == nullptr) return ENOENT;
  ++node->lookups;
  FillStat(*node, out);
  return 0;
}

int Volume::MakeFile(NodeId parent, const std::string& name, mode_t mode, struct stat* out) {
  return Make(parent, name, /*is_directory=*/false, mode, out);
}

int Volume::MakeDirectory(NodeId parent, const std::string& name, mode_t mode, struct stat* out) {
  return Make(parent, name, /*is_directory=*/true, mode, out);
}

int Volume::Make(NodeId parent, const std::string& name, bool is_directory, mode_t mode, struct stat* out) {
  MutexLock lock(mutex_);
  if (const int error = BeginChange()) return error;
  Node* directory = FindDirectory(parent);
  if (directory == nullptr) return EIO;
  if (name.size() > kMaxNameBytes) return ENAMETOOLONG;
  if (FindEntry(*directory, name) != nullptr) return EEXIST;
  Node& node = NewNode(is_directory, mode);
  node.links = is_directory ? 2 : 1;
  node.lookups = 1;
  Apply({.sets = {{parent, name, node.id}}, .subject = node.id});
  FillStat(node, out);
  return 0;
}

int Volume::Link(NodeId id, NodeId parent, const std::string& name, struct stat* out) {
  MutexLock lock(mutex_);
  if (const int error = BeginChange()) return error;
  Node* directory = FindDirectory(parent);
  Node* node = Find(id);
  if (directory == nullptr || node == nullptr) return EIO;
  if (node->is_directory) return EPERM;
  if (name.size() > kMaxNameBytes) return ENAMETOOLONG;
  if (node->links == 0) return ENOENT;
  if (FindEntry(*directory, name) != nullptr) return EEXIST;
  ++node->links;
  ++node->lookups;
  Apply({.sets = {{parent, name, id}}, .subject = id});
  FillStat(*node, out);
  return 0;
}

int Volume::Unlink(NodeId parent, const std::string& name) {
  MutexLock lock(mutex_);
  if (const int error = BeginChange()) return error;
  Node* directory = FindDirectory(parent);
  if (directory == nullptr) return EIO;
  Node* node = FindEntry(*directory, name);
  if (node == nullptr) return ENOENT;
  if (node->is_directory) return EISDIR;
  --node->links;
  Apply({.sets = {{parent, name, 0}}, .subject = node->id});
  ++removals_;
  SweepNodes();
  return 0;
}

int Volume::RemoveDirectory(NodeId parent, const std::string& name) {
  MutexLock lock(mutex_);
  if (const int error = BeginChange()) return error;
  Node* directory = FindDirectory(parent);
  if (directory == nullptr) return EIO;
  Node* node = FindEntry(*directory, name);
  if (node == nullptr) return ENOENT;
  if (!node->is_directory) return ENOTDIR;
  if (!node->entries.empty()) return ENOTEMPTY;
  node->links = 0;
  Apply({.sets = {{parent, name, 0}}, .subject = node->id});
  ++removals_;
  SweepNodes();
  return 0;
}

int Volume::Rename(NodeId parent, const std::string& name, NodeId new_parent, const std::string& new_name, bool no_replace) {
  MutexLock lock(mutex_);
  if (const int error = BeginChange()) return error;
  Node* from = FindDirectory(parent);
  Node* to = FindDirectory(new_parent);
  if (from == nullptr || to == nullptr) return EIO;
  if (new_name.size() > kMaxNameBytes) return ENAMETOOLONG;
  Node* node = FindEntry(*from, name);
  if (node == nullptr) return ENOENT;
  Node* replaced = FindEntry(*to, new_name);
  if (replaced == node) return 0;
  if (replaced != nullptr) {
    if (no_replace) return EEXIST;
    if (node->is_directory && !replaced->is_directory) return ENOTDIR;
    if (!node->is_directory && replaced->is_directory) return EISDIR;
    if (replaced->is_directory && !replaced->entries.empty()) return ENOTEMPTY;
    replaced->links = replaced->is_directory ? 0 : replaced->links - 1;
    ++removals_;
  }
  Apply({.sets = {{parent, name, 0}, {new_parent, new_name, node->id}}, .subject = node->id});
  SweepNodes();
  return 0;
}

int Volume::List(NodeId id, std::vector<std::pair<std::string, struct stat>>* out) {
  MutexLock lock(mutex_);
  if (const int error = Begin()) return error;
  Node* directory = FindDirectory(id);
  if (directory == nullptr) return EIO;
  for (const auto& [name, node] : directory->entries) {
    out->emplace_back(name, (struct stat){});
    FillStat(nodes_.at(node), &out->back().second);
  }
  return 0;
}

void Volume::Forget(NodeId id, uint64_t lookups) {
  MutexLock lock(mutex_);
  // Handles from before a power cut name nodes that are no more.
  Node* node = Find(id);
  if (node == nullptr) return;
  node->lookups -= std::min(node->lookups, lookups);
  if (node->links == 0) ++removals_;
}

int Volume::Stat(NodeId id, struct stat* out) {
  MutexLock lock(mutex_);
  if (const int error = Begin()) return error;
  const Node* node = Find(id);
  if (node == nullptr) return EIO;
  FillStat(*node, out);
  return 0;
}

int Volume::SetMode(NodeId id, mode_t mode) {
  MutexLock lock(mutex_);
  if (const int error = Begin()) return error;
  Node* node = Find(id);
  if (node == nullptr) return EIO;
  node->mode = mode & 07777;
  return 0;
}

int Volume::Read(NodeId id, uint64_t offset, uint64_t size, std::string* out) {
  MutexLock lock(mutex_);
  if (const int error = Begin()) return error;
  const Node* node = Find(id);
  if (node == nullptr) return EIO;
  *out = std::string(node->file.Read(offset, size));
  return 0;
}

int Volume::Reserve(const Node& node, uint64_t end) {
  if (end <= node.file.size_bytes()) return 0;
  const uint64_t more = end - node.file.size_bytes();
  if (figures_.used_bytes + more > figures_.total_bytes) return ENOSPC;
  figures_.used_bytes += more;
  return 0;
}

int Volume::Write(NodeId id, uint64_t offset, absl::string_view data, bool is_sync) {
  MutexLock lock(mutex_);
  if (const int error = BeginChange()) return error;
  Node* node = Find(id);
  if (node == nullptr) return EIO;
  if (const int error = Reserve(*node, offset + data.size())) return error;
  node->file.Write(offset, data);
  node->changed = absl::Now();
  if (is_sync) {
    ++figures_.syncs;
    if (SyncFails()) {
      node->file.FailSync();
      return EIO;
    }
    node->file.Sync();
  }
  return 0;
}

int Volume::Truncate(NodeId id, uint64_t size) {
  MutexLock lock(mutex_);
  if (const int error = BeginChange()) return error;
  Node* node = Find(id);
  if (node == nullptr) return EIO;
  const uint64_t before = node->file.size_bytes();
  if (const int error = Reserve(*node, size)) return error;
  if (size < before) figures_.used_bytes -= before - size;
  node->file.Truncate(size);
  node->changed = absl::Now();
  return 0;
}

int Volume::Zero(NodeId id, uint64_t offset, uint64_t size, bool keep_size) {
  MutexLock lock(mutex_);
  if (const int error = BeginChange()) return error;
  Node* node = Find(id);
  if (node == nullptr) return EIO;
  const uint64_t end = offset + size;
  const uint64_t zero_end = std::min<uint64_t>(end, node->file.size_bytes());
  if (keep_size) {
    if (zero_end > offset) node->file.Write(offset, std::string(zero_end - offset, '\0'));
    return 0;
  }
  if (end <= node->file.size_bytes()) return 0;
  if (const int error = Reserve(*node, end)) return error;
  node->file.Truncate(end);
  return 0;
}

bool Volume::SyncFails() { return syncs_to_failure_ > 0 && --syncs_to_failure_ == 0; }

int Volume::SyncFile(NodeId id) {
  MutexLock lock(mutex_);
  if (const int error = BeginChange()) return error;
  Node* node = Find(id);
  if (node == nullptr) return EIO;
  ++figures_.syncs;
  if (SyncFails()) {
    node->file.FailSync();
    return EIO;
  }
  node->file.Sync();
  if (rules_ == Rules::kExt4) CommitJournal();
  return 0;
}

int Volume::SyncDirectory(NodeId id) {
  MutexLock lock(mutex_);
  if (const int error = BeginChange()) return error;
  if (FindDirectory(id) == nullptr) return EIO;
  ++figures_.syncs;
  if (SyncFails()) return EIO;
  if (rules_ == Rules::kExt4) {
    CommitJournal();
    return 0;
  }
  std::vector<bool> marked(journal_.size());
  for (size_t i = 0; i < journal_.size(); ++i) {
    for (const NameChange::Set& set : journal_[i].sets) marked[i] = marked[i] || set.directory == id;
  }
  Commit(std::move(marked));
  return 0;
}

void Volume::Apply(NameChange change) {
  for (const NameChange::Set& set : change.sets) {
    Node& directory = nodes_.at(set.directory);
    directory.changed = absl::Now();
    if (set.node == 0) {
      directory.entries.erase(set.name);
    } else {
      directory.entries[set.name] = set.node;
    }
  }
  journal_.push_back(std::move(change));
}

void Volume::CommitJournal() { Commit(std::vector<bool>(journal_.size(), true)); }

void Volume::Commit(std::vector<bool> marked) {
  std::set<std::pair<NodeId, std::string>> names;
  std::set<NodeId> subjects;
  for (size_t i = journal_.size(); i-- > 0;) {
    const NameChange& change = journal_[i];
    if (subjects.contains(change.subject)) marked[i] = true;
    for (const NameChange::Set& set : change.sets) marked[i] = marked[i] || names.contains({set.directory, set.name});
    if (!marked[i]) continue;
    subjects.insert(change.subject);
    for (const NameChange::Set& set : change.sets) names.insert({set.directory, set.name});
  }
  std::deque<NameChange> rest;
  for (size_t i = 0; i < journal_.size(); ++i) {
    if (!marked[i]) {
      rest.push_back(std::move(journal_[i]));
      continue;
    }
    for (const NameChange::Set& set : journal_[i].sets) {
      std::map<std::string, NodeId>& durable = nodes_.at(set.directory).durable_entries;
      if (set.node == 0) {
        durable.erase(set.name);
      } else {
        durable[set.name] = set.node;
      }
    }
  }
  journal_ = std::move(rest);
}

void Volume::PowerCut(uint64_t seed) {
  MutexLock lock(mutex_);
  if (is_on_) Cut(seed);
}

void Volume::PowerCutAfter(uint64_t events, uint64_t seed) {
  MutexLock lock(mutex_);
  events_to_cut_ = events;
  armed_seed_ = seed;
}

void Volume::PowerOn() {
  MutexLock lock(mutex_);
  is_on_ = true;
}

bool Volume::is_on() const {
  MutexLock lock(mutex_);
  return is_on_;
}

void Volume::FailSync(uint64_t count) {
  MutexLock lock(mutex_);
  syncs_to_failure_ = count;
}

void Volume::SetTotalBytes(uint64_t total_bytes) {
  MutexLock lock(mutex_);
  figures_.total_bytes = total_bytes;
}

VolumeFigures Volume::Figures() const {
  MutexLock lock(mutex_);
  return figures_;
}

std::vector<bool> Volume::ChooseSurvivors(Random& random) {
  std::vector<bool> survives(journal_.size());
  if (rules_ == Rules::kExt4) {
    const size_t prefix = random() % (journal_.size() + 1);
    std::fill_n(survives.begin(), prefix, true);
    return survives;
  }
  // By directory: how many of its operations survive on the average, in eighths.
  std::map<NodeId, uint64_t> eighths;
  for (size_t i = 0; i < journal_.size(); ++i) {
    const auto chosen = eighths.try_emplace(journal_[i].sets[0].directory, 0);
    if (chosen.second) chosen.first->second = random() % 9;
    survives[i] = random() % 8 < chosen.first->second;
  }
  return survives;
}

void Volume::Cut(uint64_t seed) {
  Random random(seed);
  is_on_ = false;
  events_to_cut_ = 0;
  syncs_to_failure_ = 0;
  ++figures_.power_cuts;
  Commit(ChooseSurvivors(random));
  journal_.clear();
  for (auto& [id, node] : nodes_) {
    if (!node.is_directory) node.file.PowerCut(random);
  }
  RebuildFromDisk();
}

void Volume::RebuildFromDisk() {
  std::map<NodeId, NodeId> new_ids = {{kRoot, kRoot}};
  std::map<NodeId, Node> alive;
  std::vector<NodeId> to_visit = {kRoot};
  std::map<NodeId, uint64_t> links;
  while (!to_visit.empty()) {
    const NodeId id = to_visit.back();
    to_visit.pop_back();
    for (const auto& [name, child] : nodes_.at(id).durable_entries) {
      ++links[child];
      if (new_ids.contains(child)) continue;
      new_ids[child] = next_id_++;
      if (nodes_.at(child).is_directory) to_visit.push_back(child);
    }
  }
  figures_.used_bytes = 0;
  for (const auto& [old_id, new_id] : new_ids) {
    Node node = std::move(nodes_.at(old_id));
    node.id = new_id;
    node.lookups = 0;
    node.links = node.is_directory ? 2 : links[old_id];
    for (auto& [name, child] : node.durable_entries) child = new_ids.at(child);
    node.entries = node.durable_entries;
    figures_.used_bytes += node.file.size_bytes();
    alive[new_id] = std::move(node);
  }
  nodes_ = std::move(alive);
  removals_ = 0;
}

void Volume::SweepNodes() {
  if (removals_ < kSweepEvery) return;
  removals_ = 0;
  std::set<NodeId> used = {kRoot};
  for (const auto& [id, node] : nodes_) {
    if (node.lookups > 0 || node.links > 0) used.insert(id);
    for (const auto& [name, child] : node.durable_entries) used.insert(child);
  }
  for (const NameChange& change : journal_) {
    used.insert(change.subject);
    for (const NameChange::Set& set : change.sets) used.insert({set.directory, set.node});
  }
  for (auto node = nodes_.begin(); node != nodes_.end();) {
    if (used.contains(node->first)) {
      ++node;
      continue;
    }
    figures_.used_bytes -= node->second.file.size_bytes();
    node = nodes_.erase(node);
  }
}

}  // namespace strata::lossfs
