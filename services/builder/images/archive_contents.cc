#include "services/builder/images/archive_contents.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/compress/decompressing_source.h"
#include "lib/digest/verifying_source.h"
#include "lib/tar/reader.h"
#include "services/builder/images/archive_format.h"
#include "services/builder/images/layer_upload.h"

namespace strata::images {

namespace {

constexpr int kMaxLinkHops = 8;
constexpr uint64_t kMaxEntries = 100'000;
constexpr size_t kHeadBytes = 16;

// A source whose first bytes were looked at already.
class HeadedSource final : public ByteSource {
 public:
  HeadedSource(std::string head, ByteSource& rest) : head_(std::move(head)), rest_(rest) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    if (used_ == head_.size()) return rest_.Read(buffer, size);
    const size_t n = std::min(size, head_.size() - used_);
    std::memcpy(buffer, head_.data() + used_, n);
    used_ += n;
    return n;
  }

 private:
  const std::string head_;
  size_t used_ = 0;
  ByteSource& rest_;
};

bool LooksLikeJson(absl::string_view head) {
  const size_t first = head.find_first_not_of(" \t\r\n");
  return first != absl::string_view::npos && (head[first] == '{' || head[first] == '[');
}

bool LooksLikeLayer(absl::string_view path) {
  for (const absl::string_view suffix : {".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2"}) {
    if (absl::EndsWith(path, suffix)) return true;
  }
  return false;
}

absl::string_view FolderOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? "" : path.substr(0, slash);
}

// What is wrong with the bytes of an archive is its sender's doing, not damage to our store.
absl::Status BlameArchive(const absl::Status& status) {
  return absl::IsDataLoss(status) ? absl::InvalidArgumentError(status.message()) : status;
}

class Pass {
 public:
  Pass(const CallContext& context, blobstore::BlobStore& blobs, const layer::LayerSinkOptions& options)
      : context_(context), blobs_(blobs), options_(options) {}

  absl::Status Run(ByteSource& archive) {
    STRATA_ASSIGN_OR_RETURN(const auto plain, compress::DecompressingSource::Open(archive));
    tar::Reader reader(*plain, {.max_entries = kMaxEntries});
    while (true) {
      STRATA_RETURN_IF_ERROR(context_.Check());
      STRATA_ASSIGN_OR_RETURN(const std::optional<tar::Entry> entry, reader.Next());
      if (!entry) return reader.DrainSource();
      const std::string path = CleanPath("", entry->name);
      const absl::Status taken = Take(path, *entry, reader.content());
      if (!taken.ok()) return Annotate(BlameArchive(taken), absl::StrCat("\"", path.substr(0, 200), "\" of the archive"));
    }
  }

  ArchiveContents Contents() && { return std::move(contents_); }

 private:
  absl::Status Take(const std::string& path, const tar::Entry& entry, ByteSource& content) {
    if (entry.type == tar::EntryType::kSymlink) {
      contents_.links[path] = CleanPath(FolderOf(path), entry.link_name);
    } else if (entry.type == tar::EntryType::kHardLink) {
      contents_.links[path] = CleanPath("", entry.link_name);
    }
    if (entry.type != tar::EntryType::kFile) return absl::OkStatus();

    std::string head(std::min<uint64_t>(kHeadBytes, entry.size), '\0');
    if (!head.empty()) STRATA_RETURN_IF_ERROR(ReadExactly(content, head.data(), head.size()));
    HeadedSource whole(head, content);
    const bool is_document = LooksLikeJson(head) && entry.size <= kMaxDocumentBytes;
    if (const std::optional<Digest> digest = ParseBlobPath(path)) {
      return is_document ? KeepBlob(*digest, entry.size, whole) : StoreBlob(*digest, entry.size, compress::SniffFormat(head), whole);
    }
    if (is_document) return KeepFile(path, entry.size, whole);
    if (IsNeeded(path)) {
      return absl::InvalidArgumentError(absl::StrCat("it must be a JSON document of at most ", kMaxDocumentBytes, " bytes"));
    }
    return LooksLikeLayer(path) ? StoreLayer(path, whole) : absl::OkStatus();
  }

  static bool IsNeeded(absl::string_view path) { return path == kDockerManifestFile || path == kOciIndexFile; }

  absl::StatusOr<std::string> ReadDocument(uint64_t size, ByteSource& content) {
    if (size > kMaxDocumentsBytes - kept_bytes_) {
      return absl::InvalidArgumentError(absl::StrCat("the archive holds more than ", kMaxDocumentsBytes, " bytes of JSON documents"));
    }
    kept_bytes_ += size;
    return ReadAll(content, size);
  }

  absl::Status KeepFile(const std::string& path, uint64_t size, ByteSource& content) {
    // Nobody needs the one-layer documents of Docker before 1.10.
    if (absl::EndsWith(path, "/json")) return absl::OkStatus();
    STRATA_ASSIGN_OR_RETURN(contents_.files[path], ReadDocument(size, content));
    return absl::OkStatus();
  }

  absl::Status KeepBlob(const Digest& digest, uint64_t size, ByteSource& content) {
    STRATA_ASSIGN_OR_RETURN(std::string document, ReadDocument(size, content));
    const Digest actual = Digest::Of(document, digest.algorithm());
    if (actual != digest) return absl::InvalidArgumentError(absl::StrCat("its bytes hash to ", actual.ToString()));
    contents_.documents[digest] = std::move(document);
    return absl::OkStatus();
  }

  absl::Status StoreBlob(const Digest& digest, uint64_t size, compress::Format format, ByteSource& content) {
    const std::vector<Digest> digests = {digest};
    STRATA_ASSIGN_OR_RETURN(const auto held, blobs_.StatBlobs(context_, "", digests));
    VerifyingSource verified(content, digest, static_cast<int64_t>(size));
    if (held[0]) {
      NullSink nowhere;
      STRATA_RETURN_IF_ERROR(CopyBytes(verified, nowhere).status());
      STRATA_RETURN_IF_ERROR(blobs_.LinkBlobs(context_, blobstore::kBuildRepository, "", digests));
    } else {
      STRATA_RETURN_IF_ERROR(blobstore::UploadBlob(blobs_, context_, blobstore::kBuildRepository, verified, digest, size));
    }
    contents_.blobs[digest] = {static_cast<int64_t>(size), format};
    return absl::OkStatus();
  }

  absl::Status StoreLayer(const std::string& path, ByteSource& content) {
    auto layer = UploadLayer(context_, blobs_, options_, [&](ByteSink& tar) -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const auto plain, compress::DecompressingSource::Open(content));
      return CopyBytes(*plain, tar).status();
    });
    if (!layer.ok()) return layer.status();
    contents_.layers[path] = *std::move(layer);
    return absl::OkStatus();
  }

  const CallContext& context_;
  blobstore::BlobStore& blobs_;
  const layer::LayerSinkOptions& options_;
  ArchiveContents contents_;
  size_t kept_bytes_ = 0;
};

}  // namespace

std::string ArchiveContents::Resolve(absl::string_view path) const {
  std::string resolved = CleanPath("", path);
  for (int hop = 0; hop < kMaxLinkHops; ++hop) {
    const auto link = links.find(resolved);
    if (link == links.end()) break;
    resolved = link->second;
  }
  return resolved;
}

const std::string* ArchiveContents::FindDocument(absl::string_view path) const {
  const std::string resolved = Resolve(path);
  if (const std::optional<Digest> digest = ParseBlobPath(resolved)) {
    const auto document = documents.find(*digest);
    return document == documents.end() ? nullptr : &document->second;
  }
  const auto file = files.find(resolved);
  return file == files.end() ? nullptr : &file->second;
}

absl::StatusOr<ArchiveContents> ReadArchive(const CallContext& context, blobstore::BlobStore& blobs,
                                            const layer::LayerSinkOptions& options, ByteSource& archive) {
  Pass pass(context, blobs, options);
  STRATA_RETURN_IF_ERROR(pass.Run(archive));
  return std::move(pass).Contents();
}

}  // namespace strata::images
