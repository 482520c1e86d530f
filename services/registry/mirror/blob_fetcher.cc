#include "services/registry/mirror/blob_fetcher.h"

#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/log/log.h"

namespace strata::registry::mirror {
namespace {

constexpr absl::Duration kLongestWait = absl::Seconds(30);
constexpr absl::Duration kCleanup = absl::Seconds(5);

// The store's half of a fetch. What fails here costs the copy in the store, not the clients that wait.
class StoreCopy {
 public:
  StoreCopy(blobstore::BlobStore& blobs, const CallContext& context, const Digest& digest) : blobs_(blobs), context_(context), digest_(digest) {
    auto id = blobs_.StartUpload(context_, blobstore::kBuildRepository, digest_.algorithm());
    if (const absl::Status status = Open(); !status.ok()) GiveUp(status);
  }
  // Without Commit(), nothing stays.
  ~StoreCopy() {
    writer_.reset();
    if (id_.empty()) return;
    const CallContext cleanup{.deadline = absl::Now() + kCleanup};
    blobs_.CancelUpload(cleanup, blobstore::kBuildRepository, id_).IgnoreError();  // it would expire by itself
  }
  StoreCopy(const StoreCopy&) = delete;
  StoreCopy& operator=(const StoreCopy&) = delete;

  void Write(absl::string_view data) {
    if (writer_ == nullptr) return;
    if (const absl::Status status = writer_->Write(data); !status.ok()) GiveUp(status);
  }
  bool Commit(uint64_t size_bytes) {
    if (writer_ == nullptr) return false;
    const absl::Status status = writer_->Commit(digest_, size_bytes);
    if (!status.ok()) GiveUp(status);
    if (status.ok()) id_.clear();
    return status.ok();
  }

 private:
  absl::Status Open() {
    STRATA_ASSIGN_OR_RETURN(id_, blobs_.StartUpload(context_, blobstore::kBuildRepository, digest_.algorithm()));
    STRATA_ASSIGN_OR_RETURN(writer_, blobs_.OpenUpload(context_, blobstore::kBuildRepository, id_, 0));
    return absl::OkStatus();
  }
  void GiveUp(const absl::Status& status) {
    writer_.reset();
    log::Warning("mirrored content is not kept", {{"digest", digest_.ToString()}, {"error", status}});
  }

  blobstore::BlobStore& blobs_;
  const CallContext& context_;
  const Digest& digest_;
  std::string id_;
  std::unique_ptr<blobstore::UploadWriter> writer_;
};

}  // namespace

BlobFetcher::BlobFetcher(blobstore::BlobStore& blobs, CacheIndex& index, BlobFetcherOptions options)
    : blobs_(blobs), index_(index), options_(std::move(options)) {}

BlobFetcher::~BlobFetcher() {
  stop_.Cancel();
  MutexLock lock(mutex_);
  while (threads_ > 0) landed_.Wait(mutex_);
}

size_t BlobFetcher::running() const {
  MutexLock lock(mutex_);
  return threads_;
}

absl::StatusOr<std::shared_ptr<BlobFlight>> BlobFetcher::Fetch(const CallContext& context, const Origin& origin, const Digest& digest) {
  const std::string key = absl::StrCat(origin.scope, "\n", digest.ToString());
  std::shared_ptr<BlobFlight> flight;
  {
    MutexLock lock(mutex_);
    const absl::Time give_up = absl::Now() + kLongestWait;
    while (true) {
      if (const auto found = flights_.find(key); found != flights_.end()) return found->second;
      if (threads_ < options_.max_fetches) break;
      STRATA_RETURN_IF_ERROR(context.Check());
      const absl::Duration left = give_up - absl::Now();
      if (left <= absl::ZeroDuration()) {
        return absl::UnavailableError(absl::StrCat(options_.max_fetches, " blobs are being fetched from upstream registries already"));
      }
      landed_.WaitFor(mutex_, left);
    }
    flight = flights_[key] = std::make_shared<BlobFlight>();
    ++threads_;
  }
  try {
    std::thread([this, key, origin, digest, flight] { Run(key, origin, digest, flight); }).detach();
  } catch (const std::system_error&) {
    const absl::Status no_thread = absl::UnavailableError("no thread to fetch a blob with");
    flight->Fail(no_thread);
    MutexLock lock(mutex_);
    flights_.erase(key);
    --threads_;
    landed_.SignalAll();
    return no_thread;
  }
  return flight;
}

void BlobFetcher::Run(const std::string& key, Origin origin, Digest digest, std::shared_ptr<BlobFlight> flight) {
  CallContext context;
  context.cancellation = &stop_;
  const absl::StatusOr<bool> is_there = TakeFromStore(context, origin, digest);
  absl::Status status = is_there.status();
  if (is_there.ok() && *is_there) flight->FoundInStore();
  if (is_there.ok() && !*is_there) status = Bring(context, origin, digest, *flight);
  if (!status.ok()) flight->Fail(status);
  flight.reset();
  MutexLock lock(mutex_);
  flights_.erase(key);
  --threads_;
  landed_.SignalAll();  // under the lock: the destructor goes on only when this thread touches nothing any more
}

absl::StatusOr<bool> BlobFetcher::TakeFromStore(const CallContext& context, const Origin& origin, const Digest& digest) {
  // It may have landed between the caller's look and this fetch.
  STRATA_ASSIGN_OR_RETURN(const auto record, index_.FindBlob(context, origin.scope, digest));
  if (record) return true;
  STRATA_ASSIGN_OR_RETURN(const auto sizes, blobs_.StatBlobs(context, "", {&digest, 1}));
  if (sizes.empty() || !sizes.front()) return false;
  STRATA_RETURN_IF_ERROR(origin.upstream->DescribeBlob(context, origin.name, digest).status());
  const absl::Status linked = blobs_.LinkBlobs(context, blobstore::kBuildRepository, "", {&digest, 1});
  if (absl::IsNotFound(linked)) return false;  // collected this very moment
  STRATA_RETURN_IF_ERROR(linked);
  STRATA_RETURN_IF_ERROR(index_.PutBlob(context, origin.scope, digest, *sizes.front()));
  return true;
}

absl::Status BlobFetcher::Bring(const CallContext& context, const Origin& origin, const Digest& digest, BlobFlight& flight) {
  STRATA_ASSIGN_OR_RETURN(UpstreamBlob blob, origin.upstream->FetchBlob(context, origin.name, digest));
  STRATA_RETURN_IF_ERROR(flight.Begin(options_.spool_folder, blob.declared_bytes));
  StoreCopy copy(blobs_, context, digest);
  const auto buffer = std::make_unique<char[]>(kStreamChunkBytes);
  uint64_t size_bytes = 0;
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const size_t n, blob.source->Read(buffer.get(), kStreamChunkBytes));
    if (n == 0) break;
    size_bytes += n;
    STRATA_RETURN_IF_ERROR(flight.Append(absl::string_view(buffer.get(), n)));
    copy.Write(absl::string_view(buffer.get(), n));
  }
  flight.Complete();
  if (!copy.Commit(size_bytes)) return absl::OkStatus();
  if (const absl::Status noted = index_.PutBlob(context, origin.scope, digest, size_bytes); !noted.ok()) {
    log::Warning("mirrored content is not kept", {{"digest", digest.ToString()}, {"error", noted}});
  }
  return absl::OkStatus();
}

}  // namespace strata::registry::mirror
