#include "services/registry/mirror/blob_flight.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"

namespace strata::registry::mirror {
namespace {

constexpr absl::Duration kLookForCancellation = absl::Seconds(1);

// A file without a name.
absl::StatusOr<UniqueFd> MakeSpool(const std::string& folder) {
  UniqueFd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd.is_valid()) return fd;
  // Some file systems have no O_TMPFILE.
  std::string path = absl::StrCat(folder, "/strata-mirror-XXXXXX");
  UniqueFd named(::mkostemp(path.data(), O_CLOEXEC));
  if (!named.is_valid()) return ErrnoStatus(errno, "making a spool file for mirrored content");
  ::unlink(path.c_str());
  return named;
}

class FlightReader final : public blobstore::BlobReader {
 public:
  FlightReader(CallContext context, std::shared_ptr<BlobFlight> flight, uint64_t size_bytes, uint64_t offset, uint64_t end)
      : context_(std::move(context)), flight_(std::move(flight)), size_bytes_(size_bytes), offset_(offset), end_(end) {}

  uint64_t size_bytes() const override { return size_bytes_; }
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    const uint64_t wanted = std::min<uint64_t>(size, end_ - offset_);
    if (wanted == 0) return 0;
    STRATA_ASSIGN_OR_RETURN(const size_t n, flight_->ReadAt(context_, offset_, buffer, wanted));
    offset_ += n;
    return n;
  }

 private:
  const CallContext context_;
  const std::shared_ptr<BlobFlight> flight_;  // shared with the bringer and other readers
  const uint64_t size_bytes_;
  uint64_t offset_;
  const uint64_t end_;
};

}  // namespace

absl::Status BlobFlight::Begin(const std::string& folder, std::optional<uint64_t> declared_bytes) {
  STRATA_ASSIGN_OR_RETURN(spool_, MakeSpool(folder));
  MutexLock lock(mutex_);
  size_bytes_ = declared_bytes;
  state_ = State::kArriving;
  changed_.SignalAll();
  return absl::OkStatus();
}

absl::Status BlobFlight::Append(absl::string_view data) {
  STRATA_RETURN_IF_ERROR(Annotate(WriteFully(spool_.get(), data), "keeping mirrored content"));
  const uint64_t before = std::exchange(written_, written_ + data.size());
  MutexLock lock(mutex_);
  readable_ = before;  // what comes last waits for the digest
  changed_.SignalAll();
  return absl::OkStatus();
}

void BlobFlight::Complete() {
  MutexLock lock(mutex_);
  size_bytes_ = readable_ = written_;
  state_ = State::kComplete;
  changed_.SignalAll();
}

void BlobFlight::Fail(const absl::Status& status) {
  MutexLock lock(mutex_);
  failure_ = status;
  state_ = State::kFailed;
  changed_.SignalAll();
}

void BlobFlight::FoundInStore() {
  MutexLock lock(mutex_);
  state_ = State::kInStore;
  changed_.SignalAll();
}

absl::Status BlobFlight::WaitForChange(const CallContext& context) {
  STRATA_RETURN_IF_ERROR(context.Check());
  changed_.WaitFor(mutex_, kLookForCancellation);
  return absl::OkStatus();
}

absl::StatusOr<bool> BlobFlight::WaitForStart(const CallContext& context) {
  MutexLock lock(mutex_);
  while (state_ == State::kStarting) STRATA_RETURN_IF_ERROR(WaitForChange(context));
  if (state_ == State::kFailed) return failure_;
  return state_ != State::kInStore;
}

absl::StatusOr<uint64_t> BlobFlight::WaitForSize(const CallContext& context) {
  MutexLock lock(mutex_);
  while (state_ != State::kFailed && !size_bytes_) STRATA_RETURN_IF_ERROR(WaitForChange(context));
  if (state_ == State::kFailed) return failure_;
  return *size_bytes_;
}

absl::StatusOr<size_t> BlobFlight::ReadAt(const CallContext& context, uint64_t offset, char* buffer, size_t size) {
  {
    MutexLock lock(mutex_);
    while (state_ == State::kArriving && readable_ <= offset) STRATA_RETURN_IF_ERROR(WaitForChange(context));
    if (readable_ <= offset) return state_ == State::kFailed ? absl::StatusOr<size_t>(failure_) : size_t{0};
    size = std::min<uint64_t>(size, readable_ - offset);
  }
  const ssize_t n = ::pread(spool_.get(), buffer, size, static_cast<off_t>(offset));
  if (n < 0) return ErrnoStatus(errno, "reading mirrored content back");
  if (n == 0) return absl::InternalError("the spool file of mirrored content became shorter");
  return static_cast<size_t>(n);
}

absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> OpenFlight(const CallContext& context, std::shared_ptr<BlobFlight> flight,
                                                                  uint64_t offset, std::optional<uint64_t> length) {
  STRATA_ASSIGN_OR_RETURN(const uint64_t size, flight->WaitForSize(context));
  if (offset > size) return absl::OutOfRangeError(absl::StrCat("offset ", offset, " is past the end of a blob of ", size, " bytes"));
  const uint64_t end = length ? offset + std::min(*length, size - offset) : size;
  return std::make_unique<FlightReader>(context, std::move(flight), size, offset, end);
}

}  // namespace strata::registry::mirror
