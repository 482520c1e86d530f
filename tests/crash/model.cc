#include "tests/crash/model.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/check.h"

namespace strata::crash {

namespace {

constexpr size_t kHistoryLines = 40;
constexpr int kMaxPrintedFailures = 5;

std::string Show(const std::string& value) {
  if (value.empty()) return "absent";
  return value.size() > 90 ? absl::StrCat(value.substr(0, 90), "...") : value;
}

}  // namespace

std::string LinkKey(absl::string_view repository, absl::string_view digest) { return absl::StrCat("link ", repository, " ", digest); }
std::string ManifestKey(absl::string_view repository, absl::string_view digest) {
  return absl::StrCat("manifest ", repository, " ", digest);
}
std::string TagKey(absl::string_view repository, absl::string_view tag) { return absl::StrCat("tag ", repository, " ", tag); }
std::string RecordKey(absl::string_view key) { return absl::StrCat("record ", key); }

Model::View Model::Look(const std::string& key) const {
  MutexLock lock(mutex_);
  View view;
  const auto found = registers_.find(key);
  if (found == registers_.end()) {
    view.values.insert(kAbsent);
    return view;
  }
  view.changes = found->second.changes;
  for (const Write& write : found->second.writes) {
    view.values.insert(write.value);
    if (write.end == kAtWork) view.is_quiet = false;
  }
  return view;
}

std::vector<std::string> Model::KeysWith(absl::string_view prefix) const {
  MutexLock lock(mutex_);
  std::vector<std::string> keys;
  for (auto found = registers_.lower_bound(std::string(prefix)); found != registers_.end(); ++found) {
    if (!absl::StartsWith(found->first, prefix)) break;
    const std::vector<Write>& writes = found->second.writes;
    if (std::any_of(writes.begin(), writes.end(), [](const Write& write) { return !write.value.empty(); })) {
      keys.push_back(found->first);
    }
  }
  return keys;
}

bool Model::Observe(const std::string& key, const std::string& value) {
  const View view = Look(key);
  if (!view.MayBe(value)) {
    std::vector<std::string> allowed;
    for (const std::string& one : view.values) allowed.push_back(Show(one));
    Fail(key, absl::StrCat("the store says ", Show(value), "; it must be ", absl::StrJoin(allowed, " or ")));
    return false;
  }
  MutexLock lock(mutex_);
  ++checked_;
  const auto found = registers_.find(key);
  if (found == registers_.end()) return true;
  if (found->second.writes.size() > 1) NoteLocked(key, absl::StrCat("seen: ", Show(value)));
  found->second.writes = {{.value = value, .begin = now_, .end = now_}};
  return true;
}

void Model::ObserveCollected(const std::string& key) {
  MutexLock lock(mutex_);
  ++checked_;
  NoteLocked(key, "seen: collected");
  registers_[key].writes = {{.value = kAbsent, .begin = now_, .end = now_}};
}

void Model::Remember(const ManifestFacts& facts) {
  MutexLock lock(mutex_);
  manifests_.try_emplace(facts.digest.ToString(), facts);
}

const ManifestFacts& Model::Manifest(const std::string& digest) const {
  MutexLock lock(mutex_);
  const auto found = manifests_.find(digest);
  STRATA_CHECK(found != manifests_.end());
  return found->second;
}

void Model::RememberRecord(const std::string& value, std::vector<int> needs) {
  MutexLock lock(mutex_);
  needs_[value] = std::move(needs);
}

std::vector<int> Model::NeedsOf(const std::string& value) const {
  MutexLock lock(mutex_);
  const auto found = needs_.find(value);
  return found == needs_.end() ? std::vector<int>() : found->second;
}

bool Model::IsNamedLocked(const std::string& repository, int content_key) const {
  const auto digests = manifests_of_.find(repository);
  if (digests == manifests_of_.end()) return false;
  for (const std::string& digest : digests->second) {
    const std::vector<int>& blobs = manifests_.at(digest).blobs;
    if (std::find(blobs.begin(), blobs.end(), content_key) == blobs.end()) continue;
    const auto found = registers_.find(ManifestKey(repository, digest));
    if (found == registers_.end() || MayManifestBeCollectedLocked(repository, digest)) continue;
    const std::vector<Write>& writes = found->second.writes;
    if (std::all_of(writes.begin(), writes.end(), [](const Write& write) { return !write.value.empty(); })) return true;
  }
  return false;
}

bool Model::IsNamed(const std::string& repository, int content_key) const {
  MutexLock lock(mutex_);
  return IsNamedLocked(repository, content_key);
}

bool Model::MayBeCollected(const std::string& repository, const std::string& digest, int content_key) const {
  MutexLock lock(mutex_);
  if (!has_tiny_grace_ && !ended_leases_.contains(LinkKey(repository, digest))) return false;
  return !IsNamedLocked(repository, content_key);
}

bool Model::MayManifestBeCollectedLocked(const std::string& repository, const std::string& digest) const {
  if (!has_tiny_grace_ || !orphans_.contains(ManifestKey(repository, digest))) return false;
  const std::string prefix = TagKey(repository, "");
  for (auto tag = registers_.lower_bound(prefix); tag != registers_.end() && absl::StartsWith(tag->first, prefix); ++tag) {
    const std::vector<Write>& writes = tag->second.writes;
    if (std::all_of(writes.begin(), writes.end(), [&](const Write& write) { return write.value == digest; })) return false;
  }
  return true;
}

bool Model::MayManifestBeCollected(const std::string& repository, const std::string& digest) const {
  MutexLock lock(mutex_);
  return MayManifestBeCollectedLocked(repository, digest);
}

void Model::Orphan(const std::string& repository, const std::string& digest) {
  MutexLock lock(mutex_);
  const std::set<std::string>& all = manifests_of_[repository];
  std::vector<std::string> to_visit = {digest};
  while (!to_visit.empty()) {
    const std::string gone = to_visit.back();
    to_visit.pop_back();
    std::vector<std::string> orphans = manifests_.at(gone).children;
    for (const std::string& other : all) {
      if (manifests_.at(other).subject == gone) orphans.push_back(other);
    }
    for (const std::string& orphan : orphans) {
      if (orphans_.insert(ManifestKey(repository, orphan)).second) to_visit.push_back(orphan);
    }
  }
}

void Model::FollowSubject(const std::string& repository, const ManifestFacts& facts) {
  if (facts.subject.empty()) return;
  const std::string subject = ManifestKey(repository, facts.subject);
  const bool is_there = Look(subject).Is(kPresent);
  {
    MutexLock lock(mutex_);
    if (is_there && !orphans_.contains(subject)) return;
    orphans_.insert(ManifestKey(repository, facts.digest.ToString()));
  }
  Orphan(repository, facts.digest.ToString());
}

void Model::SetTinyGrace(bool is_tiny) {
  MutexLock lock(mutex_);
  has_tiny_grace_ = is_tiny;
}

bool Model::has_tiny_grace() const {
  MutexLock lock(mutex_);
  return has_tiny_grace_;
}

void Model::EndLease(const std::string& repository, const std::string& digest) {
  MutexLock lock(mutex_);
  ended_leases_.insert(LinkKey(repository, digest));
}

void Model::RenewLease(const std::string& repository, const std::string& digest) {
  MutexLock lock(mutex_);
  ended_leases_.erase(LinkKey(repository, digest));
}

size_t Model::CountSessions() const {
  size_t count = 0;
  for (const std::vector<Session>& one : sessions_) count += one.size();
  return count;
}

void Model::AddLostSession() {
  MutexLock lock(mutex_);
  ++lost_sessions_;
}

int Model::lost_sessions() const {
  MutexLock lock(mutex_);
  return lost_sessions_;
}

void Model::ClearLostSessions() {
  MutexLock lock(mutex_);
  lost_sessions_ = 0;
}

void Model::Note(const std::string& key, const std::string& line) {
  MutexLock lock(mutex_);
  NoteLocked(key, line);
}

void Model::NoteLocked(const std::string& key, const std::string& line) {
  std::deque<std::string>& lines = history_[key];
  lines.push_back(absl::StrCat("#", now_, " ", line));
  if (lines.size() > kHistoryLines) lines.pop_front();
}

void Model::Fail(const std::string& key, const std::string& what) {
  MutexLock lock(mutex_);
  has_failed_ = true;
  if (++failures_ > kMaxPrintedFailures) return;
  std::string text = absl::StrCat("\nBROKEN PROMISE  ", key, ": ", what, "\n  its history, oldest first:\n");
  for (const std::string& line : history_[key]) absl::StrAppend(&text, "    ", line, "\n");
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

bool Model::has_failed() const {
  MutexLock lock(mutex_);
  return has_failed_;
}

uint64_t Model::operations() const {
  MutexLock lock(mutex_);
  return operations_;
}

void Model::CountChecked(uint64_t facts) {
  MutexLock lock(mutex_);
  checked_ += facts;
}

uint64_t Model::checked() const {
  MutexLock lock(mutex_);
  return checked_;
}

Change::Change(Model& model, std::vector<std::pair<std::string, std::string>> writes, std::string what)
    : model_(model), what_(std::move(what)) {
  {
    MutexLock lock(model_.mutex_);
    ++model_.operations_;
    begin_ = ++model_.now_;
  }
  for (const auto& [key, value] : writes) Add(key, value);
}

void Change::Add(const std::string& key, const std::string& value) {
  MutexLock lock(model_.mutex_);
  Model::Register& there = model_.registers_[key];
  ++there.changes;
  there.writes.push_back({.id = begin_, .value = value, .begin = begin_});
  writes_.emplace_back(key, begin_);
  if (absl::StartsWith(key, "manifest ")) {
    const size_t space = key.rfind(' ');
    model_.manifests_of_[key.substr(9, space - 9)].insert(key.substr(space + 1));
  }
  model_.NoteLocked(key, absl::StrCat(what_, " ..."));
}

void Change::Drop(const std::string& key) {
  MutexLock lock(model_.mutex_);
  std::erase_if(model_.registers_[key].writes, [&](const Model::Write& write) { return write.id == begin_; });
  std::erase_if(writes_, [&](const auto& write) { return write.first == key; });
}

void Change::End(Outcome outcome, absl::string_view answer) {
  if (has_ended_) return;
  has_ended_ = true;
  MutexLock lock(model_.mutex_);
  const uint64_t end = ++model_.now_;
  for (const auto& [key, id] : writes_) {
    std::vector<Model::Write>& writes = model_.registers_[key].writes;
    if (outcome == Outcome::kRefused) {
      std::erase_if(writes, [id = id](const Model::Write& write) { return write.id == id; });
    } else {
      for (Model::Write& write : writes) {
        if (write.id == id) write.end = end;
      }
    }
    if (outcome == Outcome::kDone) {
      std::erase_if(writes, [&](const Model::Write& write) { return write.end < begin_; });
    }
    const char* how = outcome == Outcome::kDone ? "done" : outcome == Outcome::kRefused ? "refused" : "NO ANSWER";
    model_.NoteLocked(key, absl::StrCat(what_, " -> ", how, answer.empty() ? "" : ": ", answer.substr(0, 200)));
  }
}

}  // namespace strata::crash
