#include "lib/blobstore/store_client_streams.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/rpc/call.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/status.h"

namespace strata::blobstore {

namespace v1 = store::v1;

namespace {

constexpr char kOpenedKey[] = "x-strata-upload";
// How many bytes are put into a file before the store is told, so that it can hash them.
constexpr uint64_t kReportBytes = 1 << 20;

// A size that no upload has, so that the store refuses and discards the session.
constexpr int64_t kNoSuchSize = INT64_MAX;

grpc::WriteOptions Uncompressed() { return grpc::WriteOptions().set_no_compression(); }

// Collects what is written into full messages; or, once it has the file, puts it there.
class StreamWriter final : public UploadWriter, private DirectUpload {
 public:
  StreamWriter(const std::string& peer, descriptor::DescriptorClient* descriptors, const CallContext& context)
      : peer_(peer), descriptors_(descriptors), call_(context) {}

  ~StreamWriter() override {
    if (state_ == State::kOpen) Flush().IgnoreError();
  }

  absl::Status Open(v1::BlobService::Stub& stub, const v1::WriteUploadRequest::Header& header) {
    stream_ = stub.WriteUpload(call_.get());
    v1::WriteUploadRequest request;
    *request.mutable_header() = header;
    if (!stream_->Write(request)) return End();
    stream_->WaitForInitialMetadata();
    if (!call_->GetServerInitialMetadata().contains(kOpenedKey)) return End();
    return absl::OkStatus();
  }

  absl::Status Write(absl::string_view data) override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    while (!data.empty()) {
      if (file_.is_valid()) return WriteToFile(data);
      std::string& buffer = *message_.mutable_data();
      const size_t count = std::min(data.size(), rpc::kContentMessageBytes - buffer.size());
      buffer.append(data.data(), count);
      data.remove_prefix(count);
      if (buffer.size() < rpc::kContentMessageBytes) continue;
      // So much is worth a file.
      STRATA_RETURN_IF_ERROR(Direct().status());
      if (!file_.is_valid()) STRATA_RETURN_IF_ERROR(SendBuffered());
    }
    return absl::OkStatus();
  }

  absl::StatusOr<DirectUpload*> Direct() override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    if (file_.is_valid()) return static_cast<DirectUpload*>(this);
    if (has_asked_ || descriptors_ == nullptr || !descriptors_->IsWorthTrying()) return nullptr;
    has_asked_ = true;
    STRATA_RETURN_IF_ERROR(AskForFile());
    if (!file_.is_valid()) return nullptr;
    // In front of all that follows.
    const std::string buffered = std::move(*message_.mutable_data());
    message_.mutable_data()->clear();
    STRATA_RETURN_IF_ERROR(WriteToFile(buffered));
    return static_cast<DirectUpload*>(this);
  }

  absl::StatusOr<uint64_t> Flush() override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    STRATA_RETURN_IF_ERROR(SendRest());
    stream_->WritesDone();
    STRATA_RETURN_IF_ERROR(Finish());
    return static_cast<uint64_t>(response_.offset_bytes());
  }

  absl::Status Commit(const Digest& digest, std::optional<uint64_t> size_bytes) override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    STRATA_RETURN_IF_ERROR(SendRest());
    v1::WriteUploadRequest request;
    SetCommit(digest, size_bytes, *request.mutable_commit());
    if (!stream_->Write(request, Uncompressed().set_last_message())) return End();
    STRATA_RETURN_IF_ERROR(Finish());
    if (response_.committed_digest() == digest.ToString()) return absl::OkStatus();
    return absl::InternalError(absl::StrCat(peer_, " committed \"", response_.committed_digest(), "\", not ", digest.ToString()));
  }

 private:
  enum class State { kOpen, kEnded };

  // DirectUpload.
  int descriptor() const override { return file_.get(); }
  uint64_t offset_bytes() const override { return offset_; }
  absl::StatusOr<uint64_t> Allowance() override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    while (allowed_until_ <= offset_) {
      STRATA_RETURN_IF_ERROR(Report());
      v1::WriteUploadResponse response;
      if (!stream_->Read(&response)) return End();
      allowed_until_ = std::max(allowed_until_, static_cast<uint64_t>(response.allowed_until()));
    }
    return allowed_until_ - offset_;
  }
  absl::Status Advance(uint64_t count) override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    offset_ += count;
    unreported_ += count;
    return unreported_ < kReportBytes ? absl::OkStatus() : Report();
  }

  absl::Status CheckOpen() const {
    if (state_ == State::kOpen) return absl::OkStatus();
    return failure_.ok() ? absl::FailedPreconditionError("this write to the upload has ended") : failure_;
  }

  // Leaves file_ as it is when there is none to be had.
  absl::Status AskForFile() {
    v1::WriteUploadRequest request;
    request.mutable_open_file();
    v1::WriteUploadResponse response;
    if (!stream_->Write(request) || !stream_->Read(&response)) return End();
    if (response.file().ticket().empty()) return absl::OkStatus();
    absl::StatusOr<descriptor::ReceivedDescriptor> received =
        descriptors_->Redeem(response.file().socket_path(), response.file().ticket());
    // Whatever the reason: the same bytes can go in messages.
    if (!received.ok()) return absl::OkStatus();
    file_ = std::move(received->fd);
    offset_ = static_cast<uint64_t>(response.offset_bytes());
    allowed_until_ = static_cast<uint64_t>(response.allowed_until());
    return absl::OkStatus();
  }

  absl::Status WriteToFile(absl::string_view data) {
    while (!data.empty()) {
      STRATA_ASSIGN_OR_RETURN(const uint64_t allowance, Allowance());
      const absl::string_view piece = data.substr(0, std::min<uint64_t>(allowance, kStreamChunkBytes));
      const ssize_t n = ::pwrite(file_.get(), piece.data(), piece.size(), static_cast<off_t>(offset_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoStatus(errno, "writing to the store's file");
      STRATA_RETURN_IF_ERROR(Advance(static_cast<uint64_t>(n)));
      data.remove_prefix(static_cast<size_t>(n));
    }
    return absl::OkStatus();
  }

  absl::Status Report() {
    if (unreported_ == 0) return absl::OkStatus();
    v1::WriteUploadRequest request;
    request.set_written_bytes(static_cast<int64_t>(std::exchange(unreported_, 0)));
    return stream_->Write(request) ? absl::OkStatus() : End();
  }

  // All that the store has not seen yet. It commits nothing while anybody has the file open.
  absl::Status SendRest() {
    file_.Reset();
    STRATA_RETURN_IF_ERROR(Report());
    return SendBuffered();
  }

  absl::Status SendBuffered() {
    std::string& buffer = *message_.mutable_data();
    if (buffer.empty()) return absl::OkStatus();
    if (!stream_->Write(message_, Uncompressed())) return End();
    buffer.clear();
    return absl::OkStatus();
  }

  absl::Status Finish() {
    state_ = State::kEnded;
    file_.Reset();
    v1::WriteUploadResponse response;
    while (stream_->Read(&response)) response_ = response;  // the last one counts; those before widen the allowance
    failure_ = rpc::FromGrpc(stream_->Finish(), peer_);
    return failure_;
  }

  // The store ended the stream before we did: it has said why.
  absl::Status End() {
    if (Finish().ok()) failure_ = absl::InternalError(absl::StrCat(peer_, " ended the upload before its content was complete"));
    return failure_;
  }

  const std::string& peer_;
  descriptor::DescriptorClient* const descriptors_;  // null: not wanted
  rpc::ClientCall call_;
  v1::WriteUploadResponse response_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WriteUploadRequest, v1::WriteUploadResponse>> stream_;
  v1::WriteUploadRequest message_;  // its data is the buffer
  State state_ = State::kOpen;
  absl::Status failure_;  // what later calls get

  bool has_asked_ = false;  // for the file
  UniqueFd file_;           // valid: content goes there
  uint64_t offset_ = 0;     // in the upload, of the next byte; as all below, of the file only
  uint64_t allowed_until_ = 0;
  uint64_t unreported_ = 0;
};

class StreamReader final : public BlobReader {
 public:
  StreamReader(const std::string& peer, const CallContext& context) : peer_(peer), call_(context) {}

  ~StreamReader() override {
    if (has_ended_) return;
    call_->TryCancel();
    stream_->Finish();
  }

  absl::Status Open(v1::BlobService::Stub& stub, v1::ReadBlobRequest request, std::optional<uint64_t> length_bytes) {
    const uint64_t offset = static_cast<uint64_t>(request.offset_bytes());
    // 0 is "to the end" on the wire; nothing at all is asked for as one byte, which is not given out.
    if (length_bytes) {
      request.set_length_bytes(static_cast<int64_t>(std::clamp<uint64_t>(*length_bytes, 1, INT64_MAX)));
    }
    stream_ = stub.ReadBlob(call_.get(), request);
    if (!stream_->Read(&message_)) return End();
    if (!message_.has_info()) return Nonsense("began with content");
    size_bytes_ = static_cast<uint64_t>(message_.info().size_bytes());
    if (offset > size_bytes_) return Nonsense("began past the end");
    left_ = std::min(length_bytes.value_or(UINT64_MAX), size_bytes_ - offset);
    return absl::OkStatus();
  }

  uint64_t size_bytes() const override { return size_bytes_; }

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    STRATA_RETURN_IF_ERROR(failure_);
    if (left_ == 0) return ReadEnd();
    if (position_ == message_.data().size()) STRATA_RETURN_IF_ERROR(Next());
    const size_t count = message_.data().copy(buffer, std::min(size, message_.data().size() - position_), position_);
    position_ += count;
    left_ -= count;
    return count;
  }

 private:
  absl::Status Next() {
    position_ = 0;
    if (!stream_->Read(&message_)) {
      const absl::Status status = End();
      return status.ok() ? Nonsense("ended early") : status;
    }
    if (message_.data().empty() || message_.data().size() > left_) return Nonsense("brought another number of bytes than asked for");
    return absl::OkStatus();
  }

  // Damage may be told only behind the last byte.
  absl::StatusOr<size_t> ReadEnd() {
    if (has_ended_ || position_ == 0) return 0;
    if (stream_->Read(&message_)) return Nonsense("brought more bytes than asked for");
    STRATA_RETURN_IF_ERROR(End());
    return 0;
  }

  absl::Status End() {
    has_ended_ = true;
    failure_ = rpc::FromGrpc(stream_->Finish(), peer_);
    return failure_;
  }

  absl::Status Nonsense(absl::string_view what) {
    failure_ = absl::InternalError(absl::StrCat("the answer of ", peer_, " ", what));
    return failure_;
  }

  const std::string& peer_;
  rpc::ClientCall call_;
  std::unique_ptr<grpc::ClientReader<v1::ReadBlobResponse>> stream_;
  v1::ReadBlobResponse message_;
  size_t position_ = 0;  // in the data of message_
  uint64_t size_bytes_ = 0;
  uint64_t left_ = 0;
  bool has_ended_ = false;
  absl::Status failure_;  // what later reads get
};

}  // namespace

void SetCommit(const Digest& digest, std::optional<uint64_t> size_bytes, v1::WriteUploadRequest::Commit& commit) {
  commit.set_digest(digest.ToString());
  // 0 is "any size" on the wire. The one blob of size 0 is told by its digest as well.
  const bool is_declared_empty = size_bytes == uint64_t{0} && digest != Digest::Of("", digest.algorithm());
  commit.set_size_bytes(is_declared_empty ? kNoSuchSize : static_cast<int64_t>(size_bytes.value_or(0)));
}

absl::StatusOr<std::unique_ptr<UploadWriter>> OpenWriteStream(v1::BlobService::Stub& stub, const std::string& peer,
                                                              descriptor::DescriptorClient* descriptors,
                                                              const CallContext& context,
                                                              const v1::WriteUploadRequest::Header& header) {
  auto writer = std::make_unique<StreamWriter>(peer, descriptors, context);
  STRATA_RETURN_IF_ERROR(writer->Open(stub, header));
  return writer;
}

absl::StatusOr<std::unique_ptr<BlobReader>> OpenReadStream(v1::BlobService::Stub& stub, const std::string& peer,
                                                           const CallContext& context, v1::ReadBlobRequest request,
                                                           std::optional<uint64_t> length_bytes) {
  auto reader = std::make_unique<StreamReader>(peer, context);
  STRATA_RETURN_IF_ERROR(reader->Open(stub, std::move(request), length_bytes));
  return reader;
}

}  // namespace strata::blobstore
