// What verification finds, and that it finds nothing in a sound store, whatever goes on beside it.
#include "services/store/verify/verifier.h"

#include <atomic>
#include <set>
#include <thread>

#include "services/store/engine/engine_testing.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/rocks_key_value.h"

namespace strata::store {
namespace {

using testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Notes final : public VerifyObserver {
 public:
  absl::Status OnProgress(const VerifyProgress&) override { return absl::OkStatus(); }
  absl::Status OnFinding(const Finding& finding) override {
    what.push_back(finding.what);
    text += absl::StrCat(finding.what, ": ", finding.subject, "\n");
    return absl::OkStatus();
  }
  std::vector<std::string> what;
  std::string text;
};

class VerifierTest : public EngineTest {
 protected:
  // Everything a store can hold.
  void Fill() {
    PushImage("a", "t", 1);
    PushImage("b/c", "", 2);
    const Digest child = PushImage("a", "child", 3);
    ASSERT_OK(engine_->PutManifest(context_, "a", kIndexType, IndexJson({child}), {.tags = {"index"}}));
    const Digest config = Upload("a", "config");
    ASSERT_OK(engine_->PutManifest(context_, "a", kImageType,
                                   ImageJson(config, {}, absl::StrCat(",\"subject\":", DescriptorJson(kImageType, child, 1))), {}));
    const Digest layer = Upload(blobstore::kBuildRepository, MakeContent(50'000, 4));
    ASSERT_OK(engine_->PutRecord(context_, "key", "value", {layer}));
    ASSERT_OK(engine_->StartUpload(context_, "a", DigestAlgorithm::kSha256));
    ASSERT_OK(engine_->UnlinkBlob(context_, "a", Upload("a", MakeContent(40'000, 9))));
  }

  VerifySummary Verify(bool is_deep = true) {
    const auto summary = VerifyStore(context_, engine_->core(), is_deep, notes_);
    EXPECT_OK(summary);
    return summary.ok() ? *summary : VerifySummary();
  }

  // Changes rows behind the store's back.
  void Tamper(const std::function<void(Transaction&)>& change) {
    ASSERT_OK(InTransaction(engine_->core().kv, Durability::kSynced, [&](Transaction& transaction) {
      change(transaction);
      return absl::OkStatus();
    }));
  }
  void Remove(const std::string& key, Table table = Table::kFacts) {
    Tamper([&](Transaction& transaction) { EXPECT_OK(transaction.Delete(table, key)); });
  }
  // The first row of a kind.
  std::string FirstKey(absl::string_view prefix, Table table = Table::kFacts) {
    const auto cursor = engine_->core().kv.Scan(table, prefix);
    EXPECT_TRUE(cursor->valid()) << prefix;
    return cursor->valid() ? std::string(cursor->key()) : "";
  }

  Notes notes_;
};

TEST_F(VerifierTest, ASoundStoreHasNoFindings) {
  Fill();
  const VerifySummary summary = Verify();
  EXPECT_EQ(notes_.text, "");
  EXPECT_EQ(summary.blobs, Statistics().blobs);
  EXPECT_EQ(summary.bytes_read, Statistics().blob_bytes);
  EXPECT_GT(summary.rows, 40);
  Verify(/*is_deep=*/false);
  EXPECT_EQ(notes_.text, "");
}

TEST_F(VerifierTest, EachBrokenPairIsFound) {
  const struct {
    std::string prefix;
    Table table;
    std::set<std::string> want;
  } kCases[] = {
      {"L", Table::kFacts, {"reverse link without its link"}},
      {"l", Table::kFacts, {"link without its reverse"}},
      {"T", Table::kFacts, {"reverse tag without its tag", "counter is wrong"}},
      {"t", Table::kFacts, {"tag without its reverse"}},
      {"E", Table::kFacts, {"manifest without the edge to what it names"}},
      {"e", Table::kFacts, {"manifest without the edge to what it names"}},
      {"S", Table::kFacts, {"manifest with a subject but no referrer"}},
      {"m", Table::kContent, {"manifest without content"}},
      {"K", Table::kFacts, {"use of a cache record that does not exist", "need of a cache record that does not exist",
                            "value of a cache record that does not exist", "counter is wrong"}},
      {"k", Table::kFacts, {"cache record without its last use"}},
      {"D", Table::kFacts, {"cache record without a need", "blob charged to the cache that no record needs"}},
      {"v", Table::kContent, {"cache record without value", "counter is wrong"}},
      {"U", Table::kFacts, {"last write of an upload session that does not exist", "counter is wrong"}},
      {"u", Table::kFacts, {"upload session without its last write"}},
      {"p", Table::kContent, {"blob damaged"}},
      {"b", Table::kContent, {"blob damaged"}},
  };
  Fill();
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.prefix);
    const std::string key = FirstKey(test.prefix, test.table);
    ASSERT_OK_AND_ASSIGN(const auto value, engine_->core().kv.Get(test.table, key));
    Remove(key, test.table);
    notes_ = Notes();
    Verify();
    EXPECT_EQ(std::set<std::string>(notes_.what.begin(), notes_.what.end()), test.want) << notes_.text;
    Tamper([&](Transaction& transaction) { EXPECT_OK(transaction.Put(test.table, key, *value)); });
  }
}

TEST_F(VerifierTest, ABlobRowThatIsGoneLeavesItsTraces) {
  const Digest digest = Upload("a", MakeContent(40'000, 1));
  Remove(keys::Blob(digest));
  Verify();
  EXPECT_THAT(notes_.text, HasSubstr("link to a blob that does not exist: a@sha256:"));
  EXPECT_THAT(notes_.text, HasSubstr("extent that nothing names: extents/"));
  EXPECT_THAT(notes_.text, HasSubstr("checksums that no blob has"));
  EXPECT_THAT(notes_.text, HasSubstr("blob_bytes says 40000, there are 0"));
}

TEST_F(VerifierTest, DamagedBytesAreFoundAndQuarantined) {
  const Digest digest = Upload("a", MakeContent(3'000'000, 1));
  std::string content = testing::ReadFile(Extents()[0]);
  content[2'000'000] ^= 4;
  testing::WriteFile(Extents()[0], content);
  Verify(/*is_deep=*/false);
  EXPECT_THAT(notes_.what, IsEmpty());
  Verify();
  EXPECT_THAT(notes_.what, ElementsAre("blob damaged"));
  EXPECT_THAT(notes_.text, HasSubstr(digest.ToString()));
  EXPECT_FALSE(Has("a", digest));
  EXPECT_EQ(Verify().quarantined_blobs, 1);
  EXPECT_EQ(notes_.what.size(), 1u);
}

TEST_F(VerifierTest, AMissingExtentIsFoundWithoutReading) {
  Upload("a", MakeContent(40'000, 1));
  std::filesystem::remove(Extents()[0]);
  Verify(/*is_deep=*/false);
  EXPECT_THAT(notes_.text, HasSubstr("its extent is missing"));
}

TEST_F(VerifierTest, BytesThatBelieveTheirChecksumButNotTheirDigestAreFound) {
  // As after a fault of memory while they were written.
  const Digest digest = Upload("a", MakeContent(100, 1));
  const std::string key = FirstKey("b", Table::kContent);
  Tamper([&](Transaction& transaction) { EXPECT_OK(transaction.Put(Table::kContent, key, MakeContent(100, 2))); });
  Verify();
  EXPECT_THAT(notes_.text, HasSubstr(absl::StrCat(digest.ToString(), ": its bytes do not match the digest")));
}

TEST_F(VerifierTest, RowsThatCannotBeReadAreFindings) {
  Upload("a", "x");
  Tamper([&](Transaction& transaction) {
    EXPECT_OK(transaction.Put(Table::kFacts, "Bjunk", "x"));
    EXPECT_OK(transaction.Put(Table::kFacts, keys::Tag("a", "t"), "\x7f"));
  });
  Verify();
  EXPECT_THAT(notes_.text, HasSubstr("row cannot be read: key 426a756e6b"));
  EXPECT_THAT(notes_.text, HasSubstr("row cannot be read: a:t: metadata is damaged"));
}

TEST_F(VerifierTest, ChangesMeanwhileAreNotDamage) {
  std::atomic<bool> done{false};
  const auto change = [&](uint32_t seed) {
    while (!done) {
      const std::string repository = absl::StrCat("r", seed);
      const Digest manifest = PushImage(repository, "t", ++seed);
      ASSERT_OK(engine_->PutRecord(context_, absl::StrCat("key", seed % 7), "v", {Digest::Of(MakeContent(100, seed))}));
      ASSERT_OK(engine_->DeleteManifest(context_, repository, manifest));
      // The other thread's collection may have taken the link, whose lease the deletion has ended.
      const absl::Status unlinked = engine_->UnlinkBlob(context_, repository, Digest::Of(MakeContent(100000, seed)));
      ASSERT_TRUE(unlinked.ok() || absl::IsNotFound(unlinked)) << unlinked;
      ASSERT_OK(engine_->CollectGarbage(context_));
    }
  };
  std::thread first(change, 1000);
  std::thread second(change, 2000);
  for (int i = 0; i < 20; ++i) Verify();
  done = true;
  first.join();
  second.join();
  EXPECT_EQ(notes_.text, "");
}

TEST_F(VerifierTest, AFolderWithoutItsStore) {
  Fill();
  engine_.reset();
  const auto summary = VerifyFolder(context_, options_.data_dir, true, notes_);
  ASSERT_OK(summary);
  EXPECT_EQ(notes_.text, "");
  EXPECT_GT(summary->blobs, 5);
  std::filesystem::remove(Extents()[0]);
  ASSERT_OK(VerifyFolder(context_, options_.data_dir, false, notes_));
  EXPECT_THAT(notes_.what, ElementsAre("blob damaged"));
  EXPECT_THAT(VerifyFolder(context_, scratch_.Join("nothing"), true, notes_), StatusIs(absl::StatusCode::kNotFound, "no store"));
}

}  // namespace
}  // namespace strata::store
