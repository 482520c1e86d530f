// Uploads through the whole engine: resuming, committing, refusing, one copy of equal content.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "lib/blobstore/errors.h"
#include "services/store/engine/counting_key_value.h"
#include "services/store/engine/engine_testing.h"

namespace strata::store {
namespace {

using testing::StatusIs;

class UploadTest : public EngineTest {
 protected:
  std::string Start(DigestAlgorithm algorithm = DigestAlgorithm::kSha256) {
    const auto id = engine_->StartUpload(context_, "team/app", algorithm);
    EXPECT_OK(id);
    return id.ok() ? *id : "";
  }
  std::unique_ptr<blobstore::UploadWriter> OpenAt(const std::string& id, std::optional<uint64_t> offset) {
    auto writer = engine_->OpenUpload(context_, "team/app", id, offset);
    EXPECT_OK(writer);
    return writer.ok() ? *std::move(writer) : nullptr;
  }
  uint64_t Offset(const std::string& id) {
    const auto info = engine_->GetUpload(context_, "team/app", id);
    EXPECT_OK(info);
    return info.ok() ? info->offset_bytes : 0;
  }
};

// A power loss may undo a removal whose folder was not synced. Found by tests/crash.
TEST_F(UploadTest, ARemovedExtentThatIsBackAfterAPowerLossIsRemovedAgain) {
  const std::string content = MakeContent(100000, 1);
  Upload("team/app", content);
  const std::vector<std::string> first = Extents();
  const std::string id = Start();
  const auto writer = OpenAt(id, 0);
  ASSERT_OK(writer->Write(content));
  ASSERT_OK(writer->Flush());
  std::string second;
  for (const std::string& path : Extents()) {
    if (path != first.at(0)) second = path;
  }
  // One copy is kept.
  ASSERT_OK(OpenAt(id, content.size())->Commit(Digest::Of(content)));
  ASSERT_EQ(Extents(), first);
  testing::WriteFile(second, content);
  Reopen();
  EXPECT_EQ(Extents(), first);
  EXPECT_EQ(Read("team/app", Digest::Of(content)), content);
}

TEST_F(UploadTest, AnySizeComesBackAsItWas) {
  for (size_t size : {0u, 1u, 32767u, 32768u, 32769u, 262144u, 262145u, 1048576u, 3000001u}) {
    SCOPED_TRACE(size);
    const std::string content = MakeContent(size, static_cast<uint32_t>(size));
    EXPECT_EQ(Read("team/app", Upload("team/app", content)), content);
  }
  Reopen();
  const std::string content = MakeContent(3000001, 3000001);
  EXPECT_EQ(Read("team/app", Digest::Of(content)), content);
}

TEST_F(UploadTest, SmallBlobsAreRowsAndLargeOnesExtents) {
  Upload("team/app", MakeContent(32768, 1));
  EXPECT_TRUE(Extents().empty());
  Upload("team/app", MakeContent(32769, 1));
  EXPECT_EQ(Extents().size(), 1u);
}

TEST_F(UploadTest, ResumesAcrossRestartsAtAnyBoundary) {
  const std::string content = MakeContent(2500000, 7);
  const std::string id = Start();
  uint64_t held = 0;
  for (uint64_t until : {1000u, 30000u, 40000u, 1048576u, 1500000u, 2500000u}) {
    SCOPED_TRACE(until);
    auto writer = OpenAt(id, held);
    ASSERT_NE(writer, nullptr);
    ASSERT_OK(writer->Write(absl::string_view(content).substr(held, until - held)));
    ASSERT_OK_AND_ASSIGN(held, writer->Flush());
    EXPECT_EQ(held, until);
    writer.reset();
    Reopen();
    EXPECT_EQ(Offset(id), until);
  }
  ASSERT_OK(OpenAt(id, held)->Commit(Digest::Of(content), content.size()));
  EXPECT_EQ(Read("team/app", Digest::Of(content)), content);
  EXPECT_THAT(engine_->GetUpload(context_, "team/app", id), StatusIs(absl::StatusCode::kNotFound, id));
}

TEST_F(UploadTest, KeepsWhatAVanishedClientSent) {
  const std::string id = Start();
  OpenAt(id, 0)->Write(MakeContent(100000, 1)).IgnoreError();
  EXPECT_EQ(Offset(id), 100000u);
}

TEST_F(UploadTest, CutsWhatWasNotRecorded) {
  const std::string content = MakeContent(200000, 3);
  const std::string id = Start();
  auto writer = OpenAt(id, 0);
  ASSERT_OK(writer->Write(content));
  ASSERT_OK(writer->Flush());
  writer.reset();
  ASSERT_EQ(Extents().size(), 1u);
  const std::string path = Extents()[0];
  testing::WriteFile(path, content + "written but never acknowledged");
  Reopen();
  EXPECT_EQ(testing::ReadFile(path), content);
  ASSERT_OK(OpenAt(id, 200000)->Commit(Digest::Of(content)));
}

TEST_F(UploadTest, RefusesAnotherOffsetAndNamesTheRightOne) {
  const std::string id = Start();
  auto writer = OpenAt(id, 0);
  ASSERT_OK(writer->Write("12345"));
  ASSERT_OK(writer->Flush());
  EXPECT_THAT(engine_->OpenUpload(context_, "team/app", id, 4), StatusIs(absl::StatusCode::kOutOfRange, "holds 5 bytes"));
  EXPECT_NE(OpenAt(id, std::nullopt), nullptr);
}

TEST_F(UploadTest, HasOneWriterASession) {
  const std::string id = Start();
  auto writer = OpenAt(id, 0);
  EXPECT_THAT(engine_->OpenUpload(context_, "team/app", id, 0), StatusIs(absl::StatusCode::kAborted, "another request"));
  writer.reset();
  EXPECT_NE(OpenAt(id, 0), nullptr);
}

TEST_F(UploadTest, BelongsToItsRepository) {
  const std::string id = Start();
  EXPECT_THAT(engine_->GetUpload(context_, "team/other", id), StatusIs(absl::StatusCode::kNotFound, id));
  EXPECT_THAT(engine_->OpenUpload(context_, "team/other", id, 0), StatusIs(absl::StatusCode::kNotFound, id));
  EXPECT_THAT(engine_->CancelUpload(context_, "team/other", id), StatusIs(absl::StatusCode::kNotFound, id));
}

TEST_F(UploadTest, RefusesBadRepositoryNames) {
  for (const char* name : {"", "Upper", "a//b", "/a", "a/", "a b", "_other", "a..b"}) {
    SCOPED_TRACE(name);
    EXPECT_THAT(engine_->StartUpload(context_, name, DigestAlgorithm::kSha256),
                StatusIs(absl::StatusCode::kInvalidArgument, ""));
  }
  EXPECT_OK(engine_->StartUpload(context_, blobstore::kBuildRepository, DigestAlgorithm::kSha256));
}

TEST_F(UploadTest, DiscardsContentThatIsNotWhatWasDeclared) {
  for (size_t size : {10u, 100000u}) {
    SCOPED_TRACE(size);
    const std::string content = MakeContent(size, 5);
    std::string id = Start();
    auto writer = OpenAt(id, 0);
    ASSERT_OK(writer->Write(content));
    EXPECT_THAT(writer->Commit(Digest::Of("other")), StatusIs(absl::StatusCode::kInvalidArgument, "but the client declared"));
    EXPECT_THAT(engine_->GetUpload(context_, "team/app", id), StatusIs(absl::StatusCode::kNotFound, id));
    id = Start();
    writer = OpenAt(id, 0);
    ASSERT_OK(writer->Write(content));
    EXPECT_THAT(writer->Commit(Digest::Of(content), size + 1), StatusIs(absl::StatusCode::kInvalidArgument, "were declared"));
  }
  EXPECT_TRUE(Extents().empty());
  EXPECT_EQ(Statistics().open_uploads, 0);
  EXPECT_EQ(Statistics().blobs, 0);
}

TEST_F(UploadTest, CommitsByTheOtherAlgorithmToo) {
  for (size_t size : {10u, 700000u}) {
    const std::string content = MakeContent(size, 9);
    const Digest digest = Digest::Of(content, DigestAlgorithm::kSha512);
    auto writer = OpenAt(Start(DigestAlgorithm::kSha256), 0);
    ASSERT_OK(writer->Write(content));
    ASSERT_OK(writer->Commit(digest));
    EXPECT_EQ(Read("team/app", digest), content);
  }
}

TEST_F(UploadTest, KeepsOneCopyOfEqualContent) {
  const std::string content = MakeContent(500000, 1);
  const std::string first = Start();
  const std::string second = Start();
  auto one = OpenAt(first, 0);
  auto two = OpenAt(second, 0);
  ASSERT_OK(one->Write(content));
  ASSERT_OK(two->Write(content));
  absl::Status status_one;
  std::thread other([&] { status_one = one->Commit(Digest::Of(content)); });
  EXPECT_OK(two->Commit(Digest::Of(content)));
  other.join();
  EXPECT_OK(status_one);
  EXPECT_EQ(Extents().size(), 1u);
  EXPECT_EQ(Statistics().blobs, 1);
  EXPECT_EQ(Statistics().blob_bytes, 500000);
  EXPECT_EQ(Read("team/app", Digest::Of(content)), content);
}

TEST_F(UploadTest, CancelFreesTheBytesEvenUnderAWriter) {
  std::string id = Start();
  auto writer = OpenAt(id, 0);
  ASSERT_OK(writer->Write(MakeContent(400000, 1)));
  ASSERT_OK(writer->Flush());
  ASSERT_OK(engine_->CancelUpload(context_, "team/app", id));
  EXPECT_TRUE(Extents().empty());

  id = Start();
  writer = OpenAt(id, 0);
  ASSERT_OK(writer->Write(MakeContent(400000, 1)));
  ASSERT_OK(writer->Flush());
  writer = OpenAt(id, 400000);
  ASSERT_OK(engine_->CancelUpload(context_, "team/app", id));
  EXPECT_TRUE(Extents().empty());
  writer.reset();

  id = Start();
  writer = OpenAt(id, 0);
  ASSERT_OK(writer->Write(MakeContent(400000, 1)));
  ASSERT_OK(engine_->CancelUpload(context_, "team/app", id));
  EXPECT_THAT(writer->Flush(), StatusIs(absl::StatusCode::kNotFound, id));
  writer.reset();
  EXPECT_TRUE(Extents().empty());
}

TEST_F(UploadTest, IdleSessionsExpireAndBusyOnesDoNot) {
  const std::string idle = Start();
  const std::string busy = Start();
  auto writer = OpenAt(idle, 0);
  ASSERT_OK(writer->Write(MakeContent(400000, 1)));
  ASSERT_OK(writer->Flush());
  writer = OpenAt(busy, 0);
  clock_.Advance(absl::Hours(25));
  ASSERT_OK(engine_->CollectDue());
  EXPECT_THAT(engine_->GetUpload(context_, "team/app", idle), StatusIs(absl::StatusCode::kNotFound, idle));
  EXPECT_OK(engine_->GetUpload(context_, "team/app", busy));
  EXPECT_TRUE(Extents().empty());
}

TEST_F(UploadTest, LargeWritersAreBounded) {
  options_.max_large_writers = 1;
  Reopen();
  auto first = OpenAt(Start(), 0);
  ASSERT_OK(first->Write(MakeContent(100000, 1)));
  auto second = OpenAt(Start(), 0);
  EXPECT_OK(second->Write("small ones need no place"));
  EXPECT_THAT(second->Write(MakeContent(100000, 2)), StatusIs(absl::StatusCode::kUnavailable, "retry"));
  first.reset();
  EXPECT_OK(OpenAt(Start(), 0)->Write(MakeContent(100000, 1)));
}

TEST_F(UploadTest, ASessionWhoseBytesAreLostIsGoneNotBroken) {
  const std::string id = Start();
  auto writer = OpenAt(id, 0);
  ASSERT_OK(writer->Write(MakeContent(400000, 1)));
  ASSERT_OK(writer->Flush());
  writer.reset();
  testing::WriteFile(Extents()[0], "short");
  Reopen();
  EXPECT_THAT(engine_->GetUpload(context_, "team/app", id), StatusIs(absl::StatusCode::kNotFound, id));
}

TEST_F(UploadTest, EightAtOnceOfOneDigestKeepOneCopyAndAllSucceed) {
  for (const size_t size : {size_t{0}, size_t{1000}, size_t{5'000'000}}) {
    SCOPED_TRACE(size);
    const std::string content = MakeContent(size, 77);
    const int64_t blobs_before = Statistics().blobs;
    const size_t extents_before = Extents().size();
    std::vector<std::thread> threads;
    std::vector<absl::Status> statuses(8);
    for (size_t t = 0; t < statuses.size(); ++t) {
      threads.emplace_back([&, t] {
        StringSource source(content);
        statuses[t] = blobstore::UploadBlob(*engine_, context_, absl::StrCat("team/r", t % 2), source, Digest::Of(content), size);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const absl::Status& status : statuses) EXPECT_OK(status);
    EXPECT_EQ(Statistics().blobs, blobs_before + 1);
    EXPECT_EQ(Extents().size(), extents_before + (size > 32768 ? 1 : 0));
    EXPECT_EQ(Statistics().open_uploads, 0);
    EXPECT_TRUE(Read("team/r1", Digest::Of(content)) == content);
  }
}

// Writers that vanish and a store that restarts, at random places: the session goes on at the offset it tells, with the right bytes.
TEST_F(UploadTest, ResumesWhateverHappensBetweenChunks) {
  uint32_t state = 12345;
  const auto random = [&](uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
  };
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    const std::string content = MakeContent(round % 3 == 0 ? 30'000 : 1'500'000 + random(100'000), static_cast<uint32_t>(round));
    const DigestAlgorithm algorithm = round % 2 == 0 ? DigestAlgorithm::kSha256 : DigestAlgorithm::kSha512;
    const std::string id = Start(algorithm);
    uint64_t acknowledged = 0;
    for (int step = 0; step < 40; ++step) {
      const uint64_t held = Offset(id);
      ASSERT_GE(held, acknowledged);
      if (held == content.size()) break;
      auto writer = OpenAt(id, held);
      ASSERT_NE(writer, nullptr);
      const uint64_t piece = std::min<uint64_t>(content.size() - held, 1 + random(200'000));
      ASSERT_OK(writer->Write(absl::string_view(content).substr(held, piece)));
      if (random(3) == 0) {
        ASSERT_OK_AND_ASSIGN(acknowledged, writer->Flush());
        ASSERT_EQ(acknowledged, held + piece);
      }
      writer.reset();
      if (random(4) == 0) Reopen();
    }
    const uint64_t held = Offset(id);
    auto writer = OpenAt(id, held);
    ASSERT_OK(writer->Write(absl::string_view(content).substr(held)));
    ASSERT_OK(writer->Commit(Digest::Of(content, algorithm), content.size()));
    EXPECT_TRUE(Read("team/app", Digest::Of(content, algorithm)) == content);
  }
  EXPECT_EQ(Statistics().open_uploads, 0);
}

// Upload sessions in numbers, on metadata that counts what is read.
class ManySessionsTest : public UploadTest {
 protected:
  ManySessionsTest() {
    options_.wrap_metadata_for_test = [this](std::unique_ptr<KeyValueStore> inner) {
      auto counting = std::make_unique<CountingKeyValue>(std::move(inner));
      rows_ = counting.get();
      return counting;
    };
    Reopen();
  }
  CountingKeyValue* rows_ = nullptr;
};

TEST_F(ManySessionsTest, ExpiryCostsWhatItExpires) {
  const std::string old = Start();
  clock_.Advance(absl::Hours(23));
  for (int i = 0; i < 500; ++i) Start();
  clock_.Advance(absl::Hours(2));
  rows_->TakeRowsRead();
  ASSERT_OK(engine_->CollectDue());
  EXPECT_LT(rows_->TakeRowsRead(), 20);
  EXPECT_THAT(engine_->GetUpload(context_, "team/app", old), StatusIs(absl::StatusCode::kNotFound, old));
  EXPECT_EQ(Statistics().open_uploads, 500);
}

TEST_F(ManySessionsTest, AClientThatOpensThousandsIsStoppedAndLeavesNothing) {
  options_.max_sessions_a_repository = 1000;
  options_.max_sessions = 1100;
  Reopen();
  std::vector<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back(Start());
  const absl::Status refused = engine_->StartUpload(context_, "team/app", DigestAlgorithm::kSha256).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted, "repository \"team/app\" has 1000 unfinished uploads"));
  EXPECT_EQ(blobstore::WhatIsExhausted(refused), blobstore::Exhausted::kUploads);
  for (int i = 0; i < 100; ++i) EXPECT_OK(engine_->StartUpload(context_, absl::StrCat("other/", i), DigestAlgorithm::kSha256));
  EXPECT_THAT(engine_->StartUpload(context_, "another", DigestAlgorithm::kSha256),
              StatusIs(absl::StatusCode::kResourceExhausted, "--max-uploads"));
  // Places come free by cancelling, by committing, and by a commit that is refused; and are counted anew after a restart.
  ASSERT_OK(engine_->CancelUpload(context_, "team/app", ids[0]));
  ASSERT_OK(OpenAt(ids[1], 0)->Commit(Digest::Of("")));
  EXPECT_THAT(OpenAt(ids[2], 0)->Commit(Digest::Of("x")), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  Reopen();
  for (int i = 0; i < 3; ++i) Start();
  EXPECT_THAT(engine_->StartUpload(context_, "team/app", DigestAlgorithm::kSha256),
              StatusIs(absl::StatusCode::kResourceExhausted, "unfinished"));
  clock_.Advance(absl::Hours(25));
  ASSERT_OK(engine_->CollectDue());
  EXPECT_EQ(Statistics().open_uploads, 0);
  for (const char* prefix : {"U", "u"}) EXPECT_FALSE(rows_->Scan(Table::kFacts, prefix, "")->valid()) << prefix;
  EXPECT_TRUE(Extents().empty());
  Start();
}

// What another process does that was given the descriptor of an upload, in this one.
class DirectUploadTest : public UploadTest {
 protected:
  void SetUp() override {
    id_ = Start();
    Open(0);
  }
  void Open(uint64_t offset) {
    writer_.reset();
    writer_ = OpenAt(id_, offset);
    ASSERT_NE(writer_, nullptr);
    const auto direct = writer_->Direct();
    ASSERT_OK(direct);
    direct_ = *direct;
    if (direct_ == nullptr) GTEST_SKIP() << "the file system of the scratch folder has no leases";
    ASSERT_EQ(direct_->offset_bytes(), offset);
  }
  void Put(absl::string_view bytes, uint64_t at) {
    ASSERT_EQ(::pwrite(direct_->descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(at)), static_cast<ssize_t>(bytes.size()));
  }
  // A descriptor that its owner does not close.
  UniqueFd Keep() const { return UniqueFd(::fcntl(direct_->descriptor(), F_DUPFD_CLOEXEC, 0)); }
  uintmax_t SizeOnDisk() const { return std::filesystem::file_size(Extents().at(0)); }

  const std::string content_ = MakeContent(3'000'001, 4);
  const Digest digest_ = Digest::Of(content_);
  std::string id_;
  std::unique_ptr<blobstore::UploadWriter> writer_;
  blobstore::DirectUpload* direct_ = nullptr;
};

TEST_F(DirectUploadTest, WhatIsPutIntoTheFileBecomesTheBlob) {
  for (uint64_t at = 0; at < content_.size();) {
    ASSERT_OK_AND_ASSIGN(const uint64_t allowed, direct_->Allowance());
    const absl::string_view piece = absl::string_view(content_).substr(at, std::min<uint64_t>(allowed, 700'000));
    Put(piece, at);
    ASSERT_OK(direct_->Advance(piece.size()));
    at += piece.size();
    EXPECT_EQ(direct_->offset_bytes(), at);
  }
  ASSERT_OK(writer_->Commit(digest_, content_.size()));
  EXPECT_TRUE(Read("team/app", digest_) == content_);
  Reopen();
  EXPECT_TRUE(Read("team/app", digest_) == content_);
}

TEST_F(DirectUploadTest, GoesOnBehindWhatWasWrittenAndAcrossRestarts) {
  id_ = Start();
  writer_ = OpenAt(id_, 0);
  ASSERT_OK(writer_->Write(content_.substr(0, 500)));
  ASSERT_OK_AND_ASSIGN(direct_, writer_->Direct());
  EXPECT_EQ(direct_->offset_bytes(), 500u);
  Put(content_.substr(500, 100'000), 500);
  ASSERT_OK(direct_->Allowance());
  ASSERT_OK(direct_->Advance(100'000));
  ASSERT_OK_AND_ASSIGN(const uint64_t held, writer_->Flush());
  EXPECT_EQ(held, 100'500u);
  writer_.reset();
  Reopen();
  Open(held);
  ASSERT_OK(direct_->Allowance());
  Put(content_.substr(held, 1'000'000), held);
  ASSERT_OK(direct_->Advance(1'000'000));
  ASSERT_OK(writer_->Flush());
  writer_ = OpenAt(id_, held + 1'000'000);
  ASSERT_OK(writer_->Write(content_.substr(held + 1'000'000)));
  ASSERT_OK(writer_->Commit(digest_, content_.size()));
  EXPECT_TRUE(Read("team/app", digest_) == content_);
}

TEST_F(DirectUploadTest, TakesBytesByWriteInBetween) {
  size_t at = 0;
  for (const size_t piece : {100'000u, 1'000'000u, 500'000u, 1'400'001u}) {
    ASSERT_OK(direct_->Allowance());
    if (at > 0 && at < 1'200'000) {
      ASSERT_OK(writer_->Write(content_.substr(at, piece)));
    } else {
      Put(content_.substr(at, piece), at);
      ASSERT_OK(direct_->Advance(piece));
    }
    at += piece;
  }
  ASSERT_EQ(at, content_.size());
  ASSERT_OK(writer_->Commit(digest_));
  EXPECT_TRUE(Read("team/app", digest_) == content_);
}

TEST_F(DirectUploadTest, UnreportedBytesAreNotPartOfTheUpload) {
  ASSERT_OK(direct_->Allowance());
  Put(content_.substr(0, 200'000), 0);
  ASSERT_OK(direct_->Advance(150'000));
  ASSERT_OK_AND_ASSIGN(const uint64_t held, writer_->Flush());
  EXPECT_EQ(held, 150'000u);
  EXPECT_EQ(SizeOnDisk(), 150'000u);
  Open(held);
  ASSERT_OK(direct_->Allowance());
  Put(content_.substr(held, 200'000), held);
  ASSERT_OK(direct_->Advance(50'000));
  const std::string reported = content_.substr(0, 200'000);
  ASSERT_OK(writer_->Commit(Digest::Of(reported)));
  EXPECT_TRUE(Read("team/app", Digest::Of(reported)) == reported);
  EXPECT_EQ(SizeOnDisk(), 200'000u);
}

TEST_F(DirectUploadTest, ReportedBytesThatAreNotThereFailTheWrite) {
  ASSERT_OK(direct_->Allowance());
  Put(content_.substr(0, 1000), 0);
  ASSERT_OK(direct_->Advance(1000));
  Put(content_.substr(1000, 1000), 1000);
  EXPECT_THAT(direct_->Advance(1001), StatusIs(absl::StatusCode::kInvalidArgument, "has only 1000 more"));
  EXPECT_THAT(direct_->Allowance(), StatusIs(absl::StatusCode::kFailedPrecondition, ""));
  writer_.reset();
  EXPECT_EQ(Offset(id_), 0u);
  EXPECT_TRUE(Extents().empty());
}

TEST_F(DirectUploadTest, BytesBeyondTheAllowanceFailTheWriteAndGiveTheirSpaceBack) {
  ASSERT_OK_AND_ASSIGN(const uint64_t allowed, direct_->Allowance());
  Put("x", allowed);
  EXPECT_THAT(direct_->Advance(1), StatusIs(absl::StatusCode::kInvalidArgument, "allowed"));
  EXPECT_TRUE(Extents().empty());
  Open(0);
  ASSERT_OK_AND_ASSIGN(const uint64_t again, direct_->Allowance());
  EXPECT_THAT(direct_->Advance(again + 1), StatusIs(absl::StatusCode::kInvalidArgument, "allowed"));
}

TEST_F(DirectUploadTest, TheAllowanceGrowsAsBytesAreAdopted) {
  ASSERT_OK_AND_ASSIGN(const uint64_t allowed, direct_->Allowance());
  ASSERT_OK_AND_ASSIGN(const uint64_t again, direct_->Allowance());
  EXPECT_EQ(again, allowed);
  Put(content_, 0);
  ASSERT_OK(direct_->Advance(content_.size()));
  ASSERT_OK_AND_ASSIGN(const uint64_t then, direct_->Allowance());
  EXPECT_EQ(then, allowed);
}

TEST_F(DirectUploadTest, NothingIsCommittedWhileAnybodyCanWriteIt) {
  const UniqueFd kept = Keep();
  ASSERT_OK(direct_->Allowance());
  Put(content_, 0);
  ASSERT_OK(direct_->Advance(content_.size()));
  EXPECT_THAT(writer_->Commit(digest_), StatusIs(absl::StatusCode::kAborted, "open for writing"));
  writer_.reset();
  EXPECT_FALSE(Has("", digest_));
  EXPECT_EQ(Offset(id_), 0u);
}

TEST_F(DirectUploadTest, ALateWriterKeepsTheNextOneAway) {
  UniqueFd kept = Keep();
  ASSERT_OK(direct_->Allowance());
  Put(content_.substr(0, 100'000), 0);
  ASSERT_OK(direct_->Advance(100'000));
  ASSERT_OK(writer_->Flush());
  EXPECT_THAT(engine_->OpenUpload(context_, "team/app", id_, 100'000), StatusIs(absl::StatusCode::kAborted, "open for writing"));
  // Also after a restart of the store, which starts all the same.
  ASSERT_EQ(::pwrite(kept.get(), "late", 4, 100'000), 4);
  writer_.reset();
  Reopen();
  EXPECT_THAT(engine_->OpenUpload(context_, "team/app", id_, 100'000), StatusIs(absl::StatusCode::kAborted, "open for writing"));
  kept.Reset();
  Open(100'000);
  EXPECT_EQ(SizeOnDisk(), 100'000u);
  ASSERT_OK(direct_->Allowance());
  Put(content_.substr(100'000), 100'000);
  ASSERT_OK(direct_->Advance(content_.size() - 100'000));
  ASSERT_OK(writer_->Commit(digest_));
  EXPECT_TRUE(Read("team/app", digest_) == content_);
}

TEST_F(DirectUploadTest, ALateWriterOfADiscardedStartWritesIntoNothing) {
  const UniqueFd kept = Keep();
  EXPECT_THAT(direct_->Advance(1), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  Open(0);
  ASSERT_OK(direct_->Allowance());
  Put(content_, 0);
  ASSERT_EQ(::pwrite(kept.get(), "late", 4, 0), 4);
  ASSERT_OK(direct_->Advance(content_.size()));
  ASSERT_OK(writer_->Commit(digest_));
  EXPECT_TRUE(Read("team/app", digest_) == content_);
}

TEST_F(DirectUploadTest, BytesChangedBehindTheHashNeverPassAsTheBlob) {
  ASSERT_OK(direct_->Allowance());
  Put(content_, 0);
  ASSERT_OK(direct_->Advance(content_.size()));
  Put("changed", 1000);
  ASSERT_OK(writer_->Commit(digest_));
  ASSERT_OK_AND_ASSIGN(const auto reader, engine_->OpenBlob(context_, "team/app", digest_, 0, std::nullopt));
  EXPECT_THAT(ReadAll(*reader, 1 << 30), StatusIs(absl::StatusCode::kDataLoss, ""));
}

TEST_F(DirectUploadTest, AFileThatItsWriterCutIsRefused) {
  ASSERT_OK(direct_->Allowance());
  Put(content_, 0);
  ASSERT_OK(direct_->Advance(content_.size()));
  ASSERT_EQ(::ftruncate(direct_->descriptor(), 100), 0);
  EXPECT_THAT(writer_->Commit(digest_), StatusIs(absl::StatusCode::kInvalidArgument, "cut"));
  EXPECT_FALSE(Has("", digest_));
}

TEST_F(DirectUploadTest, CancellingUnderItEndsIt) {
  ASSERT_OK(direct_->Allowance());
  Put(content_, 0);
  ASSERT_OK(direct_->Advance(content_.size()));
  ASSERT_OK(engine_->CancelUpload(context_, "team/app", id_));
  EXPECT_THAT(writer_->Commit(digest_), StatusIs(absl::StatusCode::kNotFound, id_));
  writer_.reset();
  EXPECT_TRUE(Extents().empty());
  EXPECT_FALSE(Has("", digest_));
}

TEST_F(DirectUploadTest, AVanishedWriterLeavesWhatItReported) {
  ASSERT_OK(direct_->Allowance());
  Put(content_, 0);
  ASSERT_OK(direct_->Advance(100'000));
  writer_.reset();
  EXPECT_EQ(Offset(id_), 100'000u);
}

}  // namespace
}  // namespace strata::store
