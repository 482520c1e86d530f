// The content of one blob, verified, resumed where the connection broke.
#pragma once

#include <memory>

#include "lib/digest/verifying_source.h"
#include "lib/distribution/registry_client.h"
#include "lib/distribution/target.h"

namespace strata::distribution {

class BlobStream final : public ByteSource {
 public:
  // `response` is the open answer to the request for the whole blob.
  BlobStream(RegistryClient& client, const CallContext& context, RegistryClient::Target target, Digest digest, int64_t size_bytes,
             std::unique_ptr<ByteSource> body);

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override { return verifying_.Read(buffer, size); }

 private:
  // What the verifying source reads from.
  class Resuming final : public ByteSource {
   public:
    explicit Resuming(BlobStream& stream) : stream_(stream) {}
    absl::StatusOr<size_t> Read(char* buffer, size_t size) override { return stream_.ReadResuming(buffer, size); }

   private:
    BlobStream& stream_;
  };

  absl::StatusOr<size_t> ReadResuming(char* buffer, size_t size);
  absl::Status Reopen();
  absl::Status SkipTo(uint64_t offset);

  RegistryClient& client_;
  const CallContext context_;
  const RegistryClient::Target target_;
  const Digest digest_;
  std::unique_ptr<ByteSource> body_;
  uint64_t offset_ = 0;
  int failures_ = 0;  // since the last byte
  Resuming resuming_;
  VerifyingSource verifying_;
};

// Sleeps, but not past the end of the context. Returns context.Check().
absl::Status WaitBeforeRetry(const CallContext& context, absl::Duration delay);

}  // namespace strata::distribution
