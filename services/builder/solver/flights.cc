#include "services/builder/solver/flights.h"

#include "lib/base/status.h"

namespace strata::solver {

absl::StatusOr<std::unique_ptr<Flights::Ticket>> Flights::Join(const CallContext& context, absl::string_view key) {
  MutexLock lock(mutex_);
  const auto found = flights_.find(key);
  if (found == flights_.end()) {
    flights_.emplace(std::string(key), std::make_shared<Flight>());
    return std::make_unique<Ticket>(this, std::string(key));
  }
  const std::shared_ptr<Flight> flight = found->second;
  while (!flight->landed) {
    STRATA_RETURN_IF_ERROR(context.Check());
    // Bounded, so that a cancelled waiter leaves without having registered anything with its cancellation.
    landed_.WaitFor(mutex_, absl::Milliseconds(100));
  }
  return nullptr;
}

Flights::Ticket::~Ticket() {
  MutexLock lock(owner_->mutex_);
  const auto found = owner_->flights_.find(key_);
  found->second->landed = true;
  owner_->flights_.erase(found);
  owner_->landed_.SignalAll();
}

}  // namespace strata::solver
