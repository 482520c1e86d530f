#include "services/registry/routes/path.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace strata::registry {
namespace {

TEST(PathTest, NamesMayContainTheWordsOfThePaths) {
  struct Case {
    std::string path;
    Endpoint endpoint;
    std::string repository, last;
  };
  const std::vector<Case> cases = {
      {"/v2", Endpoint::kBase, "", ""},
      {"/v2/", Endpoint::kBase, "", ""},
      {"/v2/_catalog", Endpoint::kCatalog, "", ""},
      {"/v2/_oci/ext/discover", Endpoint::kExtensions, "", ""},
      {"/v1/_ping", Endpoint::kLegacyPing, "", ""},
      {"/v1/search", Endpoint::kLegacySearch, "", ""},
      {"/v2/a/blobs/sha256:1", Endpoint::kBlob, "a", "sha256:1"},
      {"/v2/a/b/blobs/uploads/", Endpoint::kUploads, "a/b", ""},
      {"/v2/a/b/blobs/uploads", Endpoint::kUploads, "a/b", ""},
      {"/v2/a/blobs/uploads/id", Endpoint::kUpload, "a", "id"},
      {"/v2/a/manifests/latest", Endpoint::kManifest, "a", "latest"},
      {"/v2/a/tags/list", Endpoint::kTags, "a", ""},
      {"/v2/a/referrers/sha256:1", Endpoint::kReferrers, "a", "sha256:1"},
      {"/v2/blobs/uploads/blobs/uploads/", Endpoint::kUploads, "blobs/uploads", ""},
      {"/v2/a/blobs/blobs/sha256:1", Endpoint::kBlob, "a/blobs", "sha256:1"},
      {"/v2/tags/list/tags/list", Endpoint::kTags, "tags/list", ""},
      {"/v2/manifests/manifests/1", Endpoint::kManifest, "manifests", "1"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.path);
    const auto route = ParsePath(c.path);
    ASSERT_TRUE(route.has_value());
    EXPECT_EQ(route->endpoint, c.endpoint);
    EXPECT_EQ(route->repository, c.repository);
    EXPECT_EQ(route->last, c.last);
  }
}

TEST(PathTest, OtherPathsAreNothing) {
  for (const char* path : {"", "/", "/v3/", "/v2x", "/v2/a", "/v2/a/b", "/v2/a/manifests/", "/v2/a/blobs/", "/v1/other"}) {
    SCOPED_TRACE(path);
    EXPECT_FALSE(ParsePath(path).has_value());
  }
}

}  // namespace
}  // namespace strata::registry
