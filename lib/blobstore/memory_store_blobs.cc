// MemoryStore's side of BlobStore.
#include <sys/random.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/blobstore/errors.h"
#include "lib/blobstore/memory_store.h"
#include "lib/oci/reference.h"

namespace strata::blobstore {

namespace {

constexpr size_t kMaxDigests = 10000;

std::string NewUploadId() {
  char bytes[16];
  STRATA_CHECK(getrandom(bytes, sizeof bytes, 0) == sizeof bytes);
  return absl::BytesToHexString(absl::string_view(bytes, sizeof bytes));
}

absl::Status CheckRepository(absl::string_view name) {
  return name == kBuildRepository ? absl::OkStatus() : oci::ValidateRepository(name);
}

absl::Status CheckCount(size_t count) {
  if (count <= kMaxDigests) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(count, " digests in one call; at most ", kMaxDigests, " are taken"));
}

absl::Status NoSuchBlob(absl::string_view repository, const Digest& digest) {
  if (repository.empty()) return absl::NotFoundError(absl::StrCat("no blob ", digest.ToString()));
  return absl::NotFoundError(absl::StrCat("repository \"", repository, "\" has no blob ", digest.ToString()));
}

absl::Status UploadGone(absl::string_view upload_id) {
  return absl::NotFoundError(absl::StrCat("upload \"", upload_id, "\" was cancelled or has ended"));
}

class MemoryReader final : public BlobReader {
 public:
  MemoryReader(const CallContext& context, std::shared_ptr<const std::string> content, uint64_t offset, uint64_t length)
      : context_(context), content_(std::move(content)), rest_(absl::string_view(*content_).substr(offset, length)) {}
  uint64_t size_bytes() const override { return content_->size(); }
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    STRATA_RETURN_IF_ERROR(context_.Check());
    const size_t count = std::min(size, rest_.size());
    rest_.copy(buffer, count);
    rest_.remove_prefix(count);
    return count;
  }

 private:
  const CallContext context_;
  const std::shared_ptr<const std::string> content_;  // outlives a removal from the store
  absl::string_view rest_;
};

}  // namespace

class MemoryStore::Writer final : public UploadWriter {
 public:
  Writer(MemoryStore& store, const CallContext& context, std::string id, std::shared_ptr<Upload> upload)
      : store_(store), context_(context), id_(std::move(id)), upload_(std::move(upload)) {}
  ~Writer() override {
    MutexLock lock(store_.mutex_);
    upload_->has_writer = false;
  }

  absl::Status Write(absl::string_view data) override {
    STRATA_RETURN_IF_ERROR(context_.Check());
    MutexLock lock(store_.mutex_);
    if (upload_->has_ended) return UploadGone(id_);
    STRATA_RETURN_IF_ERROR(store_.CheckQuotas(upload_->repository, static_cast<int64_t>(data.size()), 0));
    upload_->content.append(data.data(), data.size());
    upload_->last_write = store_.clock_.Now();
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Flush() override {
    STRATA_RETURN_IF_ERROR(context_.Check());
    MutexLock lock(store_.mutex_);
    if (upload_->has_ended) return UploadGone(id_);
    upload_->has_writer = false;
    return upload_->content.size();
  }

  absl::Status Commit(const Digest& digest, std::optional<uint64_t> size_bytes) override {
    STRATA_RETURN_IF_ERROR(context_.Check());
    MutexLock lock(store_.mutex_);
    if (upload_->has_ended) return UploadGone(id_);
    upload_->has_ended = true;
    store_.uploads_.erase(id_);
    const std::string& content = upload_->content;
    if (size_bytes && *size_bytes != content.size()) {
      return absl::InvalidArgumentError(absl::StrCat("upload \"", id_, "\": ", content.size(), " bytes were received, but the client declared ",
                                                     *size_bytes, "; send the blob again"));
    }
    const Digest actual = Digest::Of(content, digest.algorithm());
    if (actual != digest) {
      return absl::InvalidArgumentError(absl::StrCat("upload \"", id_, "\": the ", content.size(), " bytes received hash to ",
                                                     actual.ToString(), ", but the client declared ", digest.ToString(), "; send the blob again"));
    }
    if (store_.FindBlob(upload_->repository, digest) == nullptr) {
      STRATA_RETURN_IF_ERROR(store_.CheckQuotas(upload_->repository, static_cast<int64_t>(content.size()), 0));
    }
    if (!store_.blobs_.contains(digest)) {
      store_.blobs_[digest] = std::make_shared<const std::string>(std::move(upload_->content));
    }
    store_.repositories_[upload_->repository].links[digest] = store_.clock_.Now();
    return absl::OkStatus();
  }

 private:
  MemoryStore& store_;
  const CallContext context_;
  const std::string id_;
  const std::shared_ptr<Upload> upload_;
};

const Clock& MemoryStore::DefaultClock() {
  static const SystemClock clock;
  return clock;
}

absl::StatusOr<std::shared_ptr<MemoryStore::Upload>> MemoryStore::FindUpload(absl::string_view repository,
                                                                             absl::string_view upload_id) {
  const auto found = uploads_.find(std::string(upload_id));
  if (found == uploads_.end() || found->second->repository != repository) {
    return absl::NotFoundError(absl::StrCat("repository \"", repository, "\" has no upload \"", upload_id.substr(0, 80), "\""));
  }
  return found->second;
}

MemoryStore::Repository* MemoryStore::FindRepository(absl::string_view name) {
  const auto found = repositories_.find(std::string(name));
  return found == repositories_.end() ? nullptr : &found->second;
}

const MemoryStore::Content* MemoryStore::FindBlob(absl::string_view repository, const Digest& digest) {
  if (!repository.empty()) {
    const Repository* there = FindRepository(repository);
    if (there == nullptr || !there->links.contains(digest)) return nullptr;
  }
  const auto found = blobs_.find(digest);
  return found == blobs_.end() ? nullptr : &found->second;
}

absl::StatusOr<std::string> MemoryStore::StartUpload(const CallContext& context, absl::string_view repository,
                                                     DigestAlgorithm algorithm) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  auto upload = std::make_shared<Upload>();
  upload->repository = std::string(repository);
  upload->started = upload->last_write = clock_.Now();
  const std::string id = NewUploadId();
  MutexLock lock(mutex_);
  STRATA_RETURN_IF_ERROR(CheckQuotas(repository, 1, 0));
  uploads_[id] = std::move(upload);
  return id;
}

absl::StatusOr<UploadInfo> MemoryStore::GetUpload(const CallContext& context, absl::string_view repository,
                                                  absl::string_view upload_id) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  STRATA_ASSIGN_OR_RETURN(const std::shared_ptr<Upload> upload, FindUpload(repository, upload_id));
  return UploadInfo{std::string(upload_id), upload->content.size(), upload->started, upload->last_write};
}

absl::Status MemoryStore::CancelUpload(const CallContext& context, absl::string_view repository, absl::string_view upload_id) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  STRATA_ASSIGN_OR_RETURN(const std::shared_ptr<Upload> upload, FindUpload(repository, upload_id));
  upload->has_ended = true;
  uploads_.erase(std::string(upload_id));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<UploadWriter>> MemoryStore::OpenUpload(const CallContext& context, absl::string_view repository,
                                                                      absl::string_view upload_id,
                                                                      std::optional<uint64_t> offset_bytes,
                                                                      uint64_t incoming_bytes) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  STRATA_ASSIGN_OR_RETURN(std::shared_ptr<Upload> upload, FindUpload(repository, upload_id));
  if (upload->has_writer) {
    return absl::AbortedError(absl::StrCat("upload \"", upload_id, "\": another stream is writing it; try again"));
  }
  if (offset_bytes && *offset_bytes != upload->content.size()) {
    return WrongOffsetError(upload->content.size(),
                            absl::StrCat("upload \"", upload_id, "\": a write at offset ", *offset_bytes, ", but ",
                                         upload->content.size(), " bytes are held; go on from there"));
  }
  if (incoming_bytes > 0) STRATA_RETURN_IF_ERROR(CheckQuotas(repository, static_cast<int64_t>(incoming_bytes), 0));
  upload->has_writer = true;
  return std::make_unique<Writer>(*this, context, std::string(upload_id), std::move(upload));
}

absl::StatusOr<std::unique_ptr<BlobReader>> MemoryStore::OpenBlob(const CallContext& context, absl::string_view repository,
                                                                  const Digest& digest, uint64_t offset_bytes,
                                                                  std::optional<uint64_t> length_bytes) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  const Content* content = FindBlob(repository, digest);
  if (content == nullptr) return NoSuchBlob(repository, digest);
  const uint64_t size = (*content)->size();
  if (offset_bytes > size) {
    return absl::OutOfRangeError(absl::StrCat("offset ", offset_bytes, " is past the ", size, " bytes of ", digest.ToString()));
  }
  return std::make_unique<MemoryReader>(context, *content, offset_bytes,
                                        std::min(length_bytes.value_or(size), size - offset_bytes));
}

absl::StatusOr<std::vector<std::optional<uint64_t>>> MemoryStore::StatBlobs(const CallContext& context,
                                                                            absl::string_view repository,
                                                                            absl::Span<const Digest> digests) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_RETURN_IF_ERROR(CheckCount(digests.size()));
  std::vector<std::optional<uint64_t>> sizes;
  sizes.reserve(digests.size());
  MutexLock lock(mutex_);
  for (const Digest& digest : digests) {
    const Content* content = FindBlob(repository, digest);
    Repository* there = FindRepository(repository);
    // Who is told that the blob is there may count on it.
    if (content != nullptr && there != nullptr && there->links.at(digest) + kLease / 2 < clock_.Now()) {
      there->links[digest] = clock_.Now();
    }
    sizes.push_back(content == nullptr ? std::nullopt : std::optional<uint64_t>((*content)->size()));
  }
  return sizes;
}

absl::Status MemoryStore::LinkBlobs(const CallContext& context, absl::string_view repository,
                                    absl::string_view from_repository, absl::Span<const Digest> digests) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  STRATA_RETURN_IF_ERROR(CheckCount(digests.size()));
  MutexLock lock(mutex_);
  for (const Digest& digest : digests) {
    if (FindBlob(from_repository, digest) == nullptr) return NoSuchBlob(from_repository, digest);
  }
  if (digests.empty()) return absl::OkStatus();
  int64_t new_bytes = 0;
  for (const Digest& digest : std::set<Digest>(digests.begin(), digests.end())) {
    if (FindBlob(repository, digest) == nullptr) new_bytes += static_cast<int64_t>((*FindBlob("", digest))->size());
  }
  STRATA_RETURN_IF_ERROR(CheckQuotas(repository, new_bytes, 0));
  Repository& there = repositories_[std::string(repository)];
  for (const Digest& digest : digests) there.links[digest] = clock_.Now();
  return absl::OkStatus();
}

absl::Status MemoryStore::UnlinkBlob(const CallContext& context, absl::string_view repository, const Digest& digest) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  Repository* there = FindRepository(repository);
  if (there == nullptr || there->links.erase(digest) == 0) return NoSuchBlob(repository, digest);
  return absl::OkStatus();
}

void MemoryStore::LoseBlobForTest(const Digest& digest) {
  MutexLock lock(mutex_);
  blobs_.erase(digest);
}

}  // namespace strata::blobstore
