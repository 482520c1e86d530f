// StoreClient: the store's change counters.
#include "absl/time/clock.h"
#include "lib/blobstore/store_client_stubs.h"

namespace strata::blobstore {

namespace v1 = store::v1;

namespace {

constexpr absl::Duration kTryAgainAfter = absl::Seconds(1);
constexpr absl::Duration kDeadline = absl::Seconds(2);

}  // namespace

std::shared_ptr<const GenerationView> StoreClient::Generations() {
  if (stubs_->descriptors == nullptr) return nullptr;
  std::shared_ptr<const GenerationView> known;
  {
    MutexLock lock(stubs_->view_mutex);
    known = stubs_->view;
  }
  if (known != nullptr && known->IsAlive()) return known;
  {
    MutexLock lock(stubs_->view_mutex);
    if (stubs_->view == known) stubs_->view.reset();
    const absl::Time now = absl::Now();
    if (now < stubs_->next_view) return nullptr;
    stubs_->next_view = now + kTryAgainAfter;
  }
  if (!stubs_->descriptors->IsWorthTrying()) return nullptr;
  CallContext context;
  context.deadline = absl::Now() + kDeadline;
  v1::OpenGenerationsResponse response;
  const absl::Status asked = Call(context, stubs_->peer, *stubs_->generations, &v1::GenerationService::Stub::OpenGenerations,
                                  v1::OpenGenerationsRequest(), &response);
  if (!asked.ok()) return nullptr;
  auto received = stubs_->descriptors->Redeem(response.socket_path(), response.ticket());
  if (!received.ok()) return nullptr;
  auto view = GenerationView::Map(std::move(received->fd), std::move(received->from));
  if (!view.ok()) return nullptr;
  MutexLock lock(stubs_->view_mutex);
  stubs_->view = *std::move(view);
  return stubs_->view;
}

}  // namespace strata::blobstore
