// The build context as the client listed it: names, modes and digests. Content comes only when a step asks for it.
//
// Immutable once built. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/base/call_context.h"
#include "services/builder/context/content_cache.h"
#include "services/builder/filetree/file_tree.h"

namespace strata::context {

// Asks the client for content. Thread-safe.
class FileRequester {
 public:
  virtual ~FileRequester() = default;
  // Returns when the content of all these files is in the ContentCache. Files that are there already are not asked for.
  virtual absl::Status Fetch(const CallContext& context, absl::Span<const filetree::Node> files) = 0;
};

// The listing as it arrives.
class ContextListing {
 public:
  // Takes one entry. kInvalidArgument: a path that is not relative and clean, twice the same path, a file without a digest, a type
  // that is none. kResourceExhausted: more than a million entries, or more than 256 MiB of names and attributes.
  absl::Status Add(filetree::Node node);
  const std::map<std::string, filetree::Node>& nodes() const { return nodes_; }

 private:
  std::map<std::string, filetree::Node> nodes_;
  size_t bytes_ = 0;
};

// Whether `path` is relative, not empty, at most 4096 bytes, and made of components that are neither empty, "." nor "..".
bool IsCleanRelativePath(absl::string_view path);

class ContextTree final : public filetree::FileTree {
 public:
  // Folders that the listing implies but does not hold are added, mode 0755. `cache` and `requester` must outlive this object.
  ContextTree(const ContextListing& listing, ContentCache& cache, FileRequester& requester);

  absl::StatusOr<std::optional<filetree::Node>> Lookup(absl::string_view path) const override;
  absl::StatusOr<std::vector<filetree::Node>> List(absl::string_view path) const override;
  absl::StatusOr<UniqueFd> Open(const CallContext& context, const filetree::Node& node) const override;
  absl::StatusOr<Digest> ContentDigest(const CallContext& context, const filetree::Node& node) const override;
  absl::Status Prefetch(const CallContext& context, absl::Span<const filetree::Node> nodes) const override;

 private:
  std::map<std::string, filetree::Node> nodes_;                     // by path; "" is the root
  std::map<std::string, std::vector<std::string>> children_;        // folder -> paths, in order of names
  ContentCache& cache_;
  FileRequester& requester_;
};

}  // namespace strata::context
