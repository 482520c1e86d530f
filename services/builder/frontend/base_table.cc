#include "services/builder/frontend/base_table.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace strata::frontend {

namespace {
constexpr size_t kMaxAtOnce = 4;
}  // namespace

void BaseTable::Prefetch(const std::vector<std::pair<std::string, oci::Platform>>& wanted) {
  struct Slot {
    const std::string* reference;
    const oci::Platform* platform;
    absl::StatusOr<BaseImage>* result;
  };
  std::vector<Slot> slots;
  for (const auto& [reference, platform] : wanted) {
    const auto [slot, is_new] =
        known_.try_emplace(Key{reference, platform.ToString()}, absl::InternalError("base image was never resolved"));
    if (is_new) slots.push_back({&reference, &platform, &slot->second});
  }
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < slots.size(); i = next++) {
      *slots[i].result = images_.Resolve(context_, *slots[i].reference, *slots[i].platform);
    }
  };
  std::vector<std::thread> workers;
  for (size_t i = 1; i < std::min(kMaxAtOnce, slots.size()); ++i) workers.emplace_back(work);
  work();
  for (std::thread& worker : workers) worker.join();
}

const absl::StatusOr<BaseImage>& BaseTable::Get(const std::string& reference, const oci::Platform& platform) {
  Prefetch({{reference, platform}});
  return known_.at({reference, platform.ToString()});
}

}  // namespace strata::frontend
