// The rules of BlobStore, RefStore, CacheStore, QuotaStore and AdminStore as one suite that runs over every implementation. testonly.
//
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreContractTest, ::testing::Values(ContractParam{"Memory", [] { return ...; }}));
//
// The tests themselves are in contract_*.cc; link //lib/blobstore:contract and instantiate.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/blobstore/admin_store.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/cache_store.h"
#include "lib/blobstore/quota_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/testing/status_matchers.h"

namespace strata::blobstore {

// An empty store and whatever it needs to live.
class ContractEnvironment {
 public:
  virtual ~ContractEnvironment() = default;
  virtual BlobStore& blobs() = 0;
  virtual RefStore& refs() = 0;
  virtual CacheStore& cache() = 0;
  virtual AdminStore& admin() = 0;
  virtual QuotaStore& quotas() = 0;
  // Moves the store's clock. Leases and sessions last 24 hours.
  virtual void AdvanceClock(absl::Duration by) = 0;
};

struct ContractParam {
  std::string name;
  std::function<std::unique_ptr<ContractEnvironment>()> open;
};
inline void PrintTo(const ContractParam& param, std::ostream* out) { *out << param.name; }

class StoreContractTest : public ::testing::TestWithParam<ContractParam> {
 protected:
  BlobStore& blobs() { return environment_->blobs(); }
  RefStore& refs() { return environment_->refs(); }
  CacheStore& cache() { return environment_->cache(); }
  AdminStore& admin() { return environment_->admin(); }
  QuotaStore& quotas() { return environment_->quotas(); }
  void AdvanceClock(absl::Duration by) { environment_->AdvanceClock(by); }

  // Bytes that do not repeat soon and differ by seed.
  static std::string Content(size_t size, uint32_t seed);
  Digest Upload(absl::string_view repository, const std::string& content,
                DigestAlgorithm algorithm = DigestAlgorithm::kSha256);
  std::string StartUpload(absl::string_view repository);
  std::unique_ptr<UploadWriter> OpenUpload(absl::string_view repository, absl::string_view id,
                                           std::optional<uint64_t> offset = std::nullopt);
  uint64_t UploadOffset(absl::string_view repository, absl::string_view id);
  absl::StatusOr<std::string> Read(absl::string_view repository, const Digest& digest, uint64_t offset = 0,
                                   std::optional<uint64_t> length = std::nullopt);
  bool Has(absl::string_view repository, const Digest& digest);

  struct Image {
    Digest digest;
    Digest config;
    Digest layer;
    std::string content;
  };
  // Pushes config, layer and manifest made of `seed`; `extra` goes into the manifest's JSON (`,"subject":...`).
  Image Push(absl::string_view repository, const std::vector<std::string>& tags, uint32_t seed, absl::string_view extra = "");
  absl::StatusOr<PutManifestResult> PutIndex(absl::string_view repository, const std::vector<Image>& children,
                                             const std::vector<std::string>& tags = {});
  static std::string ImageJson(const Digest& config, const Digest& layer, absl::string_view extra = "");
  static std::string DescriptorJson(absl::string_view media_type, const Digest& digest, size_t size);

  const CallContext context_;

 private:
  std::unique_ptr<ContractEnvironment> environment_ = GetParam().open();
};

}  // namespace strata::blobstore
