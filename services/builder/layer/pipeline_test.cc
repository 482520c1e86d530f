#include "services/builder/layer/pipeline.h"

#include <random>
#include <string>

#include "lib/compress/decompressing_source.h"
#include "lib/testing/status_matchers.h"

namespace strata::layer {
namespace {

using ::strata::testing::StatusIs;

std::string Sample(size_t size) {
  std::mt19937 random(3);
  std::string out;
  while (out.size() < size) out += random() % 2 == 0 ? "some words that repeat " : std::to_string(random());
  out.resize(size);
  return out;
}

TEST(LayerSink, GivesBothDigestsWhateverTheCompression) {
  for (const size_t size : {size_t{0}, size_t{1}, (size_t{6} << 20) + 123}) {
    const std::string tar = Sample(size);
    for (const Compression compression : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
      SCOPED_TRACE(std::string(LayerMediaType(compression)) + " of " + std::to_string(size));
      std::string blob;
      StringSink upload(&blob);
      LayerSink sink(upload, {.compression = compression});
      for (size_t at = 0; at < tar.size(); at += 300'000) ASSERT_OK(sink.Write(absl::string_view(tar).substr(at, 300'000)));
      ASSERT_OK_AND_ASSIGN(const LayerResult result, sink.Finish());
      EXPECT_EQ(result.diff_id, Digest::Of(tar));
      EXPECT_EQ(result.blob_digest, Digest::Of(blob));
      EXPECT_EQ(result.blob_size, blob.size());
      EXPECT_EQ(result.tar_size, tar.size());
      StringSource source(blob);
      ASSERT_OK_AND_ASSIGN(const auto plain, compress::DecompressingSource::Open(source));
      ASSERT_OK_AND_ASSIGN(const std::string back, ReadAll(*plain, 1 << 30));
      EXPECT_TRUE(back == tar);
    }
  }
}

TEST(LayerSink, BlobDoesNotDependOnThreads) {
  const std::string tar = Sample(5 << 20);
  std::string first;
  for (const int threads : {1, 2, 4}) {
    std::string blob;
    StringSink upload(&blob);
    LayerSink sink(upload, {.compression_threads = threads});
    ASSERT_OK(sink.Write(tar));
    ASSERT_OK(sink.Finish());
    if (first.empty()) first = blob;
    EXPECT_TRUE(blob == first) << threads;
  }
}

class LostUpload final : public ByteSink {
 public:
  absl::Status Write(absl::string_view) override { return absl::UnavailableError("upload lost"); }
};

TEST(LayerSink, ALostUploadEndsTheLayer) {
  LostUpload upload;
  LayerSink sink(upload);
  absl::Status status;
  const std::string piece = Sample(1 << 20);
  for (int i = 0; i < 20 && status.ok(); ++i) status = sink.Write(piece);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, "upload lost"));
  EXPECT_THAT(sink.Finish(), StatusIs(absl::StatusCode::kUnavailable, "upload lost"));
}

}  // namespace
}  // namespace strata::layer
