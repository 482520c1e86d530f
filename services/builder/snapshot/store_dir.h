// The store's folder on disk.
//
//   lock       held while a builder uses the folder
//   l/<n>/     an unpacked layer, as overlayfs wants it
//   i/<n>      its record; its modification time is when the layer was last used
//   t/<n>/     being unpacked, or being deleted
//   w/<n>/     a workspace: u/ upper, k/ overlayfs' own
//   m/<n>/     where a workspace or view is mounted
//   e/, f/     empty folders: the bottom of stacks with too few layers
//
// A layer is complete when its record exists: the record is written last and removed first. Opening removes what has no record, what
// a crash of the machine may have torn, and all of t/, w/ and m/. m/ is a shared mount, so that unmounting also reaches the mount
// namespaces of sandboxes that started meanwhile. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/unique_fd.h"
#include "services/builder/snapshot/layer_record.h"

namespace strata::snapshot {

struct StoredLayer {
  uint64_t number = 0;
  LayerRecord record;
  absl::Time last_used;
};

class StoreDir {
 public:
  // Creates what is missing, unmounts leftovers. kFailedPrecondition: another builder uses it.
  static absl::StatusOr<std::unique_ptr<StoreDir>> Open(const std::string& path);
  ~StoreDir();
  StoreDir(const StoreDir&) = delete;
  StoreDir& operator=(const StoreDir&) = delete;

  int fd() const { return fd_.get(); }
  std::string Absolute(const std::string& relative) const { return path_ + "/" + relative; }
  static std::string LayerPath(uint64_t number);  // "l/<n>"

  // The complete layers; the others are moved to t/.
  absl::StatusOr<std::vector<StoredLayer>> LoadLayers();

  // New empty folders, mode 0755: "t/<n>", "w/<n>" (with "u" and "k" in it), "m/<n>".
  absl::StatusOr<std::string> NewScratch();
  absl::StatusOr<std::string> NewWorkspace();
  absl::StatusOr<std::string> NewMountPoint();
  // Makes the folder `relative` a layer with this record; returns its number.
  absl::StatusOr<uint64_t> Adopt(const std::string& relative, const LayerRecord& record);
  // Ends a layer: after this, a crash leaves nothing of it. Its files are then in t/, under the returned name.
  absl::StatusOr<std::string> Retire(uint64_t number);
  // Moves any folder of the store to t/, to be deleted later; returns its name there.
  absl::StatusOr<std::string> MoveToTrash(const std::string& relative);
  absl::Status Delete(const std::string& relative);
  // Everything that is in t/ now.
  absl::StatusOr<std::vector<std::string>> Trash();
  void Touch(uint64_t number, absl::Time used);
  // Makes all layers survive a crash of the machine, and records so.
  void SyncLayers(const std::vector<StoredLayer>& layers);

 private:
  StoreDir(std::string path, UniqueFd fd, UniqueFd lock) : path_(std::move(path)), fd_(std::move(fd)), lock_(std::move(lock)) {}

  absl::Status Prepare();
  absl::Status ShareMounts();
  absl::StatusOr<std::string> NewFolder(const char* parent);
  absl::Status WriteRecord(uint64_t number, const LayerRecord& record);

  const std::string path_;
  const UniqueFd fd_;
  const UniqueFd lock_;
  std::atomic<uint64_t> next_number_{1};
};

}  // namespace strata::snapshot
