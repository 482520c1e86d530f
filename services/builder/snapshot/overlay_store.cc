#include "services/builder/snapshot/overlay_store.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"

namespace strata::snapshot {
namespace {

// Copies the caller's context, but can be ended for itself: one layer that failed ends the work on the others.
class ChildContext {
 public:
  explicit ChildContext(const CallContext& parent) : context_(parent) {
    if (parent.cancellation != nullptr) registration_ = parent.cancellation->OnCancel([this] { cancellation_.Cancel(); });
    context_.cancellation = &cancellation_;
  }
  const CallContext& context() const { return context_; }
  void Cancel() { cancellation_.Cancel(); }

 private:
  Cancellation cancellation_;
  CallContext context_;
  Cancellation::Registration registration_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SnapshotStore>> SnapshotStore::Open(const SnapshotOptions& options, LayerSource& source) {
  return OverlayStore::Open(options, source);
}

absl::StatusOr<std::unique_ptr<OverlayStore>> OverlayStore::Open(const SnapshotOptions& options, LayerSource& source) {
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<StoreDir> dir, StoreDir::Open(options.root));
  std::unique_ptr<OverlayStore> store(new OverlayStore(std::move(dir), options, source));
  STRATA_RETURN_IF_ERROR(store->ProbeOverlay());
  STRATA_RETURN_IF_ERROR(store->cache_.Load());
  STRATA_ASSIGN_OR_RETURN(std::vector<std::string> trash, store->dir_->Trash());
  for (std::string& name : trash) store->janitor_.Delete(std::move(name));
  return store;
}

absl::Status OverlayStore::ProbeOverlay() {
  auto empty = std::make_shared<const PinnedStack>(std::vector<Layer>(), Pins());
  auto workspace = CreateWorkspace(empty);
  if (!workspace.ok()) {
    is_volatile_ = false;  // Linux before 5.10
    workspace = CreateWorkspace(empty);
  }
  if (workspace.ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("overlayfs cannot be mounted in the snapshot folder (", workspace.status().message(),
                   "): the builder needs CAP_SYS_ADMIN, and the folder a file system like ext4 or xfs, not one that is an overlay itself"));
}

absl::StatusOr<std::shared_ptr<const Stack>> OverlayStore::Acquire(const CallContext& context, absl::Span<const Layer> layers, const FetchProgress& progress) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_ASSIGN_OR_RETURN(Pins pins, AcquireAlone(context, layers, progress));
  STRATA_RETURN_IF_ERROR(FitToChain(context, layers, progress, pins));
  return std::make_shared<const PinnedStack>(std::vector<Layer>(layers.begin(), layers.end()), std::move(pins));
}

// Each layer by itself, several at once; null where that is not possible.
absl::StatusOr<OverlayStore::Pins> OverlayStore::AcquireAlone(const CallContext& context, absl::Span<const Layer> layers, const FetchProgress& progress) {
  Pins pins(layers.size());
  std::vector<absl::Status> statuses(layers.size());
  std::atomic<size_t> next = 0;
  ChildContext child(context);
  const auto work = [&] {
    for (size_t i = next++; i < layers.size(); i = next++) {
      auto pin = cache_.AcquireAlone(child.context(), layers[i], i == 0, progress);
      if (pin.ok()) {
        pins[i] = *std::move(pin);
      } else {
        statuses[i] = pin.status();
        child.Cancel();
      }
    }
  };
  const size_t thread_count = std::min<size_t>(layers.size(), std::max(1, unpack_threads_));
  std::vector<std::thread> threads;
  for (size_t i = 1; i < thread_count; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();

  STRATA_RETURN_IF_ERROR(context.Check());
  // The cause, rather than the cancellations that followed from it.
  for (const absl::Status& status : statuses) {
    if (!status.ok() && !absl::IsCancelled(status)) return status;
  }
  for (const absl::Status& status : statuses) STRATA_RETURN_IF_ERROR(status);
  return pins;
}

// Bottom to top: replaces what cannot serve over these very layers.
absl::Status OverlayStore::FitToChain(const CallContext& context, absl::Span<const Layer> layers, const FetchProgress& progress, Pins& pins) {
  std::vector<std::string> below;  // topmost first
  std::vector<std::string> chain;
  for (size_t i = 0; i < layers.size(); ++i) {
    bool fits = pins[i] != nullptr;
    if (fits && i > 0 && !pins[i]->has_root_entry()) {
      STRATA_ASSIGN_OR_RETURN(const bool differs, RootDiffers(*pins[i - 1], *pins[i]));
      fits = !differs;
    }
    if (!fits) {
      STRATA_ASSIGN_OR_RETURN(pins[i], cache_.AcquireOver(context, layers[i], Digest::Of(absl::StrJoin(chain, " ")), below, progress));
    }
    below.insert(below.begin(), pins[i]->path());
    chain.push_back(layers[i].diff_id.ToString());
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> OverlayStore::RootDiffers(const LayerCache::Pin& below, const LayerCache::Pin& above) const {
  const UniqueFd below_fd(::openat(dir_->fd(), below.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd above_fd(::openat(dir_->fd(), above.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!below_fd.is_valid() || !above_fd.is_valid()) return ErrnoStatus(errno, "opening an unpacked layer");
  STRATA_ASSIGN_OR_RETURN(const bool same, SameDirectoryMetadata(below_fd.get(), above_fd.get()));
  return !same;
}

absl::StatusOr<std::unique_ptr<Workspace>> OverlayStore::CreateWorkspace(std::shared_ptr<const Stack> stack) {
  std::vector<std::string> lower = static_cast<const PinnedStack&>(*stack).LowerFolders(1);
  STRATA_ASSIGN_OR_RETURN(std::string relative, dir_->NewWorkspace());
  auto workspace = std::make_unique<OverlayWorkspace>(*dir_, cache_, janitor_, std::move(relative));
  STRATA_RETURN_IF_ERROR(workspace->Mount(std::move(stack), std::move(lower), is_volatile_));
  return workspace;
}

absl::StatusOr<std::unique_ptr<View>> OverlayStore::CreateView(std::shared_ptr<const Stack> stack) {
  std::vector<std::string> lower = static_cast<const PinnedStack&>(*stack).LowerFolders(2);
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<MountPoint> mount, MountPoint::Mount(*dir_, {.lower = std::move(lower)}));
  return std::make_unique<OverlayView>(std::move(stack), std::move(mount));
}

}  // namespace strata::snapshot
