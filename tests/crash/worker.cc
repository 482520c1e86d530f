#include "tests/crash/worker.h"

#include "absl/strings/str_cat.h"

namespace strata::crash {

namespace {

constexpr const char* kShared[] = {"shared/a", "shared/b"};
constexpr int kRecordsAThread = 12;
constexpr int kSharedRecords = 6;

}  // namespace

std::string OwnRepository(int thread) { return absl::StrCat("own/", thread); }

std::vector<std::string> AllRepositories(int threads) {
  std::vector<std::string> all;
  for (int i = 0; i < threads; ++i) all.push_back(OwnRepository(i));
  for (const char* shared : kShared) all.push_back(shared);
  all.push_back(blobstore::kBuildRepository);
  return all;
}

std::vector<std::string> AllRecordKeys(int threads) {
  std::vector<std::string> all;
  for (int thread = 0; thread < threads; ++thread) {
    for (int i = 0; i < kRecordsAThread; ++i) all.push_back(absl::StrCat("record/", thread, "/", i));
  }
  for (int i = 0; i < kSharedRecords; ++i) all.push_back(absl::StrCat("record/shared/", i));
  return all;
}

Worker::Worker(Model& model, const ContentLibrary& content, const Stores& stores, int thread, uint64_t seed)
    : model_(model), content_(content), stores_(stores), thread_(thread), own_(OwnRepository(thread)), random_(seed) {
  serial_ = seed;
}

bool Worker::Step() {
  using Operation = void (Worker::*)();
  struct Weighted {
    uint64_t weight;
    Operation operation;
  };
  static constexpr Weighted kOperations[] = {
      {20, &Worker::UploadWhole},  {2, &Worker::UploadTwice},  {6, &Worker::StartOne},       {12, &Worker::AppendSome},
      {6, &Worker::CommitOne},     {2, &Worker::CommitWrong},  {2, &Worker::CancelOne},      {3, &Worker::AskSession},
      {2, &Worker::AppendAtWrongOffset},                       {10, &Worker::ReadSome},      {6, &Worker::LinkOne},
      {4, &Worker::UnlinkOne},     {10, &Worker::PutImage},    {3, &Worker::PutIndex},       {1, &Worker::PutImageInVain},
      {6, &Worker::SetTag},        {3, &Worker::DeleteTag},    {4, &Worker::DeleteManifest}, {5, &Worker::GetByTag},
      {3, &Worker::GetByDigest},   {2, &Worker::ListOwnTags},  {5, &Worker::PutRecord},      {4, &Worker::GetRecord},
      {1, &Worker::Collect}};
  static constexpr uint64_t kTotal = [] {
    uint64_t total = 0;
    for (const Weighted& one : kOperations) total += one.weight;
    return total;
  }();
  uint64_t chosen = Below(kTotal);
  for (const Weighted& one : kOperations) {
    if (chosen < one.weight) {
      (this->*one.operation)();
      break;
    }
    chosen -= one.weight;
  }
  return is_answered_ && !model_.has_failed();
}

std::string Worker::AnyRepository() { return Below(10) < 7 ? own_ : std::string(kShared[Below(std::size(kShared))]); }

std::string Worker::AnyBlobRepository() { return OneIn(12) ? std::string(blobstore::kBuildRepository) : AnyRepository(); }

std::vector<int> Worker::LinkedContent(const std::string& repository) {
  std::vector<int> keys;
  const std::string prefix = LinkKey(repository, "");
  for (const std::string& key : model_.KeysWith(prefix)) {
    const auto digest = Digest::Parse(absl::string_view(key).substr(prefix.size()));
    if (digest.ok()) keys.push_back(content_.KeyOf(*digest).value_or(0));
  }
  return keys;
}

bool Worker::IsSurelyLinked(const std::string& repository, int key) const {
  const std::string& digest = content_.DigestOf(key).ToString();
  return model_.Look(LinkKey(repository, digest)).Is(kPresent) && !model_.MayBeCollected(repository, digest, key);
}

bool Worker::IsSurelyPushed(const std::string& repository, const std::string& digest) const {
  return model_.Look(ManifestKey(repository, digest)).Is(kPresent) && !model_.MayManifestBeCollected(repository, digest);
}

Outcome Worker::Judge(const absl::Status& status, const std::set<absl::StatusCode>& allowed, const std::string& about,
                      const std::string& what) {
  if (status.ok()) return Outcome::kDone;
  if (stores_.explains(status)) {
    is_answered_ = false;
    return Outcome::kUnknown;
  }
  if (allowed.contains(status.code()) || absl::IsAborted(status)) return Outcome::kRefused;
  model_.Fail(about, absl::StrCat(what, " answered ", status.ToString()));
  return Outcome::kUnknown;
}

}  // namespace strata::crash
