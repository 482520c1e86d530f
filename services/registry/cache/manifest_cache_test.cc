// The cache over a store in memory whose counters the tests move.
#include "services/registry/cache/manifest_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/blobstore/memory_store.h"
#include "lib/testing/status_matchers.h"

namespace strata::registry {
namespace {

using blobstore::GenerationView;
using blobstore::MemoryStore;
using blobstore::StoredManifest;
using ::strata::testing::StatusIs;

constexpr char kType[] = "application/vnd.oci.image.index.v1+json";
constexpr size_t kCacheBytes = 1 << 20;

// Counters as a store keeps them, and the connection to that store.
class Counters {
 public:
  Counters() {
    file_ = UniqueFd(::memfd_create("counters", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(::ftruncate(file_.get(), blobstore::kGenerationBytes), 0);
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    stores_end_ = UniqueFd(ends[0]);
    EXPECT_EQ(::fcntl(file_.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
    auto mapped = GenerationView::Map(UniqueFd(::dup(file_.get())),
                                      std::make_shared<const descriptor::Connection>(UniqueFd(ends[1])));
    EXPECT_OK(mapped);
    if (mapped.ok()) view_ = *std::move(mapped);
  }
  void Move(absl::string_view repository) {
    const uint64_t next = view_->Of(repository) + 1;
    const off_t at = static_cast<off_t>(blobstore::GenerationBucket(repository) * sizeof(next));
    EXPECT_EQ(::pwrite(file_.get(), &next, sizeof(next), at), static_cast<ssize_t>(sizeof(next)));
  }
  void Die() { stores_end_.Reset(); }
  std::shared_ptr<const GenerationView> view() const { return view_->IsAlive() ? view_ : nullptr; }

 private:
  UniqueFd file_;
  UniqueFd stores_end_;
  std::shared_ptr<const GenerationView> view_;
};

class ManifestCacheTest : public ::testing::Test {
 protected:
  Digest Put(absl::string_view repository, const std::string& tag, absl::string_view note) {
    const std::string content = absl::StrCat(R"({"schemaVersion":2,"mediaType":")", kType, R"(","manifests":[],"annotations":{"n":")",
                                             note, R"("}})");
    blobstore::PutManifestOptions options;
    options.tags = {tag};
    const auto put = store_.PutManifest(context_, repository, kType, content, options);
    EXPECT_OK(put);
    return put.ok() ? put->digest : Digest();
  }
  Digest Get(ManifestCache& cache, absl::string_view repository, const std::string& tag, bool head_only = false) {
    const auto manifest = cache.Get(context_, repository, {tag, std::nullopt}, head_only);
    EXPECT_OK(manifest);
    return manifest.ok() ? (*manifest)->digest : Digest();
  }

  const CallContext context_;
  MemoryStore store_;
  std::unique_ptr<Counters> counters_ = std::make_unique<Counters>();
  ManifestCache cache_{store_, [this] { return counters_ == nullptr ? nullptr : counters_->view(); }, kCacheBytes};
};

TEST_F(ManifestCacheTest, AnswersFromMemoryWhileTheCounterStands) {
  const Digest first = Put("app", "v1", "first");
  EXPECT_EQ(Get(cache_, "app", "v1"), first);
  EXPECT_EQ(cache_.hits(), 0u);
  // The counter stands still although the tag moved: nobody but this test does such a thing.
  const Digest second = Put("app", "v1", "second");
  EXPECT_EQ(Get(cache_, "app", "v1"), first);
  EXPECT_EQ(Get(cache_, "app", "v1", /*head_only=*/true), first);
  EXPECT_EQ(cache_.hits(), 2u);
  counters_->Move("app");
  EXPECT_EQ(Get(cache_, "app", "v1"), second);
  EXPECT_EQ(cache_.misses(), 2u);
}

TEST_F(ManifestCacheTest, ADeletedManifestIsGoneWithTheNextRequest) {
  const Digest digest = Put("app", "v1", "x");
  ASSERT_OK(cache_.Get(context_, "app", {"", digest}, false));
  ASSERT_OK(store_.DeleteManifest(context_, "app", digest));
  counters_->Move("app");
  EXPECT_THAT(cache_.Get(context_, "app", {"", digest}, false), StatusIs(absl::StatusCode::kNotFound, ""));
  EXPECT_THAT(cache_.Get(context_, "app", {"v1", std::nullopt}, false), StatusIs(absl::StatusCode::kNotFound, ""));
}

TEST_F(ManifestCacheTest, RepositoriesAndReferencesDoNotMix) {
  const Digest one = Put("app", "v1", "one");
  const Digest two = Put("app/v1", "v1", "two");
  const Digest three = Put("app", "v2", "three");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Get(cache_, "app", "v1"), one);
    EXPECT_EQ(Get(cache_, "app/v1", "v1"), two);
    EXPECT_EQ(Get(cache_, "app", "v2"), three);
  }
  EXPECT_EQ(cache_.hits(), 3u);
}

TEST_F(ManifestCacheTest, AStoreThatDiedLeavesNothingBehind) {
  Put("app", "v1", "first");
  Get(cache_, "app", "v1");
  counters_->Die();
  const Digest second = Put("app", "v1", "second");
  EXPECT_EQ(Get(cache_, "app", "v1"), second);
  // A restarted store counts from the beginning: the same number, another count.
  const Digest third = Put("app", "v1", "third");
  counters_ = std::make_unique<Counters>();
  EXPECT_EQ(Get(cache_, "app", "v1"), third);
  EXPECT_EQ(cache_.hits(), 0u);
}

TEST_F(ManifestCacheTest, WithoutCountersEveryRequestAsks) {
  counters_.reset();
  Put("app", "v1", "first");
  Get(cache_, "app", "v1");
  const Digest second = Put("app", "v1", "second");
  EXPECT_EQ(Get(cache_, "app", "v1"), second);
  EXPECT_EQ(cache_.size_bytes(), 0u);
}

TEST_F(ManifestCacheTest, IsBounded) {
  for (int i = 0; i < 4000; ++i) {
    const std::string tag = absl::StrCat("v", i);
    Put("app", tag, absl::StrCat(i, std::string(1000, 'x')));
    Get(cache_, "app", tag);
  }
  EXPECT_LE(cache_.size_bytes(), kCacheBytes);
  EXPECT_GT(cache_.size_bytes(), kCacheBytes / 2);
  Put("app", "large", std::string(ManifestCache::kMaxManifestBytes, 'x'));
  const size_t before = cache_.size_bytes();
  Get(cache_, "app", "large");
  EXPECT_EQ(cache_.size_bytes(), before);
}

TEST_F(ManifestCacheTest, FailuresAreNotKept) {
  EXPECT_THAT(cache_.Get(context_, "app", {"v1", std::nullopt}, false), StatusIs(absl::StatusCode::kNotFound, ""));
  const Digest digest = Put("app", "v1", "late");
  EXPECT_EQ(Get(cache_, "app", "v1"), digest);
}

TEST_F(ManifestCacheTest, AFileOfAnotherShapeIsRefused) {
  UniqueFd file(::memfd_create("short", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(file.get(), 100), 0);
  EXPECT_THAT(GenerationView::Map(std::move(file), nullptr), StatusIs(absl::StatusCode::kInternal, "counters"));
  UniqueFd unsealed(::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(unsealed.get(), blobstore::kGenerationBytes), 0);
  EXPECT_THAT(GenerationView::Map(std::move(unsealed), nullptr), StatusIs(absl::StatusCode::kInternal, "counters"));
}

}  // namespace
}  // namespace strata::registry
