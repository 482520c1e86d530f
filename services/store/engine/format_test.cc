// Folders of another format: one of format 1, as the store that had it left it, and newer ones.
#include "services/store/engine/format.h"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "services/store/engine/engine_testing.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/record.h"
#include "services/store/engine/rocks_key_value.h"
#include "services/store/engine/rows.h"

namespace strata::store {
namespace {

using strata::testing::StatusIs;

class FormatTest : public EngineTest {
 protected:
  FormatTest() {
    engine_.reset();
    std::filesystem::remove_all(scratch_.Join("data"));
  }

  std::unique_ptr<KeyValueStore> OpenRows() {
    std::filesystem::create_directories(scratch_.Join("data"));
    auto opened = OpenRocksKeyValue(scratch_.Join("data/meta"));
    EXPECT_OK(opened);
    return opened.ok() ? *std::move(opened) : nullptr;
  }

  // Makes the folder of testdata/format1.txt.
  void WriteFormat1() {
    const std::unique_ptr<KeyValueStore> kv = OpenRows();
    std::ifstream file("services/store/engine/testdata/format1.txt");
    int rows = 0;
    EXPECT_OK(InTransaction(*kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
      for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string kind, first, second;
        uint32_t seed = 0;
        words >> kind >> first >> second >> seed;
        if (kind == "fact" || kind == "content") {
          ++rows;
          const absl::Status put = transaction.Put(kind == "fact" ? Table::kFacts : Table::kContent, absl::HexStringToBytes(first),
                                                   absl::HexStringToBytes(second));
          if (!put.ok()) return put;
        } else if (kind == "extent") {
          const std::string folder = scratch_.Join("data/extents/" + first.substr(14));
          std::filesystem::create_directories(folder);
          testing::WriteFile(folder + "/" + first, MakeContent(std::stoul(second), seed));
        }
      }
      return absl::OkStatus();
    }));
    EXPECT_GT(rows, 50);
  }

  void CheckContent() {
    ASSERT_NE(engine_, nullptr);
    ASSERT_OK_AND_ASSIGN(const auto image, engine_->GetManifest(context_, "team/app", {.tag = "latest"}, false));
    ASSERT_OK_AND_ASSIGN(const auto referrers, engine_->ListReferrers(context_, "team/app", image.digest, "", "", 0));
    EXPECT_EQ(referrers.items.size(), 1u);
    EXPECT_TRUE(Read("team/app", Digest::Of(MakeContent(33000, 2))) == MakeContent(33000, 2));
    ASSERT_OK_AND_ASSIGN(const std::string value, engine_->GetRecord(context_, "step-2"));
    EXPECT_EQ(value, "value number two");
    const auto statistics = Statistics();
    EXPECT_EQ(statistics.open_uploads, 3);
    EXPECT_EQ(statistics.cache_records, 2);
    EXPECT_EQ(statistics.cache_bytes, 34000 + 500 + 9 + 16);
  }

  void CheckExpiry() {
    clock_.Advance(absl::Hours(23));
    ASSERT_OK(engine_->CollectDue());
    EXPECT_EQ(Statistics().open_uploads, 3);
    clock_.Advance(absl::Hours(2));
    ASSERT_OK(engine_->CollectDue());
    EXPECT_EQ(Statistics().open_uploads, 0);
    EXPECT_EQ(Extents().size(), 2u);
  }
};

TEST_F(FormatTest, AFolderOfFormat1IsRewrittenThenServed) {
  WriteFormat1();
  Reopen();
  CheckContent();
  Reopen();
  CheckContent();
  CheckExpiry();
  const std::unique_ptr<KeyValueStore> kv = [&] {
    engine_.reset();
    return OpenRows();
  }();
  ASSERT_OK_AND_ASSIGN(const std::optional<std::string> version, kv->Get(Table::kFacts, keys::FormatVersion()));
  EXPECT_EQ(version, RecordWriter().U32(2).Take());
}

TEST_F(FormatTest, AnUpgradeThatWasInterruptedIsDoneAgain) {
  for (const std::string dies_at : {"format2.sessions", "format2.records", "format2.needs"}) {
    SCOPED_TRACE(dies_at);
    engine_.reset();
    std::filesystem::remove_all(scratch_.Join("data"));
    WriteFormat1();
    const pid_t child = ::fork();
    if (child == 0) {
      const auto kv = OpenRocksKeyValue(scratch_.Join("data/meta"));
      if (!kv.ok()) ::_exit(2);
      OpenFormat(**kv, [&](absl::string_view step) {
        if (step == dies_at) ::_exit(0);
      }).IgnoreError();
      ::_exit(3);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    Reopen();
    CheckContent();
    clock_.Advance(absl::Hours(25));
    ASSERT_OK(engine_->CollectDue());
    EXPECT_EQ(Statistics().open_uploads, 0);
  }
}

TEST_F(FormatTest, ANewerFolderIsRefused) {
  {
    const std::unique_ptr<KeyValueStore> kv = OpenRows();
    ASSERT_OK(InTransaction(*kv, Durability::kSynced, [](Transaction& transaction) {
      return transaction.Put(Table::kFacts, keys::FormatVersion(), RecordWriter().U32(kFormatVersion + 1).Take());
    }));
  }
  EXPECT_THAT(StoreEngine::Open(options_, clock_), StatusIs(absl::StatusCode::kFailedPrecondition, "newer"));
}

}  // namespace
}  // namespace strata::store
