// Mountable file trees on this builder's disk: one folder per layer, stacked by overlayfs.
//
// A layer is unpacked once, by diff ID, in overlayfs form (whiteouts as 0/0 character devices, opaque folders by xattr), whatever
// images and chains it belongs to; a stack of layers is a mount, not a copy. What lies here is a cache: the store has every layer,
// and an empty folder is a valid start. Least recently used layers go when the limit is passed, never one that is in use.
// Thread-safe; calls block. Needs CAP_SYS_ADMIN. The store must outlive every Stack, View and Workspace.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/base/call_context.h"
#include "lib/bytes/byte_stream.h"
#include "lib/digest/digest.h"

namespace strata::snapshot {

// One layer of an image: what it is unpacked, and where its bytes are.
struct Layer {
  Digest diff_id;
  Digest blob;
  int64_t size_bytes = 0;  // of the blob
  std::string media_type;
  absl::Time created = absl::InfinitePast();  // when a build step made it; InfinitePast: not by one

  bool operator==(const Layer& other) const {
    return diff_id == other.diff_id && blob == other.blob && size_bytes == other.size_bytes && media_type == other.media_type;
  }
};

// Gives the stored (compressed) bytes of a layer that is not on this disk.
class LayerSource {
 public:
  virtual ~LayerSource() = default;
  // kNotFound: the store has no such blob.
  virtual absl::StatusOr<std::unique_ptr<ByteSource>> OpenLayer(const CallContext& context, const Layer& layer) = 0;
};

// Told now and then while layers are fetched and unpacked; any thread.
using FetchProgress = std::function<void(const Layer& layer, int64_t current_bytes, int64_t total_bytes)>;

// Layers that are on the disk and stay there for as long as this object lives. Bottom first.
class Stack {
 public:
  virtual ~Stack() = default;
  virtual const std::vector<Layer>& layers() const = 0;
};

// A mounted stack without a writable layer. Unmounted when destroyed.
class View {
 public:
  virtual ~View() = default;
  virtual const std::string& root_path() const = 0;
  virtual int root_fd() const = 0;  // O_PATH directory
};

// A mounted stack with one writable layer on top, for one step. Destroying it unmounts and discards the layer.
class Workspace {
 public:
  virtual ~Workspace() = default;
  virtual const std::string& root_path() const = 0;
  virtual int root_fd() const = 0;
  // Ends writing: unmounts. Afterwards only upper_fd() and Keep() may be used. Idempotent.
  virtual absl::Status Seal() = 0;
  // The writable layer itself, in overlayfs form: what the step changed.
  virtual int upper_fd() const = 0;
  // Keeps the sealed layer on the disk under its diff ID, so that the next step needs no unpacking.
  virtual absl::Status Keep(const Digest& diff_id) = 0;
};

struct SnapshotOptions {
  std::string root;                           // created when missing; leftovers of a crash are unmounted and removed
  int64_t max_bytes = 20'000'000'000;         // of unpacked layers that are not in use
  int unpack_threads = 2;                     // layers of one Acquire unpacked at once
  int64_t max_layer_bytes = 64'000'000'000;   // of one unpacked layer; more is refused with kResourceExhausted
};

class SnapshotStore {
 public:
  virtual ~SnapshotStore() = default;

  // kFailedPrecondition: overlayfs or its privileges are missing; the message says which.
  static absl::StatusOr<std::unique_ptr<SnapshotStore>> Open(const SnapshotOptions& options, LayerSource& source);

  // Brings every layer of the stack onto the disk: several at once, each verified against its diff ID, each once however many
  // callers ask. kDataLoss: bytes do not match the diff ID.
  virtual absl::StatusOr<std::shared_ptr<const Stack>> Acquire(const CallContext& context, absl::Span<const Layer> layers,
                                                               const FetchProgress& progress) = 0;
  virtual absl::StatusOr<std::unique_ptr<Workspace>> CreateWorkspace(std::shared_ptr<const Stack> stack) = 0;
  virtual absl::StatusOr<std::unique_ptr<View>> CreateView(std::shared_ptr<const Stack> stack) = 0;
  // Bytes of unpacked layers on the disk, as counted when they were unpacked.
  virtual int64_t BytesUsed() const = 0;
};

}  // namespace strata::snapshot
