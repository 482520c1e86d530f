#include "services/builder/images/image_transfer.h"

#include <mutex>
#include <set>

#include "absl/strings/str_cat.h"
#include "lib/distribution/fake_registry.h"
#include "services/builder/images/fixtures_for_test.h"

namespace strata::images {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::StatusIs;

class TransferTest : public ::testing::Test {
 protected:
  absl::StatusOr<TransferResult> Push(const std::string& source, const std::string& target) {
    return Make(store_, catalog_, puller_).Push(context_, client_, {source, target}, Recorder());
  }
  absl::StatusOr<TransferResult> Pull(const PullSpec& spec) {
    return Make(other_, other_catalog_, other_puller_).Pull(context_, client_, spec, Recorder());
  }
  ImageTransfer Make(blobstore::MemoryStore& store, ImageCatalog& catalog, source::ImagePuller& puller) {
    return ImageTransfer(store, store, catalog, puller, {"reg.example"}, registry_.host());
  }
  source::TransferReport Recorder() {
    return [this](const Digest&, absl::string_view status, int64_t, int64_t) {
      const std::lock_guard<std::mutex> lock(mutex_);
      seen_.insert(std::string(status));
    };
  }

  distribution::FakeRegistry registry_;
  http::Client http_;
  distribution::RegistryClient client_{http_, {}};
  solver::Flights flights_;
  blobstore::MemoryStore store_;
  ImageCatalog catalog_{store_, store_, {"reg.example"}, registry_.host()};
  source::ImagePuller puller_{store_, store_, flights_};
  blobstore::MemoryStore other_;
  ImageCatalog other_catalog_{other_, other_, {}, registry_.host()};
  source::ImagePuller other_puller_{other_, other_, flights_};
  CallContext context_;
  std::mutex mutex_;
  std::set<std::string> seen_;
};

TEST_F(TransferTest, PushesAnImageAndSendsNothingTwice) {
  const auto app = PutImage(store_, "app", "1", {"layer a", "layer b", "layer a"});
  const std::string target = absl::StrCat(registry_.host(), "/team/app:9");
  ASSERT_OK_AND_ASSIGN(const TransferResult pushed, Push("app:1", target));
  EXPECT_EQ(pushed.digest, app.digest);
  EXPECT_EQ(pushed.name, target);
  EXPECT_EQ(Digest::Of(registry_.manifest("team/app", "9")), app.digest);
  EXPECT_EQ(registry_.blob("team/app", Digest::Of("layer b").ToString()), "layer b");
  EXPECT_THAT(seen_, Contains("done"));
  const size_t requests = registry_.log().size();
  seen_.clear();
  ASSERT_OK(Push("app:1", target));
  EXPECT_EQ(seen_, std::set<std::string>{"already exists"});
  const std::vector<std::string> log = registry_.log();
  for (size_t i = requests; i < log.size(); ++i) EXPECT_THAT(log[i], Not(HasSubstr("uploads")));
}

TEST_F(TransferTest, PushesAnIndexWithItsChildrenAndPullsItBack) {
  const auto amd = PutImage(store_, "app", "", {"shared", "amd"});
  const auto arm = PutImage(store_, "app", "", {"shared", "arm"}, "linux/arm64");
  const Digest index = PutIndex(store_, "app", "1", {amd, arm});
  ASSERT_OK(Push("app:1", absl::StrCat(registry_.host(), "/app:1")));
  EXPECT_NE(registry_.manifest("app", arm.digest.ToString()), "");

  ASSERT_OK_AND_ASSIGN(const TransferResult all, Pull({.reference = "app:1", .all_platforms = true}));
  EXPECT_EQ(all.digest, index);
  EXPECT_EQ(all.name, absl::StrCat(registry_.host(), "/app:1"));
  ASSERT_OK_AND_ASSIGN(const FoundImage found, other_catalog_.Find(context_, "app:1"));
  EXPECT_EQ(found.name.digest, index);

  ASSERT_OK_AND_ASSIGN(const TransferResult one, Pull({.reference = "app:1", .platform = "linux/arm64"}));
  EXPECT_EQ(one.digest, arm.digest);
  ASSERT_OK_AND_ASSIGN(const TransferResult by_digest, Pull({.reference = "app@" + amd.digest.ToString()}));
  EXPECT_EQ(by_digest.digest, amd.digest);
  EXPECT_THAT(Pull({.reference = "app:1", .platform = "linux/s390x"}), StatusIs(absl::StatusCode::kNotFound, "no variant for linux/s390x"));
}

TEST_F(TransferTest, AnImageGoesBackToWhereItsNameSays) {
  const std::string name = absl::StrCat(registry_.host(), "/team/app:1");
  const auto reference = *oci::Reference::Parse(name);
  const auto app = PutImage(store_, reference.StoreRepository({}), "1", {"a"});
  ASSERT_OK(Push(name, ""));
  EXPECT_EQ(Digest::Of(registry_.manifest("team/app", "1")), app.digest);
}

TEST_F(TransferTest, OurOwnRegistryHasItAlready) {
  const auto app = PutImage(store_, "app", "1", {"a"});
  ASSERT_OK_AND_ASSIGN(const TransferResult pushed, Push("app:1", "reg.example/app:2"));
  EXPECT_EQ(pushed.digest, app.digest);
  EXPECT_EQ(store_.GetManifest(context_, "app", {.tag = "2"})->digest, app.digest);
  EXPECT_TRUE(registry_.log().empty());
}

TEST_F(TransferTest, SaysWhatIsMissing) {
  PutImage(store_, "app", "1", {"a"});
  EXPECT_THAT(Push("app:1", ""), StatusIs(absl::StatusCode::kInvalidArgument, "strata push app:1 HOST/app:1"));
  EXPECT_THAT(Push("none:1", "quay.example/a"), StatusIs(absl::StatusCode::kNotFound, "none:1"));
  EXPECT_THAT(Pull({.reference = "none:7"}), StatusIs(absl::StatusCode::kNotFound, "none"));
  EXPECT_THAT(Pull({.reference = "app", .platform = "linux/amd64", .all_platforms = true}), StatusIs(absl::StatusCode::kInvalidArgument, "not both"));
  store_.LoseBlobForTest(Digest::Of("a"));
  EXPECT_THAT(Push("app:1", absl::StrCat(registry_.host(), "/app:1")).status().message(), HasSubstr("pushing app:1 to"));
}

}  // namespace
}  // namespace strata::images
