// A blob store whose calls fail when a test says so, over one that works.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "lib/blobstore/blob_store.h"

namespace strata::registry {

class FailingBlobStore final : public blobstore::BlobStore {
 public:
  // `inner` outlives this object.
  explicit FailingBlobStore(blobstore::BlobStore& inner) : inner_(inner) {}

  absl::Status every_call;    // when not OK: what every call returns
  absl::Status read_failure;  // when not OK: what reads return after good_bytes
  uint64_t good_bytes = 0;
  absl::Status flush_failure;   // when not OK: what Flush returns; the bytes are lost
  absl::Status commit_failure;  // the same for Commit

  absl::StatusOr<std::string> StartUpload(const CallContext& context, absl::string_view repository,
                                          DigestAlgorithm algorithm) override {
    if (!every_call.ok()) return every_call;
    return inner_.StartUpload(context, repository, algorithm);
  }
  absl::StatusOr<blobstore::UploadInfo> GetUpload(const CallContext& context, absl::string_view repository,
                                                  absl::string_view upload_id) override {
    if (!every_call.ok()) return every_call;
    return inner_.GetUpload(context, repository, upload_id);
  }
  absl::Status CancelUpload(const CallContext& context, absl::string_view repository, absl::string_view upload_id) override {
    if (!every_call.ok()) return every_call;
    return inner_.CancelUpload(context, repository, upload_id);
  }
  absl::StatusOr<std::unique_ptr<blobstore::UploadWriter>> OpenUpload(const CallContext& context,
                                                                      absl::string_view repository,
                                                                      absl::string_view upload_id,
                                                                      std::optional<uint64_t> offset_bytes,
                                                                      uint64_t incoming_bytes) override {
    if (!every_call.ok()) return every_call;
    auto writer = inner_.OpenUpload(context, repository, upload_id, offset_bytes, incoming_bytes);
    if (!writer.ok()) return writer;
    return std::make_unique<Writer>(*this, *std::move(writer));
  }
  absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> OpenBlob(const CallContext& context, absl::string_view repository,
                                                                  const Digest& digest, uint64_t offset_bytes,
                                                                  std::optional<uint64_t> length_bytes) override {
    if (!every_call.ok()) return every_call;
    auto reader = inner_.OpenBlob(context, repository, digest, offset_bytes, length_bytes);
    if (!reader.ok()) return reader;
    return std::make_unique<Reader>(*this, *std::move(reader));
  }
  absl::StatusOr<std::vector<std::optional<uint64_t>>> StatBlobs(const CallContext& context, absl::string_view repository,
                                                                 absl::Span<const Digest> digests) override {
    if (!every_call.ok()) return every_call;
    return inner_.StatBlobs(context, repository, digests);
  }
  absl::Status LinkBlobs(const CallContext& context, absl::string_view repository, absl::string_view from_repository,
                         absl::Span<const Digest> digests) override {
    if (!every_call.ok()) return every_call;
    return inner_.LinkBlobs(context, repository, from_repository, digests);
  }
  absl::Status UnlinkBlob(const CallContext& context, absl::string_view repository, const Digest& digest) override {
    if (!every_call.ok()) return every_call;
    return inner_.UnlinkBlob(context, repository, digest);
  }

 private:
  class Writer final : public blobstore::UploadWriter {
   public:
    Writer(const FailingBlobStore& owner, std::unique_ptr<blobstore::UploadWriter> inner)
        : owner_(owner), inner_(std::move(inner)) {}
    absl::Status Write(absl::string_view data) override {
      const bool is_lost = !owner_.flush_failure.ok() || !owner_.commit_failure.ok();
      return is_lost ? absl::OkStatus() : inner_->Write(data);
    }
    absl::StatusOr<uint64_t> Flush() override {
      if (!owner_.flush_failure.ok()) return owner_.flush_failure;
      return inner_->Flush();
    }
    absl::Status Commit(const Digest& digest, std::optional<uint64_t> size_bytes) override {
      if (!owner_.commit_failure.ok()) return owner_.commit_failure;
      return inner_->Commit(digest, size_bytes);
    }

   private:
    const FailingBlobStore& owner_;
    std::unique_ptr<blobstore::UploadWriter> inner_;
  };

  class Reader final : public blobstore::BlobReader {
   public:
    Reader(const FailingBlobStore& owner, std::unique_ptr<blobstore::BlobReader> inner)
        : owner_(owner), inner_(std::move(inner)), left_(owner.good_bytes) {}
    absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
      if (owner_.read_failure.ok()) return inner_->Read(buffer, size);
      if (left_ == 0) return owner_.read_failure;
      const auto n = inner_->Read(buffer, std::min<uint64_t>(size, left_));
      if (n.ok()) left_ -= *n;
      return n;
    }
    uint64_t size_bytes() const override { return inner_->size_bytes(); }

   private:
    const FailingBlobStore& owner_;
    std::unique_ptr<blobstore::BlobReader> inner_;
    uint64_t left_;
  };

  blobstore::BlobStore& inner_;
};

}  // namespace strata::registry
