// The metadata seam on RocksDB: transactions, locks, counters, scans.
#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/store/engine/key_value.h"
#include "services/store/engine/rocks_key_value.h"

namespace strata::store {
namespace {

using testing::StatusIs;

class KeyValueTest : public ::testing::Test {
 protected:
  KeyValueTest() { Reopen(); }
  void Reopen() {
    kv_.reset();
    auto opened = OpenRocksKeyValue(scratch_.Join("meta"));
    EXPECT_OK(opened);
    if (opened.ok()) kv_ = *std::move(opened);
  }
  void Put(absl::string_view key, absl::string_view value) {
    EXPECT_OK(InTransaction(*kv_, Durability::kSynced, [&](Transaction& t) { return t.Put(Table::kFacts, key, value); }));
  }
  std::string Get(absl::string_view key) {
    const auto row = kv_->Get(Table::kFacts, key);
    EXPECT_OK(row);
    return row.ok() ? row->value_or("(none)") : "(error)";
  }

  testing::ScratchDir scratch_;
  std::unique_ptr<KeyValueStore> kv_;
};

// A log that is kept longer than it is needed may be torn by a power loss, and then the database does not open any more.
TEST_F(KeyValueTest, AStartLeavesNoOldLogsBehind) {
  for (int i = 0; i < 4; ++i) {
    Put(absl::StrCat("key", i), "value");
    Reopen();
    int logs = 0;
    for (const auto& entry : std::filesystem::directory_iterator(scratch_.Join("meta"))) {
      if (entry.path().extension() == ".log") ++logs;
    }
    EXPECT_LE(logs, 1);
    EXPECT_EQ(Get(absl::StrCat("key", i)), "value");
  }
}

TEST_F(KeyValueTest, ADiscardedTransactionChangesNothing) {
  Put("a", "1");
  {
    const auto transaction = kv_->Begin();
    ASSERT_OK(transaction->Put(Table::kFacts, "a", "2"));
    transaction->Add("#n", 5);
    ASSERT_OK_AND_ASSIGN(const auto own, transaction->Get(Table::kFacts, "a"));
    EXPECT_EQ(own, "2");
    EXPECT_EQ(Get("a"), "1");
  }
  EXPECT_EQ(Get("a"), "1");
  ASSERT_OK_AND_ASSIGN(const int64_t n, kv_->ReadCounter("#n"));
  EXPECT_EQ(n, 0);
}

TEST_F(KeyValueTest, SharedLocksPassEachOtherAndExclusiveOnesDoNot) {
  const auto one = kv_->Begin();
  const auto two = kv_->Begin();
  ASSERT_OK(one->GetForUpdate(Table::kFacts, "a", LockMode::kShared));
  ASSERT_OK(two->GetForUpdate(Table::kFacts, "a", LockMode::kShared));
  const absl::Status blocked = kv_->Begin()->GetForUpdate(Table::kFacts, "a", LockMode::kExclusive).status();
  EXPECT_TRUE(IsConflict(blocked)) << blocked.ToString();
}

TEST_F(KeyValueTest, RunsAgainAfterAConflictAndOnlyThen) {
  int runs = 0;
  EXPECT_OK(InTransaction(*kv_, Durability::kBuffered, [&](Transaction& t) -> absl::Status {
    if (++runs < 3) return ConflictError("busy");
    return t.Put(Table::kFacts, "a", "1");
  }));
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(Get("a"), "1");
  runs = 0;
  EXPECT_THAT(InTransaction(*kv_, Durability::kBuffered,
                            [&](Transaction&) {
                              ++runs;
                              return absl::AbortedError("no conflict");
                            }),
              StatusIs(absl::StatusCode::kAborted, "no conflict"));
  EXPECT_EQ(runs, 1);
}

TEST_F(KeyValueTest, CountersAddUpFromManyThreadsAndAcrossRestarts) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 50; ++j) {
        EXPECT_OK(InTransaction(*kv_, Durability::kBuffered, [&](Transaction& t) {
          t.Add("#n", 3);
          t.Add("#n", -1);
          return t.Put(Table::kFacts, absl::StrCat(i, j), "");
        }));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Reopen();
  ASSERT_OK_AND_ASSIGN(const int64_t n, kv_->ReadCounter("#n"));
  EXPECT_EQ(n, 400);
}

TEST_F(KeyValueTest, ScansAPrefixInByteOrderFromAStart) {
  for (const char* key : {"p", "pa", "pb", "pc", "q", "o"}) Put(key, "");
  const auto keys = [&](absl::string_view prefix, absl::string_view start) {
    std::string found;
    const auto cursor = kv_->Scan(Table::kFacts, prefix, start);
    for (; cursor->valid(); cursor->Next()) absl::StrAppend(&found, cursor->key(), " ");
    EXPECT_OK(cursor->status());
    return found;
  };
  EXPECT_EQ(keys("p", ""), "p pa pb pc ");
  EXPECT_EQ(keys("p", "pb"), "pb pc ");
  EXPECT_EQ(keys("p", "r"), "");
  EXPECT_EQ(keys("z", ""), "");
  const auto transaction = kv_->Begin();
  ASSERT_OK(transaction->Delete(Table::kFacts, "pa"));
  ASSERT_OK(transaction->Put(Table::kFacts, "pd", ""));
  std::string seen;
  const auto cursor = transaction->Scan(Table::kFacts, "p");
  for (; cursor->valid(); cursor->Next()) absl::StrAppend(&seen, cursor->key(), " ");
  EXPECT_EQ(seen, "p pb pc pd ");
}

}  // namespace
}  // namespace strata::store
