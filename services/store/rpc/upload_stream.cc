#include "services/store/rpc/upload_stream.h"

#include <fcntl.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/rpc/channel.h"
#include "proto/strata/store/v1/blob.grpc.pb.h"
#include "services/store/rpc/translate.h"

namespace strata::store {

namespace {

using Request = v1::WriteUploadRequest;
using Response = v1::WriteUploadResponse;

// How far the allowance moves before the client is told.
constexpr uint64_t kTellEvery = 4 << 20;

// The minimum-progress rule. A client that sends a byte now and then is never late with a message, but holds a thread and a session for
// ever: for each `patience` that the store has waited, so many bytes must have come. Only waiting counts, not the store's own work.
class Progress {
 public:
  explicit Progress(const StreamLimits& limits) : limits_(limits) {}

  void Waited(absl::Duration duration) { waited_ += duration; }
  absl::Status Received(uint64_t bytes) {
    received_ += static_cast<int64_t>(bytes);
    if (waited_ < limits_.patience) return absl::OkStatus();
    const double wanted = static_cast<double>(limits_.min_bytes_a_minute) * absl::ToDoubleMinutes(waited_);
    const int64_t received = std::exchange(received_, 0);
    const absl::Duration waited = std::exchange(waited_, absl::ZeroDuration());
    if (static_cast<double>(received) >= wanted) return absl::OkStatus();
    return absl::DeadlineExceededError(absl::StrCat("the upload brought ", received, " bytes in ", absl::FormatDuration(waited),
                                                    ", less than ", limits_.min_bytes_a_minute,
                                                    " bytes a minute; what came is kept: go on from the offset held"));
  }

 private:
  const StreamLimits& limits_;
  int64_t received_ = 0;
  absl::Duration waited_;
};

absl::Status CheckData(const std::string& data) {
  if (!data.empty() && data.size() <= rpc::kContentMessageBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a data message of ", data.size(), " bytes; each carries 1 to ", rpc::kContentMessageBytes));
}

// How much of the content a message brought. Call after it was taken, which checks the figure.
uint64_t BytesIn(const Request& request) {
  return request.has_data() ? request.data().size() : static_cast<uint64_t>(request.written_bytes());
}

absl::StatusOr<std::string> OfferCopy(descriptor::DescriptorServer& descriptors, int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy.is_valid()) return ErrnoStatus(errno, "copying the descriptor of an extent");
  return descriptors.Offer(std::move(copy));
}

class Receiver {
 public:
  Receiver(descriptor::DescriptorServer* descriptors, UploadStream& stream, std::unique_ptr<blobstore::UploadWriter> writer,
           uint64_t offset)
      : descriptors_(descriptors), stream_(stream), writer_(std::move(writer)), held_(offset) {}
  ~Receiver() { WithdrawTicket(); }

  // One message behind the header. True: it was the last.
  absl::StatusOr<bool> Take(const Request& request) {
    switch (request.part_case()) {
      case Request::kData:
        STRATA_RETURN_IF_ERROR(CheckData(request.data()));
        STRATA_RETURN_IF_ERROR(writer_->Write(request.data()));
        held_ += request.data().size();
        return false;
      case Request::kOpenFile:
        STRATA_RETURN_IF_ERROR(OpenFile());
        return false;
      case Request::kWrittenBytes:
        STRATA_RETURN_IF_ERROR(Advance(request.written_bytes()));
        return false;
      case Request::kCommit:
        STRATA_RETURN_IF_ERROR(Commit(request.commit()));
        return true;
      default:
        return absl::InvalidArgumentError("after the header WriteUpload takes content, then at most one commit");
    }
  }

  // Makes durable what came.
  absl::Status Keep() {
    WithdrawTicket();
    STRATA_ASSIGN_OR_RETURN(held_, writer_->Flush());
    return absl::OkStatus();
  }

  absl::Status Flush() {
    STRATA_RETURN_IF_ERROR(Keep());
    Response last;
    last.set_offset_bytes(static_cast<int64_t>(held_));
    return SendLast(last);
  }

 private:
  absl::Status OpenFile() {
    if (has_asked_) return absl::InvalidArgumentError("open_file may be sent once");
    has_asked_ = true;
    Response response;
    response.set_offset_bytes(static_cast<int64_t>(held_));
    response.mutable_file();
    if (descriptors_ != nullptr) {
      STRATA_ASSIGN_OR_RETURN(direct_, writer_->Direct());
    }
    if (direct_ == nullptr) return Send(response);
    const auto ticket = OfferCopy(*descriptors_, direct_->descriptor());
    // Too many descriptors are on their way: this one's content comes in messages.
    if (!ticket.ok()) return Send(response);
    ticket_ = *ticket;
    response.mutable_file()->set_socket_path(descriptors_->path());
    response.mutable_file()->set_ticket(ticket_);
    STRATA_RETURN_IF_ERROR(Widen());
    told_ = allowed_;
    response.set_allowed_until(static_cast<int64_t>(allowed_));
    return Send(response);
  }

  absl::Status Advance(int64_t written_bytes) {
    STRATA_ASSIGN_OR_RETURN(const uint64_t count, ParseSize("written_bytes", written_bytes));
    if (direct_ == nullptr) return absl::InvalidArgumentError("written_bytes without an open file");
    STRATA_RETURN_IF_ERROR(direct_->Advance(count));
    held_ += count;
    STRATA_RETURN_IF_ERROR(Widen());
    if (allowed_ - told_ < kTellEvery && held_ < told_) return absl::OkStatus();
    told_ = allowed_;
    Response response;
    response.set_allowed_until(static_cast<int64_t>(allowed_));
    return Send(response);
  }

  absl::Status Widen() {
    STRATA_ASSIGN_OR_RETURN(const uint64_t allowance, direct_->Allowance());
    allowed_ = held_ + allowance;
    return absl::OkStatus();
  }

  absl::Status Commit(const Request::Commit& commit) {
    STRATA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(commit.digest()));
    STRATA_ASSIGN_OR_RETURN(const uint64_t size, ParseSize("size_bytes", commit.size_bytes()));
    WithdrawTicket();
    STRATA_RETURN_IF_ERROR(writer_->Commit(digest, size == 0 ? std::nullopt : std::optional<uint64_t>(size)));
    Response last;
    last.set_offset_bytes(static_cast<int64_t>(held_));
    last.set_committed_digest(digest.ToString());
    return SendLast(last);
  }

  // A descriptor that nobody fetched would look like a writer.
  void WithdrawTicket() {
    if (!ticket_.empty()) descriptors_->Withdraw(std::exchange(ticket_, ""));
  }

  absl::Status Send(const Response& response) { return Sent(stream_.Write(response)); }
  // Travels with the status.
  absl::Status SendLast(const Response& response) {
    stream_.WriteLast(response, grpc::WriteOptions());
    return absl::OkStatus();
  }
  static absl::Status Sent(bool sent) { return sent ? absl::OkStatus() : absl::CancelledError("the client went away"); }

  descriptor::DescriptorServer* const descriptors_;
  UploadStream& stream_;
  const std::unique_ptr<blobstore::UploadWriter> writer_;
  blobstore::DirectUpload* direct_ = nullptr;  // of writer_
  std::string ticket_;
  bool has_asked_ = false;
  uint64_t held_;
  uint64_t allowed_ = 0;
  uint64_t told_ = 0;  // of allowed_, to the client
};

}  // namespace

absl::Status ReceiveUpload(blobstore::BlobStore& blobs, descriptor::DescriptorServer* descriptors, const rpc::ServerCall& call,
                           grpc::ServerContext& server, UploadStream& stream, const StreamLimits& limits) {
  const CallContext& context = call.context();
  Request request;
  Progress progress(limits);
  const auto receive = [&] {
    const rpc::PeerWait wait(call, limits.patience);
    const absl::Time began = absl::Now();
    const bool has_come = stream.Read(&request);
    progress.Waited(absl::Now() - began);
    return has_come;
  };
  if (!receive() || !request.has_header()) {
    return absl::InvalidArgumentError("the first message of WriteUpload must be the header");
  }
  const Request::Header header = request.header();
  STRATA_ASSIGN_OR_RETURN(std::optional<uint64_t> offset, ParseUploadOffset(header.offset_bytes()));
  STRATA_ASSIGN_OR_RETURN(const uint64_t incoming, ParseSize("incoming_bytes", header.incoming_bytes()));
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<blobstore::UploadWriter> writer,
                          blobs.OpenUpload(context, header.repository(), header.upload_id(), offset, incoming));
  if (!offset) {
    STRATA_ASSIGN_OR_RETURN(const blobstore::UploadInfo info, blobs.GetUpload(context, header.repository(), header.upload_id()));
    offset = info.offset_bytes;
  }
  server.AddInitialMetadata("x-strata-upload", "open");
  stream.SendInitialMetadata();

  Receiver receiver(descriptors, stream, std::move(writer), *offset);
  while (receive()) {
    STRATA_ASSIGN_OR_RETURN(const bool was_last, receiver.Take(request));
    if (was_last) return absl::OkStatus();
    if (const absl::Status moves = progress.Received(BytesIn(request)); !moves.ok()) {
      STRATA_RETURN_IF_ERROR(receiver.Keep());
      return moves;
    }
  }
  // A broken stream ends here too; what it brought is kept all the same.
  return receiver.Flush();
}

}  // namespace strata::store
