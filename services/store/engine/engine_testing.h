// What the engine's tests share: an engine in a scratch folder that can be closed and opened again, and content to put in. testonly.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/testing/fake_clock.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/store/engine/store_engine.h"

namespace strata::store {

// Bytes that differ by seed and do not repeat in a short period.
inline std::string MakeContent(size_t size, uint32_t seed) {
  std::string content(size, '\0');
  uint32_t state = seed * 2654435761u + 1;
  for (char& c : content) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return content;
}

inline std::string ReadWhole(blobstore::BlobReader& reader) {
  absl::StatusOr<std::string> content = ReadAll(reader, 1 << 30);
  EXPECT_OK(content);
  return content.ok() ? *content : "";
}

inline constexpr char kImageType[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";

inline std::string DescriptorJson(absl::string_view media_type, const Digest& digest, size_t size) {
  return absl::StrCat(R"({"mediaType":")", media_type, R"(","digest":")", digest.ToString(), R"(","size":)", size, "}");
}

// An image of a config and layers; `extra` goes in verbatim (",\"subject\":…").
inline std::string ImageJson(const Digest& config, const std::vector<Digest>& layers, absl::string_view extra = "") {
  std::string list;
  for (const Digest& layer : layers) {
    absl::StrAppend(&list, list.empty() ? "" : ",", DescriptorJson("application/vnd.oci.image.layer.v1.tar+gzip", layer, 1));
  }
  return absl::StrCat(R"({"schemaVersion":2,"mediaType":")", kImageType, R"(","config":)",
                      DescriptorJson("application/vnd.oci.image.config.v1+json", config, 1), R"(,"layers":[)", list, "]", extra,
                      "}");
}

inline std::string IndexJson(const std::vector<Digest>& children) {
  std::string list;
  for (const Digest& child : children) absl::StrAppend(&list, list.empty() ? "" : ",", DescriptorJson(kImageType, child, 1));
  return absl::StrCat(R"({"schemaVersion":2,"mediaType":")", kIndexType, R"(","manifests":[)", list, "]}");
}

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    options_.data_dir = scratch_.Join("data");
    options_.reserved_bytes = 0;
    Reopen();
  }

  void Reopen() {
    engine_.reset();
    absl::StatusOr<std::unique_ptr<StoreEngine>> opened = StoreEngine::Open(options_, clock_);
    EXPECT_OK(opened);
    if (opened.ok()) engine_ = *std::move(opened);
  }

  Digest Upload(absl::string_view repository, const std::string& content,
                DigestAlgorithm algorithm = DigestAlgorithm::kSha256) {
    StringSource source(content);
    const Digest digest = Digest::Of(content, algorithm);
    EXPECT_OK(blobstore::UploadBlob(*engine_, context_, repository, source, digest));
    return digest;
  }

  // An image whose config and layer are made of `seed`, tagged `tag`.
  Digest PushImage(absl::string_view repository, const std::string& tag, uint32_t seed) {
    const Digest config = Upload(repository, MakeContent(100, seed));
    const Digest layer = Upload(repository, MakeContent(100000, seed));
    blobstore::PutManifestOptions options;
    if (!tag.empty()) options.tags = {tag};
    const auto put = engine_->PutManifest(context_, repository, kImageType, ImageJson(config, {layer}), options);
    EXPECT_OK(put);
    return put.ok() ? put->digest : Digest();
  }

  std::string Read(absl::string_view repository, const Digest& digest) {
    auto reader = engine_->OpenBlob(context_, repository, digest, 0, std::nullopt);
    EXPECT_OK(reader);
    return reader.ok() ? ReadWhole(**reader) : "";
  }

  bool Has(absl::string_view repository, const Digest& digest) {
    const auto sizes = engine_->StatBlobs(context_, repository, {digest});
    EXPECT_OK(sizes);
    return sizes.ok() && (*sizes)[0].has_value();
  }

  blobstore::StoreStatistics Statistics() {
    const auto statistics = engine_->GetStatistics(context_);
    EXPECT_OK(statistics);
    return statistics.ok() ? *statistics : blobstore::StoreStatistics();
  }

  // Paths of all extent files.
  std::vector<std::string> Extents() const {
    std::vector<std::string> paths;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator entry(scratch_.Join("data/extents"), error), end; entry != end;
         entry.increment(error)) {
      if (entry->is_regular_file(error)) paths.push_back(entry->path().string());
    }
    return paths;
  }

  testing::ScratchDir scratch_;
  testing::FakeClock clock_;
  CallContext context_;
  EngineOptions options_;
  std::unique_ptr<StoreEngine> engine_;
};

}  // namespace strata::store
