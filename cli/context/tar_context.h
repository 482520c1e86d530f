// A build context that arrived as a tar: its contents lie in one temporary file, its names in memory.
//
// Nothing is unpacked, so names and modes survive whatever this machine's file system thinks of them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "cli/context/build_context.h"
#include "lib/base/unique_fd.h"
#include "lib/tar/entry.h"

namespace strata::cli {

class TarContext final : public BuildContext {
 public:
  // Reads `source`, which may be compressed, to its end. `temp_base` is where the temporary file lies ("" is /tmp).
  // kInvalidArgument: not a tar, damaged, a name under something that is no folder, a hard link to nothing.
  // kResourceExhausted: over a million entries, or the disk is full. kCancelled.
  static absl::StatusOr<std::unique_ptr<TarContext>> Read(const CallContext& call, ByteSource& source, const std::string& temp_base);

  absl::StatusOr<std::vector<ContextEntry>> List(const CallContext& call, const ContextFilter& filter) override;
  absl::StatusOr<std::unique_ptr<ByteSource>> Open(const ContextEntry& entry) override;
  absl::StatusOr<std::optional<std::string>> ReadFile(absl::string_view path, size_t limit_bytes) override;
  std::optional<std::string> LinkTarget(absl::string_view path) override;
  std::vector<std::string> FolderNames(absl::string_view path) override;

 private:
  struct Member {
    ContextEntry entry;
    int64_t offset = 0;  // of its content in the temporary file
  };

  explicit TarContext(UniqueFd spool) : spool_(std::move(spool)) {}
  absl::Status Add(const tar::Entry& header, ByteSource& content);
  absl::Status AddParents(const std::string& path);
  absl::Status AddHardLink(const std::string& path, const tar::Entry& header);
  absl::Status Spool(ByteSource& content, Member& member);

  const UniqueFd spool_;
  int64_t spooled_bytes_ = 0;
  std::map<std::string, Member> members_;  // by path; std::map's order is the byte order of List()
};

// Whether `head`, the first bytes of plain content (512 are enough), begins a tar archive.
bool LooksLikeTar(absl::string_view head);

}  // namespace strata::cli
