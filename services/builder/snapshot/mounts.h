// Stack, View and Workspace over overlayfs.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/unique_fd.h"
#include "services/builder/snapshot/janitor.h"
#include "services/builder/snapshot/layer_cache.h"
#include "services/builder/snapshot/overlay_mount.h"
#include "services/builder/snapshot/snapshot_store.h"
#include "services/builder/snapshot/store_dir.h"

namespace strata::snapshot {

class PinnedStack final : public Stack {
 public:
  PinnedStack(std::vector<Layer> layers, std::vector<std::unique_ptr<LayerCache::Pin>> pins) : layers_(std::move(layers)), pins_(std::move(pins)) {}
  const std::vector<Layer>& layers() const override { return layers_; }
  // As overlayfs wants them: relative to the store, topmost first, each once, at least `least`.
  std::vector<std::string> LowerFolders(size_t least) const;

 private:
  const std::vector<Layer> layers_;
  const std::vector<std::unique_ptr<LayerCache::Pin>> pins_;  // in the order of layers_
};

// One overlay mount, and the folder it is on.
class MountPoint {
 public:
  // `dir` must outlive the result. `mount.target` is chosen here.
  static absl::StatusOr<std::unique_ptr<MountPoint>> Mount(StoreDir& dir, OverlayMount mount);
  MountPoint(const MountPoint&) = delete;
  MountPoint& operator=(const MountPoint&) = delete;
  ~MountPoint();

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  absl::Status Unmount();  // idempotent

 private:
  MountPoint(StoreDir& dir, std::string relative) : dir_(dir), relative_(std::move(relative)), path_(dir.Absolute(relative_)) {}

  StoreDir& dir_;
  const std::string relative_;
  const std::string path_;
  UniqueFd fd_;
  bool is_mounted_ = false;
};

class OverlayView final : public View {
 public:
  OverlayView(std::shared_ptr<const Stack> stack, std::unique_ptr<MountPoint> mount) : stack_(std::move(stack)), mount_(std::move(mount)) {}
  const std::string& root_path() const override { return mount_->path(); }
  int root_fd() const override { return mount_->fd(); }

 private:
  const std::shared_ptr<const Stack> stack_;  // before mount_: unmounted first
  const std::unique_ptr<MountPoint> mount_;
};

class OverlayWorkspace final : public Workspace {
 public:
  // `relative`: "w/<n>", now this object's. The store's parts must outlive it.
  OverlayWorkspace(StoreDir& dir, LayerCache& cache, Janitor& janitor, std::string relative)
      : dir_(dir), cache_(cache), janitor_(janitor), relative_(std::move(relative)) {}
  ~OverlayWorkspace() override;

  absl::Status Mount(std::shared_ptr<const Stack> stack, std::vector<std::string> lower, bool is_volatile);

  const std::string& root_path() const override { return mount_->path(); }
  int root_fd() const override { return mount_->fd(); }
  absl::Status Seal() override;
  int upper_fd() const override { return upper_.get(); }
  absl::Status Keep(const Digest& diff_id) override;

 private:
  StoreDir& dir_;
  LayerCache& cache_;
  Janitor& janitor_;
  const std::string relative_;
  std::shared_ptr<const Stack> stack_;
  UniqueFd upper_;
  std::unique_ptr<MountPoint> mount_;
  bool is_sealed_ = false;
};

// Whether two open directories have the same owner, mode and attributes (those of overlayfs aside).
absl::StatusOr<bool> SameDirectoryMetadata(int first_fd, int second_fd);

}  // namespace strata::snapshot
