#include "services/builder/snapshot/layer_unpacker.h"

#include <fcntl.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/compress/decompressing_source.h"
#include "lib/digest/verifying_source.h"
#include "services/builder/layer/unpack.h"

namespace strata::snapshot {
namespace {

constexpr int64_t kReportEveryBytes = 1'000'000;
constexpr int64_t kBlockBytes = 4096;
// Headers and padding of an archive with many small entries may take more room than what is in them.
constexpr uint64_t kArchiveOverheadFactor = 2;

// Ends the work when nobody wants it any more, and tells how far it is.
class WatchedSource final : public ByteSource {
 public:
  WatchedSource(ByteSource& inner, const CallContext& context, const Layer& layer, const FetchProgress& progress)
      : inner_(inner), context_(context), layer_(layer), progress_(progress) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    STRATA_RETURN_IF_ERROR(context_.Check());
    STRATA_ASSIGN_OR_RETURN(const size_t count, inner_.Read(buffer, size));
    done_ += static_cast<int64_t>(count);
    if (progress_ && (count == 0 || done_ - reported_ >= kReportEveryBytes)) {
      reported_ = done_;
      progress_(layer_, done_, layer_.size_bytes);
    }
    return count;
  }

 private:
  ByteSource& inner_;
  const CallContext& context_;
  const Layer& layer_;
  const FetchProgress& progress_;
  int64_t done_ = 0;
  int64_t reported_ = 0;
};

absl::StatusOr<UniqueFd> OpenFolder(int store_fd, const std::string& relative) {
  UniqueFd fd(::openat(store_fd, relative.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, "opening the folder of a layer");
  return fd;
}

}  // namespace

absl::StatusOr<UnpackedLayer> LayerUnpacker::Unpack(const CallContext& context, const Layer& layer, const std::vector<std::string>& lower,
                                                    const FetchProgress& progress) {
  STRATA_ASSIGN_OR_RETURN(const std::string relative, dir_.NewScratch());
  auto unpacked = UnpackInto(relative, context, layer, lower, progress);
  if (unpacked.ok()) return unpacked;
  STRATA_RETURN_IF_ERROR(dir_.Delete(relative));
  return Annotate(unpacked.status(), absl::StrCat("unpacking layer ", layer.diff_id.ToString()));
}

absl::StatusOr<UnpackedLayer> LayerUnpacker::UnpackInto(const std::string& relative, const CallContext& context, const Layer& layer,
                                                        const std::vector<std::string>& lower, const FetchProgress& progress) {
  STRATA_ASSIGN_OR_RETURN(const UniqueFd target, OpenFolder(dir_.fd(), relative));
  layer::UnpackOptions options;
  options.max_content_bytes = static_cast<uint64_t>(max_layer_bytes_);
  std::vector<UniqueFd> lower_fds;
  for (const std::string& folder : lower) {
    STRATA_ASSIGN_OR_RETURN(UniqueFd fd, OpenFolder(dir_.fd(), folder));
    options.lower_dirs.push_back(fd.get());
    lower_fds.push_back(std::move(fd));
  }
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> blob, source_.OpenLayer(context, layer));
  WatchedSource watched(*blob, context, layer, progress);
  STRATA_ASSIGN_OR_RETURN(const auto plain, compress::DecompressingSource::Open(
                                                watched, {.output_limit_bytes = options.max_content_bytes * kArchiveOverheadFactor}));
  VerifyingSource verified(*plain, layer.diff_id);
  STRATA_ASSIGN_OR_RETURN(const layer::UnpackStats stats, layer::UnpackLayer(verified, target.get(), options));
  const uint64_t entries = stats.files + stats.directories + stats.links;
  return UnpackedLayer{.relative = relative,
                       .size_bytes = static_cast<int64_t>(stats.content_bytes) + static_cast<int64_t>(entries) * kBlockBytes,
                       .has_root_entry = stats.has_root_entry,
                       .leaves_to_lower = stats.leaves_to_lower};
}

}  // namespace strata::snapshot
