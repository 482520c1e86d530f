#include "services/builder/ops/archive.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/compress/decompressing_source.h"
#include "lib/tar/reader.h"
#include "services/builder/layer/unpack.h"

namespace strata::ops {

namespace {

constexpr uint64_t kMaxContentBytes = uint64_t{256} << 30;
constexpr uint64_t kMaxEntries = 5'000'000;

// Checks for cancellation while a large archive streams through.
class CheckedSource final : public ByteSource {
 public:
  CheckedSource(const CallContext& context, ByteSource& inner) : context_(context), inner_(inner) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    STRATA_RETURN_IF_ERROR(context_.Check());
    return inner_.Read(buffer, size);
  }

 private:
  const CallContext& context_;
  ByteSource& inner_;
};

// Whether the first entry can be read. A file that is compressed but holds no tar is copied as it is.
bool IsArchive(int fd) {
  FdSource file(fd);
  auto plain = compress::DecompressingSource::Open(file);
  if (!plain.ok()) return false;
  tar::Reader reader(**plain);
  const auto first = reader.Next();
  return first.ok() && first->has_value();
}

}  // namespace

absl::StatusOr<bool> UnpackArchive(const CallContext& context, int fd, int root_fd, absl::string_view destination,
                                   const std::optional<fs::Owner>& owner) {
  if (!IsArchive(fd)) return false;
  if (::lseek(fd, 0, SEEK_SET) != 0) return ErrnoStatus(errno, "reading the archive again");
  FdSource file(fd);
  STRATA_ASSIGN_OR_RETURN(auto plain, compress::DecompressingSource::Open(file));
  CheckedSource source(context, *plain);
  STRATA_ASSIGN_OR_RETURN(const UniqueFd folder, fs::MkdirAllInRoot(root_fd, destination, 0755, owner));
  layer::UnpackOptions options;
  options.is_layer = false;
  options.owner = owner;
  options.max_content_bytes = kMaxContentBytes;
  options.max_entries = kMaxEntries;
  auto unpacked = layer::UnpackLayer(source, folder.get(), options);
  if (!unpacked.ok()) return Annotate(unpacked.status(), "unpacking the archive");
  return true;
}

}  // namespace strata::ops
