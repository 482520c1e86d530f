#include "services/builder/cache/step_cache.h"

#include "lib/blobstore/memory_store.h"
#include "lib/bytes/byte_stream.h"
#include "lib/testing/status_matchers.h"

namespace strata::cache {
namespace {

snapshot::Layer StoredLayer(blobstore::MemoryStore& store, const std::string& content) {
  snapshot::Layer layer;
  layer.diff_id = layer.blob = Digest::Of(content);
  layer.size_bytes = static_cast<int64_t>(content.size());
  layer.media_type = "application/vnd.oci.image.layer.v1.tar";
  layer.created = absl::FromUnixNanos(1'700'000'000'123'456'789);
  StringSource source(content);
  EXPECT_OK(blobstore::UploadBlob(store, {}, blobstore::kBuildRepository, source, layer.blob));
  return layer;
}

TEST(StepCache, RemembersLayersAndContent) {
  blobstore::MemoryStore store;
  StepCache cache(store);
  const snapshot::Layer layer = StoredLayer(store, "layer");
  ASSERT_OK(cache.PutLayer({}, "run/1/a", layer));
  ASSERT_OK(cache.PutContent({}, "content/1/a", Digest::Of("x")));
  ASSERT_OK_AND_ASSIGN(const auto found, cache.FindLayer({}, "run/1/a"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(*found, layer);
  EXPECT_EQ(found->created, layer.created);
  EXPECT_EQ(**cache.FindContent({}, "content/1/a"), Digest::Of("x"));
  EXPECT_FALSE(cache.FindLayer({}, "run/1/b")->has_value());
}

TEST(StepCache, NewerAndDamagedRecordsCountAsAbsent) {
  blobstore::MemoryStore store;
  StepCache cache(store);
  ASSERT_OK(store.PutRecord({}, "newer", R"({"version":2})", {}));
  ASSERT_OK(store.PutRecord({}, "damaged", "{", {}));
  EXPECT_FALSE(cache.FindLayer({}, "newer")->has_value());
  EXPECT_FALSE(cache.FindLayer({}, "damaged")->has_value());
}

TEST(StepCache, ALayerThatTheStoreLacksIsNotRecorded) {
  blobstore::MemoryStore store;
  StepCache cache(store);
  snapshot::Layer layer;
  layer.diff_id = layer.blob = Digest::Of("nowhere");
  EXPECT_THAT(cache.PutLayer({}, "run/1/a", layer), testing::StatusIs(absl::StatusCode::kFailedPrecondition, "run/1/a"));
}

}  // namespace
}  // namespace strata::cache
