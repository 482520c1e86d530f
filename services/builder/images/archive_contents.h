// One pass over an image archive: big things go to the store as they come, small documents are kept in memory.
//
//   blobs/<algorithm>/<hex>    checked against its name; JSON documents of at most 8 MiB are kept, all else is stored as it is
//   other JSON files           kept (manifest.json, index.json, configs)
//   other *.tar, *.tar.gz …    layers of a docker-archive: stored compressed, with the diff ID that was found
//   links                      kept by name: old `docker save` links a layer that occurs twice
//   everything else            passed over
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/bytes/byte_stream.h"
#include "lib/compress/format.h"
#include "lib/digest/digest.h"
#include "services/builder/layer/pipeline.h"
#include "services/builder/snapshot/snapshot_store.h"

namespace strata::images {

inline constexpr size_t kMaxDocumentBytes = 8 * 1024 * 1024;
inline constexpr size_t kMaxDocumentsBytes = 64 * 1024 * 1024;  // of one archive

// A blob that the store has now.
struct ArchivedBlob {
  int64_t size_bytes = 0;
  compress::Format format = compress::Format::kPlain;
};

struct ArchiveContents {
  std::map<std::string, std::string> files;        // documents by path
  std::map<Digest, std::string> documents;         // documents among the blobs: not in the store yet
  std::map<Digest, ArchivedBlob> blobs;
  std::map<std::string, snapshot::Layer> layers;   // by path
  std::map<std::string, std::string> links;        // path to path

  // Follows links; a path that leads nowhere or in circles comes back as far as it led.
  std::string Resolve(absl::string_view path) const;
  // The document at a path, also below blobs/; null: none.
  const std::string* FindDocument(absl::string_view path) const;
};

// Reads `archive` (plain, or compressed as a whole) to its end.
// kInvalidArgument: not a tar, damaged, a blob that is not what its name says, or more documents than the limits allow.
// Blobs stored before an error stay leased in the build repository and then go.
absl::StatusOr<ArchiveContents> ReadArchive(const CallContext& context, blobstore::BlobStore& blobs,
                                            const layer::LayerSinkOptions& options, ByteSource& archive);

}  // namespace strata::images
