#include "services/builder/rpc/client_context.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::rpc {

namespace {

constexpr int kIdsPerQuery = 10'000;
constexpr size_t kMaxXattrs = 64;
constexpr size_t kMaxXattrBytes = 64 * 1024;

absl::StatusOr<filetree::Node> ToNode(const builder::v1::ContextEntry& entry) {
  filetree::Node node;
  node.path = entry.path();
  node.mode = entry.mode();
  node.size_bytes = S_ISREG(entry.mode()) ? entry.size_bytes() : 0;
  node.mtime = absl::FromUnixNanos(entry.mtime_ns());
  node.link_target = entry.link_target();
  node.device_major = entry.device_major();
  node.device_minor = entry.device_minor();
  if (!entry.digest().empty()) {
    STRATA_ASSIGN_OR_RETURN(node.digest, Digest::Parse(entry.digest()));
  }
  size_t xattr_bytes = 0;
  for (const auto& xattr : entry.xattrs()) {
    xattr_bytes += xattr.name().size() + xattr.value().size();
    node.xattrs[xattr.name()] = xattr.value();
  }
  if (node.xattrs.size() > kMaxXattrs || xattr_bytes > kMaxXattrBytes) {
    return absl::InvalidArgumentError(absl::StrCat("context entry \"", absl::CHexEscape(node.path), "\" has too many attributes"));
  }
  return node;
}

}  // namespace

// Waits until `condition`, which only the reader thread makes true, or until nobody can any more.
absl::Status ClientContext::WaitFor(const CallContext& context, const bool& condition) {
  while (!condition) {
    STRATA_RETURN_IF_ERROR(ended_);
    STRATA_RETURN_IF_ERROR(context.Check());
    changed_.WaitFor(mutex_, absl::Milliseconds(100));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const filetree::FileTree>> ClientContext::List(const CallContext& context,
                                                                              const std::vector<std::string>& include,
                                                                              uint32_t) {
  builder::v1::BuildResponse query;
  for (const std::string& path : include) query.mutable_context_query()->add_include(path);
  query.mutable_context_query();
  STRATA_RETURN_IF_ERROR(stream_.Write(query));
  MutexLock lock(mutex_);
  STRATA_RETURN_IF_ERROR(WaitFor(context, is_listed_));
  return std::make_shared<const context::ContextTree>(listing_, cache_, *this);
}

absl::Status ClientContext::Fetch(const CallContext& context, absl::Span<const filetree::Node> files) {
  std::vector<Digest> wanted;
  std::vector<uint32_t> ids;
  bool starts_transfer = false;
  {
    MutexLock lock(mutex_);
    for (const filetree::Node& file : files) {
      if (cache_.Has(file.digest)) continue;
      const auto id = ids_.find(file.digest);
      if (id == ids_.end()) return absl::InternalError(absl::StrCat("\"", file.path, "\" is not in the context's listing"));
      wanted.push_back(file.digest);
      if (!pending_.insert(file.digest).second) continue;  // somebody asked already
      ids.push_back(id->second);
      expected_bytes_ += file.size_bytes;
    }
    // Until our own files are asked for, below, nobody can end this transfer.
    starts_transfer = !ids.empty() && !std::exchange(is_transferring_, true);
  }
  if (starts_transfer) StartTransferStep();
  for (size_t begin = 0; begin < ids.size(); begin += kIdsPerQuery) {
    builder::v1::BuildResponse query;
    const size_t end = std::min(ids.size(), begin + kIdsPerQuery);
    query.mutable_file_query()->mutable_ids()->Add(ids.begin() + static_cast<ptrdiff_t>(begin), ids.begin() + static_cast<ptrdiff_t>(end));
    STRATA_RETURN_IF_ERROR(stream_.Write(query));
  }
  MutexLock lock(mutex_);
  for (const Digest& digest : wanted) {
    while (pending_.contains(digest)) {
      STRATA_RETURN_IF_ERROR(ended_);
      STRATA_RETURN_IF_ERROR(context.Check());
      changed_.WaitFor(mutex_, absl::Milliseconds(100));
    }
  }
  return absl::OkStatus();
}

void ClientContext::StartTransferStep() {
  const uint32_t step = progress_.AddStep("transfer build context");
  progress_.SetState(step, progress::StepState::kRunning);
  MutexLock lock(mutex_);
  transfer_step_ = step;
}

absl::Status ClientContext::OnEntries(const builder::v1::ContextEntries& entries) {
  MutexLock lock(mutex_);
  if (is_listed_) return absl::InvalidArgumentError("the client listed more context after it ended the listing");
  for (const auto& entry : entries.entries()) {
    STRATA_ASSIGN_OR_RETURN(filetree::Node node, ToNode(entry));
    if (node.is_regular() && !node.digest.is_empty()) {
      ids_.try_emplace(node.digest, entry.id());
      sizes_[node.digest] = node.size_bytes;
      files_[entry.id()] = {node.digest, node.path};
    }
    STRATA_RETURN_IF_ERROR(listing_.Add(std::move(node)));
  }
  return absl::OkStatus();
}

absl::Status ClientContext::OnListingEnd() {
  MutexLock lock(mutex_);
  if (is_listed_) return absl::InvalidArgumentError("the client ended the context's listing twice");
  is_listed_ = true;
  changed_.SignalAll();
  return absl::OkStatus();
}

absl::Status ClientContext::OnFileData(const builder::v1::FileData& data) {
  int64_t bytes = 0;
  for (const auto& piece : data.pieces()) {
    STRATA_RETURN_IF_ERROR(TakePiece(piece));
    bytes += static_cast<int64_t>(piece.data().size());
  }
  uint32_t step = 0;
  bool is_over = false;
  int64_t received = 0;
  int64_t expected = 0;
  {
    MutexLock lock(mutex_);
    received = received_bytes_ += bytes;
    expected = expected_bytes_;
    step = transfer_step_;
    is_over = pending_.empty() && std::exchange(is_transferring_, false);
    if (is_over) transfer_step_ = 0;
  }
  if (step != 0) progress_.Bytes(step, "transferring context", received, expected);
  if (is_over) progress_.SetState(step, progress::StepState::kDone);
  return absl::OkStatus();
}

absl::Status ClientContext::TakePiece(const builder::v1::FileData::Piece& piece) {
  auto found = incoming_.find(piece.id());
  if (found == incoming_.end()) {
    // One open file at a time: a client must not be able to use up the descriptors of everybody.
    if (!incoming_.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("the client began to send file ", piece.id(), " in the middle of file ",
                                                     incoming_.begin()->first, "; pieces of a file follow one another"));
    }
    Expected expected;
    int64_t size_bytes = 0;
    {
      MutexLock lock(mutex_);
      const auto file = files_.find(piece.id());
      if (file == files_.end() || !pending_.contains(file->second.first)) {
        return absl::InvalidArgumentError(absl::StrCat("the client sent file ", piece.id(), ", which nobody asked for"));
      }
      expected.digest = file->second.first;
      expected.path = file->second.second;
      size_bytes = sizes_[expected.digest];
    }
    STRATA_ASSIGN_OR_RETURN(expected.incoming, cache_.Begin(expected.digest, size_bytes));
    found = incoming_.emplace(piece.id(), std::move(expected)).first;
  }
  Expected& expected = found->second;
  if (!piece.error().empty()) {
    return absl::FailedPreconditionError(absl::StrCat("context file \"", expected.path, "\": ", piece.error()));
  }
  STRATA_RETURN_IF_ERROR(Annotate(expected.incoming->Append(piece.data()), expected.path));
  if (!piece.last()) return absl::OkStatus();
  STRATA_RETURN_IF_ERROR(Annotate(expected.incoming->Commit(), absl::StrCat("context file \"", expected.path, "\"")));
  MutexLock lock(mutex_);
  pending_.erase(expected.digest);
  incoming_.erase(found);
  changed_.SignalAll();
  return absl::OkStatus();
}

void ClientContext::OnStreamEnd(const absl::Status& status) {
  incoming_.clear();  // half files go before anybody hears of the end
  uint32_t step = 0;
  {
    MutexLock lock(mutex_);
    step = std::exchange(transfer_step_, 0);
    is_transferring_ = false;
    if (ended_.ok()) ended_ = status.ok() ? absl::CancelledError("the client ended the stream") : status;
    if (failure_.ok() && !absl::IsCancelled(status)) failure_ = status;
    changed_.SignalAll();
  }
  if (step == 0) return;
  progress_.SetState(step, status.ok() ? progress::StepState::kCancelled : progress::StepState::kFailed, status.message());
}

absl::Status ClientContext::failure() {
  MutexLock lock(mutex_);
  return failure_;
}

}  // namespace strata::rpc
