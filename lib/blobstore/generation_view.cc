#include "lib/blobstore/generation_view.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "lib/base/status.h"

namespace strata::blobstore {

uint64_t GenerationBucket(absl::string_view repository) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : repository) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash % kGenerationBuckets;
}

absl::StatusOr<std::shared_ptr<const GenerationView>> GenerationView::Map(UniqueFd counters,
                                                                          std::shared_ptr<const descriptor::Connection> from) {
  struct stat info = {};
  // A file that could shrink would kill whoever looks at it.
  const int seals = ::fcntl(counters.get(), F_GET_SEALS);
  if (::fstat(counters.get(), &info) != 0 || static_cast<uint64_t>(info.st_size) != kGenerationBytes || seals < 0 ||
      (seals & F_SEAL_SHRINK) == 0) {
    return absl::InternalError("the file that the store gave is not that of its counters");
  }
  void* mapped = ::mmap(nullptr, kGenerationBytes, PROT_READ, MAP_SHARED, counters.get(), 0);
  if (mapped == MAP_FAILED) return ErrnoStatus(errno, "mapping the store's counters");
  return std::shared_ptr<const GenerationView>(new GenerationView(static_cast<const uint64_t*>(mapped), std::move(from)));
}

GenerationView::GenerationView(const uint64_t* counters, std::shared_ptr<const descriptor::Connection> from)
    : counters_(counters), from_(std::move(from)) {}

GenerationView::~GenerationView() { ::munmap(const_cast<uint64_t*>(counters_), kGenerationBytes); }

uint64_t GenerationView::Of(absl::string_view repository) const {
  return __atomic_load_n(counters_ + GenerationBucket(repository), __ATOMIC_ACQUIRE);
}

}  // namespace strata::blobstore
