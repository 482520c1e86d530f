#include "services/store/engine/open_sessions.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/blobstore/errors.h"

namespace strata::store {

class OpenSessions::Added final : public TransactionListener {
 public:
  Added(OpenSessions& owner, std::string repository) : owner_(owner), repository_(std::move(repository)) {}
  ~Added() override {
    if (!is_committed_) owner_.Forget(repository_);
  }
  void Committed() override { is_committed_ = true; }

 private:
  OpenSessions& owner_;
  const std::string repository_;
  bool is_committed_ = false;
};

class OpenSessions::Removed final : public TransactionListener {
 public:
  Removed(OpenSessions& owner, std::string repository) : owner_(owner), repository_(std::move(repository)) {}
  void Committed() override { owner_.Forget(repository_); }

 private:
  OpenSessions& owner_;
  const std::string repository_;
};

absl::Status OpenSessions::Add(Transaction& transaction, absl::string_view repository) {
  {
    MutexLock lock(mutex_);
    if (in_all_ >= max_in_all_) {
      return blobstore::ExhaustedError(
          blobstore::Exhausted::kUploads,
          absl::StrCat("the store has ", in_all_, " unfinished uploads, the most it keeps; finish or cancel some, or raise --max-uploads"));
    }
    int64_t& count = by_repository_[repository];
    if (count >= max_a_repository_) {
      return blobstore::ExhaustedError(
          blobstore::Exhausted::kUploads,
          absl::StrCat("repository \"", repository, "\" has ", count, " unfinished uploads, the most it may have; finish or cancel some, or "
                       "raise --max-uploads-per-repository"));
    }
    ++count;
    ++in_all_;
  }
  transaction.AddListener(this, std::make_unique<Added>(*this, std::string(repository)));
  return absl::OkStatus();
}

void OpenSessions::Found(absl::string_view repository) {
  MutexLock lock(mutex_);
  ++by_repository_[repository];
  ++in_all_;
}

void OpenSessions::Remove(Transaction& transaction, absl::string_view repository) {
  transaction.AddListener(this, std::make_unique<Removed>(*this, std::string(repository)));
}

void OpenSessions::Forget(const std::string& repository) {
  MutexLock lock(mutex_);
  const auto found = by_repository_.find(repository);
  if (found == by_repository_.end()) return;
  --in_all_;
  if (--found->second == 0) by_repository_.erase(found);
}

}  // namespace strata::store
