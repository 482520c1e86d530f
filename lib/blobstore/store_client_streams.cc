#include "lib/blobstore/store_client_streams.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/rpc/call.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/status.h"

namespace strata::blobstore {

namespace v1 = store::v1;

namespace {

constexpr char kOpenedKey[] = "x-strata-upload";

grpc::WriteOptions Uncompressed() { return grpc::WriteOptions().set_no_compression(); }

// Collects what is written into full messages.
class StreamWriter final : public UploadWriter {
 public:
  StreamWriter(const std::string& peer, const CallContext& context) : peer_(peer), call_(context) {}

  ~StreamWriter() override {
    if (state_ == State::kOpen) Flush().IgnoreError();
  }

  absl::Status Open(v1::BlobService::Stub& stub, const v1::WriteUploadRequest::Header& header) {
    stream_ = stub.WriteUpload(call_.get(), &response_);
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
      std::string& buffer = *message_.mutable_data();
      const size_t count = std::min(data.size(), rpc::kContentMessageBytes - buffer.size());
      buffer.append(data.data(), count);
      data.remove_prefix(count);
      if (buffer.size() == rpc::kContentMessageBytes) STRATA_RETURN_IF_ERROR(SendBuffered());
    }
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Flush() override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    STRATA_RETURN_IF_ERROR(SendBuffered());
    stream_->WritesDone();
    STRATA_RETURN_IF_ERROR(Finish());
    return static_cast<uint64_t>(response_.offset_bytes());
  }

  absl::Status Commit(const Digest& digest, std::optional<uint64_t> size_bytes) override {
    STRATA_RETURN_IF_ERROR(CheckOpen());
    STRATA_RETURN_IF_ERROR(SendBuffered());
    v1::WriteUploadRequest request;
    request.mutable_commit()->set_digest(digest.ToString());
    // 0 is "any size" on the wire. The one blob of size 0 is told by its digest as well.
    const bool is_declared_empty = size_bytes == uint64_t{0} && digest != Digest::Of("", digest.algorithm());
    request.mutable_commit()->set_size_bytes(is_declared_empty ? kNoSuchSize : static_cast<int64_t>(size_bytes.value_or(0)));
    if (!stream_->Write(request, Uncompressed().set_last_message())) return End();
    STRATA_RETURN_IF_ERROR(Finish());
    if (response_.committed_digest() == digest.ToString()) return absl::OkStatus();
    return absl::InternalError(absl::StrCat(peer_, " committed \"", response_.committed_digest(), "\", not ", digest.ToString()));
  }

 private:
  enum class State { kOpen, kEnded };
  // A size that no upload has, so that the store refuses and discards the session.
  static constexpr int64_t kNoSuchSize = INT64_MAX;

  absl::Status CheckOpen() const {
    if (state_ == State::kOpen) return absl::OkStatus();
    return failure_.ok() ? absl::FailedPreconditionError("this write to the upload has ended") : failure_;
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
    failure_ = rpc::FromGrpc(stream_->Finish(), peer_);
    return failure_;
  }

  // The store ended the stream before we did: it has said why.
  absl::Status End() {
    if (Finish().ok()) failure_ = absl::InternalError(absl::StrCat(peer_, " ended the upload before its content was complete"));
    return failure_;
  }

  const std::string& peer_;
  rpc::ClientCall call_;
  v1::WriteUploadResponse response_;
  std::unique_ptr<grpc::ClientWriter<v1::WriteUploadRequest>> stream_;
  v1::WriteUploadRequest message_;  // its data is the buffer
  State state_ = State::kOpen;
  absl::Status failure_;  // what later calls get
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

absl::StatusOr<std::unique_ptr<UploadWriter>> OpenWriteStream(v1::BlobService::Stub& stub, const std::string& peer,
                                                              const CallContext& context,
                                                              const v1::WriteUploadRequest::Header& header) {
  auto writer = std::make_unique<StreamWriter>(peer, context);
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
