#include "services/store/engine/generations.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/blobstore/generation_view.h"
#include "services/store/engine/keyspace.h"

namespace strata::store {

namespace {

using blobstore::GenerationBucket;
using blobstore::kGenerationBytes;

class CountingTransaction final : public Transaction {
 public:
  CountingTransaction(std::unique_ptr<Transaction> inner, Generations& generations)
      : inner_(std::move(inner)), generations_(generations) {}

  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key) override { return inner_->Get(table, key); }
  std::unique_ptr<Cursor> Scan(Table table, absl::string_view prefix, absl::string_view start) override {
    return inner_->Scan(table, prefix, start);
  }
  absl::StatusOr<std::optional<std::string>> GetForUpdate(Table table, absl::string_view key, LockMode mode) override {
    return inner_->GetForUpdate(table, key, mode);
  }
  absl::Status Put(Table table, absl::string_view key, absl::string_view value) override {
    Note(key);
    return inner_->Put(table, key, value);
  }
  absl::Status Delete(Table table, absl::string_view key) override {
    Note(key);
    return inner_->Delete(table, key);
  }
  void Add(absl::string_view key, int64_t delta) override { inner_->Add(key, delta); }
  absl::Status Commit(Durability durability) override {
    const absl::Status status = inner_->Commit(durability);
    // Also after a failure: it may have come when the rows could be seen already.
    for (const std::string& repository : changed_) generations_.Bump(repository);
    return status;
  }

 private:
  void Note(absl::string_view key) {
    const absl::string_view repository = keys::ShownRepository(key);
    if (repository.empty() || std::find(changed_.begin(), changed_.end(), repository) != changed_.end()) return;
    changed_.emplace_back(repository);
  }

  const std::unique_ptr<Transaction> inner_;
  Generations& generations_;
  std::vector<std::string> changed_;  // few: a transaction is about one repository, seldom two
};

class CountingKeyValue final : public KeyValueStore {
 public:
  CountingKeyValue(std::unique_ptr<KeyValueStore> inner, Generations& generations)
      : inner_(std::move(inner)), generations_(generations) {}

  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key) override { return inner_->Get(table, key); }
  std::unique_ptr<Cursor> Scan(Table table, absl::string_view prefix, absl::string_view start) override {
    return inner_->Scan(table, prefix, start);
  }
  std::unique_ptr<Transaction> Begin() override { return std::make_unique<CountingTransaction>(inner_->Begin(), generations_); }
  std::unique_ptr<Reader> Snapshot() override { return inner_->Snapshot(); }
  absl::Status Checkpoint(const std::string& path) override { return inner_->Checkpoint(path); }
  std::vector<std::pair<std::string, int64_t>> Figures() override { return inner_->Figures(); }
  absl::StatusOr<int64_t> ReadCounter(absl::string_view key) override { return inner_->ReadCounter(key); }

 private:
  const std::unique_ptr<KeyValueStore> inner_;
  Generations& generations_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Generations>> Generations::Create() {
  UniqueFd file(::memfd_create("strata-generations", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.is_valid()) return ErrnoStatus(errno, "memfd_create");
  if (::ftruncate(file.get(), kGenerationBytes) != 0) return ErrnoStatus(errno, "making room for the counters");
  void* mapped = ::mmap(nullptr, kGenerationBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) return ErrnoStatus(errno, "mapping the counters");
  std::unique_ptr<Generations> generations(new Generations(std::move(file), static_cast<uint64_t*>(mapped)));
  // The mapping made above stays writable.
  const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
  if (::fcntl(generations->file_.get(), F_ADD_SEALS, seals) != 0) return ErrnoStatus(errno, "sealing the counters");
  return generations;
}

Generations::Generations(UniqueFd file, uint64_t* counters) : file_(std::move(file)), counters_(counters) {}
Generations::~Generations() { ::munmap(counters_, kGenerationBytes); }

void Generations::Bump(absl::string_view repository) {
  __atomic_fetch_add(counters_ + GenerationBucket(repository), 1, __ATOMIC_ACQ_REL);
}

uint64_t Generations::Of(absl::string_view repository) const {
  return __atomic_load_n(counters_ + GenerationBucket(repository), __ATOMIC_ACQUIRE);
}

absl::StatusOr<UniqueFd> Generations::OpenForReading() const {
  UniqueFd fd(::open(absl::StrCat("/proc/self/fd/", file_.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, "opening the counters for reading");
  return fd;
}

std::unique_ptr<KeyValueStore> CountGenerations(std::unique_ptr<KeyValueStore> kv, Generations& generations) {
  return std::make_unique<CountingKeyValue>(std::move(kv), generations);
}

}  // namespace strata::store
