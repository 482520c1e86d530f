// The suite of lib/blobstore over the engine.
#include "lib/blobstore/contract.h"
#include "services/store/engine/engine_testing.h"

namespace strata::blobstore {
namespace {

class EngineEnvironment final : public ContractEnvironment {
 public:
  EngineEnvironment() {
    store::EngineOptions options;
    options.data_dir = scratch_.Join("data");
    options.reserved_bytes = 0;
    auto opened = store::StoreEngine::Open(options, clock_);
    EXPECT_OK(opened);
    if (opened.ok()) engine_ = *std::move(opened);
  }
  BlobStore& blobs() override { return *engine_; }
  RefStore& refs() override { return *engine_; }
  CacheStore& cache() override { return *engine_; }
  AdminStore& admin() override { return *engine_; }
  QuotaStore& quotas() override { return *engine_; }
  void AdvanceClock(absl::Duration by) override { clock_.Advance(by); }

 private:
  testing::ScratchDir scratch_;
  testing::FakeClock clock_;
  std::unique_ptr<store::StoreEngine> engine_;
};

INSTANTIATE_TEST_SUITE_P(Engine, StoreContractTest,
                         ::testing::Values(ContractParam{"Engine", [] { return std::make_unique<EngineEnvironment>(); }}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace strata::blobstore
