#include "services/builder/snapshot/flights.h"

#include "lib/base/status.h"

namespace strata::snapshot {
namespace {

constexpr absl::Duration kCheckEvery = absl::Milliseconds(100);

bool GaveUp(const absl::Status& status) { return absl::IsCancelled(status) || absl::IsDeadlineExceeded(status); }

}  // namespace

absl::Status Flights::Run(const CallContext& context, const std::string& key, const std::function<absl::Status()>& work) {
  std::shared_ptr<Flight> mine;
  while (mine == nullptr) {
    STRATA_RETURN_IF_ERROR(context.Check());
    MutexLock lock(mutex_);
    std::shared_ptr<Flight>& slot = flights_[key];
    if (slot == nullptr) {
      mine = slot = std::make_shared<Flight>();
      break;
    }
    const std::shared_ptr<Flight> other = slot;
    if (!other->landed) (void)landed_.WaitFor(mutex_, kCheckEvery);
    if (other->landed && !GaveUp(other->status)) return other->status;
  }
  const absl::Status status = work();
  MutexLock lock(mutex_);
  mine->status = status;
  mine->landed = true;
  flights_.erase(key);
  landed_.SignalAll();
  return status;
}

}  // namespace strata::snapshot
