#include "lib/blobstore/contract.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/oci/media_type.h"

namespace strata::blobstore {

std::string StoreContractTest::Content(size_t size, uint32_t seed) {
  std::string content(size, '\0');
  uint32_t state = seed * 2654435761u + 12345;
  for (char& c : content) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    c = static_cast<char>(state);
  }
  return content;
}

Digest StoreContractTest::Upload(absl::string_view repository, const std::string& content, DigestAlgorithm algorithm) {
  StringSource source(content);
  const Digest digest = Digest::Of(content, algorithm);
  EXPECT_OK(UploadBlob(blobs(), context_, repository, source, digest, content.size()));
  return digest;
}

std::string StoreContractTest::StartUpload(absl::string_view repository) {
  const auto id = blobs().StartUpload(context_, repository, DigestAlgorithm::kSha256);
  EXPECT_OK(id);
  return id.value_or("");
}

std::unique_ptr<UploadWriter> StoreContractTest::OpenUpload(absl::string_view repository, absl::string_view id,
                                                            std::optional<uint64_t> offset) {
  auto writer = blobs().OpenUpload(context_, repository, id, offset);
  EXPECT_OK(writer);
  return writer.ok() ? *std::move(writer) : nullptr;
}

uint64_t StoreContractTest::UploadOffset(absl::string_view repository, absl::string_view id) {
  const auto info = blobs().GetUpload(context_, repository, id);
  EXPECT_OK(info);
  return info.ok() ? info->offset_bytes : UINT64_MAX;
}

absl::StatusOr<std::string> StoreContractTest::Read(absl::string_view repository, const Digest& digest, uint64_t offset,
                                                    std::optional<uint64_t> length) {
  auto reader = blobs().OpenBlob(context_, repository, digest, offset, length);
  if (!reader.ok()) return reader.status();
  return ReadAll(**reader, 64 << 20);
}

bool StoreContractTest::Has(absl::string_view repository, const Digest& digest) {
  const auto sizes = blobs().StatBlobs(context_, repository, {digest});
  EXPECT_OK(sizes);
  return sizes.ok() && sizes->size() == 1 && sizes->front().has_value();
}

std::string StoreContractTest::DescriptorJson(absl::string_view media_type, const Digest& digest, size_t size) {
  return absl::StrCat(R"({"mediaType":")", media_type, R"(","digest":")", digest.ToString(), R"(","size":)", size, "}");
}

std::string StoreContractTest::ImageJson(const Digest& config, const Digest& layer, absl::string_view extra) {
  return absl::StrCat(R"({"schemaVersion":2,"mediaType":")", oci::kOciManifest, R"(","config":)",
                      DescriptorJson(oci::kOciConfig, config, 64), R"(,"layers":[)",
                      DescriptorJson(oci::kOciLayerGzip, layer, 50000), "]", extra, "}");
}

StoreContractTest::Image StoreContractTest::Push(absl::string_view repository, const std::vector<std::string>& tags,
                                                 uint32_t seed, absl::string_view extra) {
  Image image;
  image.config = Upload(repository, Content(64, seed));
  image.layer = Upload(repository, Content(50000, seed));
  image.content = ImageJson(image.config, image.layer, extra);
  image.digest = Digest::Of(image.content);
  PutManifestOptions options;
  options.tags = tags;
  const auto put = refs().PutManifest(context_, repository, oci::kOciManifest, image.content, options);
  EXPECT_OK(put);
  EXPECT_EQ(put.ok() ? put->digest : image.digest, image.digest);
  return image;
}

absl::StatusOr<PutManifestResult> StoreContractTest::PutIndex(absl::string_view repository,
                                                              const std::vector<Image>& children,
                                                              const std::vector<std::string>& tags) {
  const std::string list = absl::StrJoin(children, ",", [](std::string* out, const Image& child) {
    out->append(DescriptorJson(oci::kOciManifest, child.digest, child.content.size()));
  });
  PutManifestOptions options;
  options.tags = tags;
  return refs().PutManifest(context_, repository, oci::kOciIndex,
                            absl::StrCat(R"({"schemaVersion":2,"mediaType":")", oci::kOciIndex, R"(","manifests":[)", list, "]}"),
                            options);
}

}  // namespace strata::blobstore
