#include "cli/build/context_sender.h"

#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::cli {
namespace {

constexpr size_t kMaxDataBytes = 1024 * 1024;
constexpr size_t kMaxListingBytes = 512 * 1024;
// A message of empty files must end somewhere too.
constexpr int kMaxPieces = 4096;

void ToProto(uint32_t id, const ContextEntry& entry, builder::v1::ContextEntry& out) {
  out.set_id(id);
  out.set_path(entry.path);
  out.set_mode(entry.mode);
  out.set_size_bytes(entry.size_bytes);
  out.set_mtime_ns(entry.mtime_ns);
  out.set_link_target(entry.link_target);
  out.set_digest(entry.digest.ToString());
  out.set_device_major(entry.device_major);
  out.set_device_minor(entry.device_minor);
  for (const auto& [name, value] : entry.xattrs) {
    auto* xattr = out.add_xattrs();
    xattr->set_name(name);
    xattr->set_value(value);
  }
}

// Reads until `data` is full. kAborted when the source ends before.
absl::Status Fill(ByteSource& source, const std::string& path, std::string& data) {
  size_t filled = 0;
  while (filled < data.size()) {
    STRATA_ASSIGN_OR_RETURN(const size_t got, source.Read(data.data() + filled, data.size() - filled));
    if (got == 0) return absl::AbortedError(absl::StrCat("\"", path, "\" is shorter than it was when it was listed; build again"));
    filled += got;
  }
  return absl::OkStatus();
}

// Lets the source notice at its end that the file changed meanwhile.
absl::Status ExpectEnd(ByteSource& source, const std::string& path) {
  char byte;
  STRATA_ASSIGN_OR_RETURN(const size_t got, source.Read(&byte, 1));
  if (got != 0) return absl::AbortedError(absl::StrCat("\"", path, "\" is longer than it was when it was listed; build again"));
  return absl::OkStatus();
}

}  // namespace

ContextSender::ContextSender(const CallContext& call, BuildContext* context, glob::IgnoreMatcher ignore, Send send,
                             std::function<void()> on_failure)
    : call_(call),
      context_(context),
      ignore_(std::move(ignore)),
      send_(std::move(send)),
      on_failure_(std::move(on_failure)) {
  if (call.cancellation != nullptr) link_ = call.cancellation->OnCancel([this] { cancellation_.Cancel(); });
  call_.cancellation = &cancellation_;
  thread_ = std::thread([this] { Work(); });
}

void ContextSender::Enqueue(Question question) {
  {
    MutexLock lock(mutex_);
    queue_.push_back(std::move(question));
  }
  changed_.Signal();
}

void ContextSender::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  cancellation_.Cancel();
  changed_.Signal();
  if (thread_.joinable()) thread_.join();
}

bool ContextSender::stopped() const {
  MutexLock lock(mutex_);
  return stopped_;
}

void ContextSender::Work() {
  for (;;) {
    Question question;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopped_) changed_.Wait(mutex_);
      if (stopped_) return;
      question = std::move(queue_.front());
      queue_.pop_front();
    }
    if (const auto* files = std::get_if<builder::v1::FileQuery>(&question)) {
      SendFiles(*files);
      continue;
    }
    const absl::Status listed = SendListing(std::get<builder::v1::ContextQuery>(question));
    if (listed.ok()) continue;
    // Stopped in the middle: the call is over for another reason, which the caller knows.
    if (absl::IsCancelled(listed) && stopped()) return;
    status_ = listed;
    on_failure_();
    return;
  }
}

absl::Status ContextSender::SendListing(const builder::v1::ContextQuery& query) {
  entries_.clear();
  if (context_ != nullptr) {
    const std::vector<std::string> include(query.include().begin(), query.include().end());
    auto filter = ContextFilter::Create(include, ignore_, [this](absl::string_view path) { return context_->LinkTarget(path); },
                                        [this](absl::string_view path) { return context_->FolderNames(path); });
    if (!filter.ok()) return Annotate(filter.status(), "the builder asked for context files in a way that makes no sense");
    STRATA_ASSIGN_OR_RETURN(entries_, context_->List(call_, *filter));
  }
  // A message that cannot be sent means that the call is over; whoever reads the other direction learns why.
  if (!SendEntries()) return absl::OkStatus();
  builder::v1::BuildRequest end;
  end.mutable_context_end();
  send_(end);
  return absl::OkStatus();
}

bool ContextSender::SendEntries() {
  builder::v1::BuildRequest message;
  size_t bytes = 0;
  for (size_t id = 0; id < entries_.size(); ++id) {
    auto& entry = *message.mutable_context_entries()->add_entries();
    ToProto(static_cast<uint32_t>(id), entries_[id], entry);
    bytes += entry.ByteSizeLong() + 8;
    if (bytes < kMaxListingBytes) continue;
    if (!send_(message)) return false;
    message.Clear();
    bytes = 0;
  }
  return !message.has_context_entries() || send_(message);
}

void ContextSender::SendFiles(const builder::v1::FileQuery& query) {
  for (const uint32_t id : query.ids()) {
    if (stopped() || !SendFile(id)) {
      batch_.Clear();
      batch_bytes_ = 0;
      return;
    }
  }
  Flush();
}

bool ContextSender::SendFile(uint32_t id) {
  const auto refuse = [&](absl::string_view why) {
    auto* piece = batch_.mutable_file_data()->add_pieces();
    piece->set_id(id);
    piece->set_last(true);
    piece->set_error(std::string(why));
    return Flush();
  };
  if (id >= entries_.size() || !S_ISREG(entries_[id].mode)) return refuse(absl::StrCat("context entry ", id, " is not a listed file"));
  const ContextEntry& entry = entries_[id];
  const auto source = context_->Open(entry);
  if (!source.ok()) return refuse(source.status().message());
  int64_t left = entry.size_bytes;
  for (;;) {
    auto* piece = batch_.mutable_file_data()->add_pieces();
    piece->set_id(id);
    piece->mutable_data()->resize(std::min<size_t>(kMaxDataBytes - batch_bytes_, static_cast<size_t>(left)));
    absl::Status read = Fill(**source, entry.path, *piece->mutable_data());
    left -= static_cast<int64_t>(piece->data().size());
    batch_bytes_ += piece->data().size();
    if (read.ok() && left == 0) read = ExpectEnd(**source, entry.path);
    if (!read.ok()) {
      batch_.mutable_file_data()->mutable_pieces()->RemoveLast();
      return refuse(read.message());
    }
    piece->set_last(left == 0);
    const bool is_full = batch_bytes_ >= kMaxDataBytes || batch_.file_data().pieces_size() >= kMaxPieces;
    if (is_full && !Flush()) return false;
    if (left == 0) return true;
    if (stopped()) return false;
  }
}

bool ContextSender::Flush() {
  if (batch_.file_data().pieces_size() == 0) return true;
  const bool sent = send_(batch_);
  batch_.Clear();
  batch_bytes_ = 0;
  return sent;
}

}  // namespace strata::cli
