// One client that does random things to a store and keeps the model informed.
//
// Each worker has a repository that only it changes: there every answer is known beforehand, and is compared at once. The shared
// repositories are everybody's: there the model knows sets. Sessions belong to the worker that started them, also after a restart.
// What it does is decided by its seed alone, except where it depends on what is there. One thread.
#pragma once

#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/crash/content.h"
#include "tests/crash/model.h"
#include "tests/crash/stores.h"

namespace strata::crash {

// "own/0"..., then the shared ones, then the builder's.
std::vector<std::string> AllRepositories(int threads);
std::string OwnRepository(int thread);
std::vector<std::string> AllRecordKeys(int threads);

class Worker {
 public:
  // All outlive this object.
  Worker(Model& model, const ContentLibrary& content, const Stores& stores, int thread, uint64_t seed);

  // One random operation. False: it got no answer, so stop.
  bool Step();

 private:
  // worker.cc
  uint64_t Below(uint64_t limit) { return limit == 0 ? 0 : random_() % limit; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  template <typename Items>
  const auto& AnyOf(const Items& items) {
    return items[Below(std::size(items))];
  }
  std::string AnyRepository();        // not the builder's
  std::string AnyBlobRepository();
  int AnyContent() { return static_cast<int>(Below(static_cast<uint64_t>(content_.count()))); }
  std::vector<int> LinkedContent(const std::string& repository);  // that may be there
  bool IsOwn(const std::string& repository) const { return repository == own_; }
  // Surely there, and no collector may take it.
  bool IsSurelyLinked(const std::string& repository, int key) const;
  bool IsSurelyPushed(const std::string& repository, const std::string& digest) const;
  // Judges an answer; one that is neither OK, nor explained, nor `allowed` is a broken promise. kAborted ("retry") is allowed always.
  Outcome Judge(const absl::Status& status, const std::set<absl::StatusCode>& allowed, const std::string& about,
                const std::string& what);

  // worker_blobs.cc
  void UploadWhole();
  void UploadTwice();
  void StartOne();
  void AppendSome();
  void CommitOne();
  void CommitWrong();
  void CancelOne();
  void AskSession();
  void AppendAtWrongOffset();
  void ReadSome();
  void LinkOne();
  void UnlinkOne();

  Session* Start(const std::string& repository, int key);
  Session* AnySession();
  void EndSession(std::string id);  // by value: it is the session's own
  bool FindOffset(Session& session);
  // Opens a writer at the session's offset; null when it did not work, and the session may be gone then.
  std::unique_ptr<blobstore::UploadWriter> Open(Session& session);
  bool WritePieces(Session& session, blobstore::UploadWriter& writer, uint64_t until);
  void Commit(Session& session);

  // worker_refs.cc
  void PutImage();
  void PutIndex();
  void PutImageInVain();
  void SetTag();
  void DeleteTag();
  void DeleteManifest();
  void GetByTag();
  void GetByDigest();
  void ListOwnTags();
  void PutRecord();
  void GetRecord();
  void Collect();

  std::vector<std::string> ManifestsThatMayBe(const std::string& repository);
  std::string AnyTag() { return "t" + std::to_string(Below(6)); }
  void Put(const std::string& repository, ManifestFacts facts);
  void CheckManifest(const std::string& about, const blobstore::StoredManifest& got);

  Model& model_;
  const ContentLibrary& content_;
  const Stores& stores_;
  const int thread_;
  const std::string own_;
  std::mt19937_64 random_;
  const CallContext context_;
  uint64_t serial_ = 0;
  bool is_answered_ = true;
};

}  // namespace strata::crash
