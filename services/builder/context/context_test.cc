#include "gmock/gmock.h"
#include "lib/bytes/byte_stream.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/context/content_cache.h"
#include "services/builder/context/context_tree.h"

namespace strata::context {
namespace {

using filetree::Node;
using testing::StatusIs;

Node File(std::string path, absl::string_view content) {
  Node node;
  node.path = std::move(path);
  node.mode = S_IFREG | 0644;
  node.size_bytes = static_cast<int64_t>(content.size());
  node.digest = Digest::Of(content);
  return node;
}

class FakeRequester final : public FileRequester {
 public:
  explicit FakeRequester(ContentCache& cache) : cache_(cache) {}
  absl::Status Fetch(const CallContext&, absl::Span<const Node> files) override {
    for (const Node& file : files) {
      ++asked;
      auto incoming = cache_.Begin(file.digest, file.size_bytes);
      if (auto status = (*incoming)->Append(content[file.path]); !status.ok()) return status;
      if (auto status = (*incoming)->Commit(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  std::map<std::string, std::string> content;
  int asked = 0;

 private:
  ContentCache& cache_;
};

TEST(ContextListing, RefusesHostileEntries) {
  ContextListing listing;
  for (const char* path : {"", "/etc/passwd", "a/../b", "../x", "a//b", "./a", "a/"}) {
    SCOPED_TRACE(path);
    EXPECT_THAT(listing.Add(File(path, "x")), StatusIs(absl::StatusCode::kInvalidArgument, "not a clean relative path"));
  }
  EXPECT_OK(listing.Add(File("a", "x")));
  EXPECT_THAT(listing.Add(File("a", "x")), StatusIs(absl::StatusCode::kInvalidArgument, "came twice"));
  Node socket = File("s", "");
  socket.mode = S_IFSOCK | 0644;
  EXPECT_THAT(listing.Add(socket), StatusIs(absl::StatusCode::kInvalidArgument, "cannot be copied"));
  Node bare = File("b", "x");
  bare.digest = Digest();
  EXPECT_THAT(listing.Add(bare), StatusIs(absl::StatusCode::kInvalidArgument, "without digest"));
}

TEST(ContextListing, HasALimit) {
  ContextListing listing;
  absl::Status status;
  const std::string value(1 << 20, 'v');
  for (int i = 0; i < 300 && status.ok(); ++i) {
    Node node = File(std::to_string(i), "x");
    node.xattrs["user.a"] = value;
    status = listing.Add(std::move(node));
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, "longer than"));
}

TEST(ContextListing, DropsWhatATypeDoesNotHave) {
  ContextListing listing;
  Node file = File("a", "x");
  file.link_target = "b";
  file.device_major = 8;
  ASSERT_OK(listing.Add(file));
  EXPECT_EQ(listing.nodes().at("a").link_target, "");
  EXPECT_EQ(listing.nodes().at("a").device_major, 0u);
}

TEST(ContextTree, ListsImpliedFoldersAndFetchesContentOnce) {
  testing::ScratchDir scratch;
  ASSERT_OK_AND_ASSIGN(auto cache, ContentCache::Open(scratch.path(), 1 << 20));
  FakeRequester requester(*cache);
  requester.content = {{"src/lib/a.c", "int a;"}};
  ContextListing listing;
  ASSERT_OK(listing.Add(File("src/lib/a.c", "int a;")));
  ContextTree tree(listing, *cache, requester);
  ASSERT_OK_AND_ASSIGN(const auto root, tree.List(""));
  ASSERT_EQ(root.size(), 1u);
  EXPECT_EQ(root[0].path, "src");
  ASSERT_OK_AND_ASSIGN(const auto file, tree.Lookup("src/lib/a.c"));
  ASSERT_TRUE(file.has_value());
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(UniqueFd fd, tree.Open({}, *file));
    FdSource source(fd.get());
    EXPECT_EQ(*ReadAll(source, 100), "int a;");
  }
  EXPECT_EQ(requester.asked, 1);
  EXPECT_THAT(tree.List("src/none"), StatusIs(absl::StatusCode::kNotFound, "src/none"));
}

TEST(ContentCache, KeepsOnlyWhatItsDigestPromises) {
  testing::ScratchDir scratch;
  ASSERT_OK_AND_ASSIGN(auto cache, ContentCache::Open(scratch.path(), 1 << 20));
  {
    ASSERT_OK_AND_ASSIGN(auto incoming, cache->Begin(Digest::Of("good"), 4));
    ASSERT_OK(incoming->Append("evil"));
    EXPECT_THAT(incoming->Commit(), StatusIs(absl::StatusCode::kInvalidArgument, "changed while it was sent"));
    EXPECT_THAT(incoming->Append("more"), StatusIs(absl::StatusCode::kResourceExhausted, "announced 4"));
  }
  EXPECT_FALSE(cache->Has(Digest::Of("good")));
}

TEST(ContentCache, TrimsLeastRecentlyUsedFirst) {
  testing::ScratchDir scratch;
  ASSERT_OK_AND_ASSIGN(auto cache, ContentCache::Open(scratch.path(), 10'000));
  const std::string first(8000, 'a'), second(8000, 'b');
  for (const std::string& content : {first, second}) {
    ASSERT_OK_AND_ASSIGN(auto incoming, cache->Begin(Digest::Of(content), 8000));
    ASSERT_OK(incoming->Append(content));
    ASSERT_OK(incoming->Commit());
  }
  ASSERT_OK(cache->OpenFile(Digest::Of(second)));
  ASSERT_OK(cache->OpenFile(Digest::Of(first)));
  ASSERT_OK(cache->Trim());
  EXPECT_TRUE(cache->Has(Digest::Of(first)));
  EXPECT_FALSE(cache->Has(Digest::Of(second)));
}

}  // namespace
}  // namespace strata::context
