// The client's build context over the Build stream: its listing, and the content of files when steps ask for it.
//
// The reader thread calls the On… functions; build threads call List and Fetch and wait. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "lib/base/mutex.h"
#include "services/builder/build/build.h"
#include "services/builder/context/content_cache.h"
#include "services/builder/context/context_tree.h"
#include "services/builder/progress/progress.h"
#include "services/builder/rpc/build_stream.h"

namespace strata::rpc {

class ClientContext final : public build::ContextProvider, public context::FileRequester {
 public:
  // All must outlive this object.
  ClientContext(BuildStream& stream, context::ContentCache& cache, progress::Progress& progress)
      : stream_(stream), cache_(cache), progress_(progress) {}

  absl::StatusOr<std::shared_ptr<const filetree::FileTree>> List(const CallContext& context,
                                                                 const std::vector<std::string>& include,
                                                                 uint32_t step) override;
  absl::Status Fetch(const CallContext& context, absl::Span<const filetree::Node> files) override;

  // Messages of the client. A non-OK return is the client's fault and ends the build.
  absl::Status OnEntries(const builder::v1::ContextEntries& entries);
  absl::Status OnListingEnd();
  absl::Status OnFileData(const builder::v1::FileData& data);
  // No more messages will come: whoever waits for some fails with `status`.
  void OnStreamEnd(const absl::Status& status);
  // What the client did wrong; OK when nothing.
  absl::Status failure();

 private:
  // A file that was asked for.
  struct Expected {
    Digest digest;
    std::string path;
    std::unique_ptr<context::ContentCache::Incoming> incoming;
  };

  absl::Status WaitFor(const CallContext& context, const bool& condition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status TakePiece(const builder::v1::FileData::Piece& piece);
  // Shows that files are on their way; they stop when the last one that was asked for is there.
  void StartTransferStep();

  BuildStream& stream_;
  context::ContentCache& cache_;
  progress::Progress& progress_;

  Mutex mutex_;
  CondVar changed_;
  context::ContextListing listing_ ABSL_GUARDED_BY(mutex_);
  bool is_listed_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_transferring_ ABSL_GUARDED_BY(mutex_) = false;
  uint32_t transfer_step_ ABSL_GUARDED_BY(mutex_) = 0;                          // while is_transferring_, once it was announced
  absl::flat_hash_map<Digest, uint32_t> ids_ ABSL_GUARDED_BY(mutex_);          // an entry with that content
  absl::flat_hash_map<uint32_t, std::pair<Digest, std::string>> files_ ABSL_GUARDED_BY(mutex_);  // id -> content, path
  absl::flat_hash_map<Digest, int64_t> sizes_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<Digest> pending_ ABSL_GUARDED_BY(mutex_);                // asked for, not there yet
  absl::Status ended_ ABSL_GUARDED_BY(mutex_);                                  // why no more messages come
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  int64_t received_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t expected_bytes_ ABSL_GUARDED_BY(mutex_) = 0;

  std::map<uint32_t, Expected> incoming_;  // reader thread only
};

}  // namespace strata::rpc
