#include "lib/distribution/blob_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/http/range.h"

namespace strata::distribution {
namespace {

bool IsWorthRetrying(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable || status.code() == absl::StatusCode::kDeadlineExceeded;
}

}  // namespace

absl::Status WaitBeforeRetry(const CallContext& context, absl::Duration delay) {
  Mutex mutex;
  CondVar cancelled;
  Cancellation::Registration on_cancel;
  if (context.cancellation != nullptr) {
    on_cancel = context.cancellation->OnCancel([&] {
      MutexLock lock(mutex);
      cancelled.SignalAll();
    });
  }
  const absl::Time until = std::min(absl::Now() + delay, context.deadline);
  {
    MutexLock lock(mutex);
    for (absl::Time now = absl::Now(); now < until && !context.cancelled(); now = absl::Now()) cancelled.WaitFor(mutex, until - now);
  }
  return context.Check();
}

BlobStream::BlobStream(RegistryClient& client, const CallContext& context, RegistryClient::Target target, Digest digest, int64_t size_bytes,
                       std::unique_ptr<ByteSource> body)
    : client_(client),
      context_(context),
      target_(std::move(target)),
      digest_(std::move(digest)),
      body_(std::move(body)),
      resuming_(*this),
      verifying_(resuming_, digest_, size_bytes) {}

absl::StatusOr<size_t> BlobStream::ReadResuming(char* buffer, size_t size) {
  while (true) {
    absl::Status failure;
    if (body_ == nullptr) failure = Reopen();
    if (failure.ok()) {
      absl::StatusOr<size_t> n = body_->Read(buffer, size);
      if (n.ok()) {
        if (*n > 0) failures_ = 0;
        offset_ += *n;
        return n;
      }
      failure = n.status();
    }
    body_.reset();
    STRATA_RETURN_IF_ERROR(context_.Check());
    if (!IsWorthRetrying(failure) || ++failures_ >= client_.options_.max_tries) {
      return Annotate(failure, absl::StrCat("reading ", target_.Describe(), ", after ", offset_, " bytes"));
    }
    STRATA_RETURN_IF_ERROR(WaitBeforeRetry(context_, client_.options_.first_retry_delay * (1 << std::min(failures_ - 1, 6))));
  }
}

absl::Status BlobStream::Reopen() {
  STRATA_ASSIGN_OR_RETURN(http::ClientResponse response, client_.OpenBlob(context_, target_, digest_, offset_));
  body_ = std::move(response.body);
  if (response.status == 200) return SkipTo(offset_);
  STRATA_ASSIGN_OR_RETURN(const http::ContentRange range, http::ParseContentRange(response.headers.Get("Content-Range")));
  if (range.range.first != offset_) {
    return absl::DataLossError(absl::StrCat("the registry resumes at byte ", range.range.first, ", asked for ", offset_));
  }
  return absl::OkStatus();
}

// For servers that ignore Range.
absl::Status BlobStream::SkipTo(uint64_t offset) {
  const auto scrap = std::make_unique<char[]>(kStreamChunkBytes);
  while (offset > 0) {
    STRATA_ASSIGN_OR_RETURN(const size_t n, body_->Read(scrap.get(), std::min<uint64_t>(kStreamChunkBytes, offset)));
    if (n == 0) return absl::DataLossError("the blob became shorter between two tries");
    offset -= n;
  }
  return absl::OkStatus();
}

}  // namespace strata::distribution
