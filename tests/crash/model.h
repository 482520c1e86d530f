// What a store must hold, as far as those who used it can know.
//
// Every fact is a register: a link of a blob in a repository, a manifest of a repository, a tag, a cache record. A register has the
// values that it may have: exactly one when the last operation on it was acknowledged and none was at work beside it; more
// after operations that overlapped, or that ended without an answer because the store died ("either before or after"):
//
//   acknowledged            its value may be the one; those that had ended before it began are out
//   refused                 as if it had never been
//   without an answer       its value may be the one, and everything that might have been stays possible
//
// When nothing is at work, Observe() compares what the store says with that and goes on with what it said. The value of an absent
// thing is "". Beside the registers: upload sessions (absent, uploading at an offset, gone), and what manifests name.
//
// Each change keeps a line of history per register, which a failure prints. Thread-safe; sessions belong to one thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "lib/digest/digest.h"

namespace strata::crash {

enum class Outcome { kDone, kRefused, kUnknown };

// Names of registers; `digest` is its text.
std::string LinkKey(absl::string_view repository, absl::string_view digest);
std::string ManifestKey(absl::string_view repository, absl::string_view digest);
std::string TagKey(absl::string_view repository, absl::string_view tag);
std::string RecordKey(absl::string_view key);

inline constexpr char kPresent[] = "present";
inline constexpr char kAbsent[] = "";

struct ManifestFacts {
  Digest digest;
  std::string media_type;
  std::string content;
  std::vector<int> blobs;             // content keys
  std::vector<std::string> children;  // digests
  std::string subject;                // digest, or empty
};

struct Session {
  std::string id;
  std::string repository;
  int content_key = 0;
  DigestAlgorithm algorithm = DigestAlgorithm::kSha256;
  uint64_t acknowledged = 0;    // bytes that are durable for sure
  uint64_t sent = 0;            // at most this many are
  bool may_be_gone = false;     // its end was asked for without an answer
  bool may_be_committed = false;  // ... and that end was a commit
};

class Model {
 public:
  using Values = std::set<std::string>;
  struct View {
    Values values;
    uint64_t changes = 0;  // that ever began
    bool is_quiet = true;  // none is at work
    bool Is(absl::string_view value) const { return is_quiet && values.size() == 1 && *values.begin() == value; }
    bool MayBe(absl::string_view value) const { return values.contains(std::string(value)); }
  };

  explicit Model(int threads) : sessions_(static_cast<size_t>(threads)) {}

  View Look(const std::string& key) const;
  // Every register whose key begins so and that may be other than absent.
  std::vector<std::string> KeysWith(absl::string_view prefix) const;

  // All of it nothing is at work. Returns false, after Fail(), when the register cannot have that value.
  bool Observe(const std::string& key, const std::string& value);
  // The collector may have taken the link although nobody asked for that: see MayBeCollected().
  void ObserveCollected(const std::string& key);

  // Manifests that were ever pushed, also in vain.
  void Remember(const ManifestFacts& facts);
  const ManifestFacts& Manifest(const std::string& digest) const;
  // Values of cache records: what a record needs.
  void RememberRecord(const std::string& value, std::vector<int> needs);
  std::vector<int> NeedsOf(const std::string& value) const;

  // A link may be collected when no manifest of its repository surely names the blob, and its lease is over: the store runs with
  // a tiny grace period, or a manifest that named the blob was deleted since the link was made.
  bool MayBeCollected(const std::string& repository, const std::string& digest, int content_key) const;
  bool IsNamed(const std::string& repository, int content_key) const;  // surely
  // A manifest may be collected in a tiny grace period when what it was part of was deleted (an index, its subject, or what named these)
  // and no tag surely points to it.
  bool MayManifestBeCollected(const std::string& repository, const std::string& digest) const;
  void Orphan(const std::string& repository, const std::string& digest);  // this one is about to be deleted
  void FollowSubject(const std::string& repository, const ManifestFacts& facts);  // about to be pushed; its subject may go, or be gone
  void SetTinyGrace(bool is_tiny);
  bool has_tiny_grace() const;  // sessions may expire as well
  void EndLease(const std::string& repository, const std::string& digest);
  void RenewLease(const std::string& repository, const std::string& digest);

  std::vector<Session>& sessions(int thread) { return sessions_[static_cast<size_t>(thread)]; }
  size_t CountSessions() const;
  int threads() const { return static_cast<int>(sessions_.size()); }
  // Sessions whose start got no answer: there may be so many more than we know.
  void AddLostSession();
  int lost_sessions() const;
  void ClearLostSessions();

  void Note(const std::string& key, const std::string& line);
  // A promise was broken. Prints it with the history of the register; the first one ends the run.
  void Fail(const std::string& key, const std::string& what);
  bool has_failed() const;
  uint64_t operations() const;
  void CountChecked(uint64_t facts);
  uint64_t checked() const;

 private:
  friend class Change;
  static constexpr uint64_t kAtWork = UINT64_MAX;

  struct Write {
    uint64_t id = 0;
    std::string value;
    uint64_t begin = 0;
    uint64_t end = kAtWork;
  };
  struct Register {
    std::vector<Write> writes = {{.value = kAbsent, .end = 0}};
    uint64_t changes = 0;
  };

  bool MayManifestBeCollectedLocked(const std::string& repository, const std::string& digest) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsNamedLocked(const std::string& repository, int content_key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteLocked(const std::string& key, const std::string& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Register> registers_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, ManifestFacts> manifests_ ABSL_GUARDED_BY(mutex_);                        // by digest; never removed
  std::map<std::string, std::set<std::string>> manifests_of_ ABSL_GUARDED_BY(mutex_);             // digests by repository
  std::map<std::string, std::vector<int>> needs_ ABSL_GUARDED_BY(mutex_);                         // by record value
  std::set<std::string> ended_leases_ ABSL_GUARDED_BY(mutex_);                                    // link keys
  std::set<std::string> orphans_ ABSL_GUARDED_BY(mutex_);                                         // manifest keys
  std::map<std::string, std::deque<std::string>> history_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::vector<Session>> sessions_;
  int lost_sessions_ ABSL_GUARDED_BY(mutex_) = 0;
  bool has_tiny_grace_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_failed_ ABSL_GUARDED_BY(mutex_) = false;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t now_ ABSL_GUARDED_BY(mutex_) = 0;         // counts begins and ends
  uint64_t operations_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t checked_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One operation on registers, from before it is asked for until after it is answered. Not ended: without an answer.
class Change {
 public:
  Change(Model& model, std::vector<std::pair<std::string, std::string>> writes, std::string what);
  ~Change() { End(Outcome::kUnknown, "no answer"); }
  Change(const Change&) = delete;

  // A register that the operation turned out to have changed as well.
  void Add(const std::string& key, const std::string& value);
  // The operation left this register alone after all.
  void Drop(const std::string& key);
  void End(Outcome outcome, absl::string_view answer);

 private:
  Model& model_;
  std::vector<std::pair<std::string, uint64_t>> writes_;  // key, write id
  const std::string what_;
  uint64_t begin_ = 0;
  bool has_ended_ = false;
};

}  // namespace strata::crash
