// How bytes get in.
#include "lib/blobstore/contract.h"
#include "lib/blobstore/errors.h"

namespace strata::blobstore {

using strata::testing::StatusIs;
using enum absl::StatusCode;

TEST_P(StoreContractTest, UploadedBytesComeBack) {
  for (const size_t size : {1, 100, 32 * 1024, 32 * 1024 + 1, 1 << 20, (3 << 20) + 7}) {
    SCOPED_TRACE(size);
    const std::string content = Content(size, static_cast<uint32_t>(size));
    const Digest digest = Upload("team/app", content);
    ASSERT_OK_AND_ASSIGN(const std::string read, Read("team/app", digest));
    EXPECT_TRUE(read == content) << read.size() << " bytes came back";
    ASSERT_OK_AND_ASSIGN(const auto reader, blobs().OpenBlob(context_, "team/app", digest, size / 2));
    EXPECT_EQ(reader->size_bytes(), size);
  }
}

TEST_P(StoreContractTest, AnEmptyBlobIsABlob) {
  const std::string id = StartUpload("app");
  ASSERT_OK(OpenUpload("app", id, 0)->Commit(Digest::Of("")));
  ASSERT_OK_AND_ASSIGN(const auto reader, blobs().OpenBlob(context_, "app", Digest::Of("")));
  EXPECT_EQ(reader->size_bytes(), 0u);
  char byte;
  ASSERT_OK_AND_ASSIGN(const size_t count, reader->Read(&byte, 1));
  EXPECT_EQ(count, 0u);
}

TEST_P(StoreContractTest, Sha512IsTakenWhateverTheSessionHashes) {
  const std::string content = Content(100000, 1);
  const Digest digest = Digest::Of(content, DigestAlgorithm::kSha512);
  for (const DigestAlgorithm algorithm : {DigestAlgorithm::kSha512, DigestAlgorithm::kSha256}) {
    ASSERT_OK_AND_ASSIGN(const std::string id, blobs().StartUpload(context_, "app", algorithm));
    const auto writer = OpenUpload("app", id);
    ASSERT_OK(writer->Write(content));
    ASSERT_OK(writer->Commit(digest, content.size()));
    ASSERT_OK_AND_ASSIGN(const std::string read, Read("app", digest));
    EXPECT_TRUE(read == content);
  }
}

TEST_P(StoreContractTest, UploadsResumeWhereTheyWere) {
  const std::string content = Content(3 << 20, 2);
  const std::string id = StartUpload("app");
  EXPECT_EQ(UploadOffset("app", id), 0u);
  size_t sent = 0;
  for (const size_t piece : {size_t{1000}, size_t{1} << 20, size_t{40000}}) {
    const auto writer = OpenUpload("app", id, sent);
    ASSERT_OK(writer->Write(absl::string_view(content).substr(sent, piece)));
    sent += piece;
    ASSERT_OK_AND_ASSIGN(const uint64_t held, writer->Flush());
    EXPECT_EQ(held, sent);
    EXPECT_EQ(UploadOffset("app", id), sent);
  }
  const auto writer = OpenUpload("app", id);  // no offset: wherever the session is
  ASSERT_OK(writer->Write(absl::string_view(content).substr(sent)));
  ASSERT_OK(writer->Commit(Digest::Of(content)));
  ASSERT_OK_AND_ASSIGN(const std::string read, Read("app", Digest::Of(content)));
  EXPECT_TRUE(read == content);
}

TEST_P(StoreContractTest, AnAbandonedWriteKeepsTheSession) {
  const std::string content = Content(300000, 3);
  const std::string id = StartUpload("app");
  {
    const auto writer = OpenUpload("app", id, 0);
    ASSERT_OK(writer->Write(absl::string_view(content).substr(0, 200000)));
  }
  const uint64_t held = UploadOffset("app", id);
  ASSERT_LE(held, 200000u);
  const auto writer = OpenUpload("app", id, held);
  ASSERT_OK(writer->Write(absl::string_view(content).substr(held)));
  ASSERT_OK(writer->Commit(Digest::Of(content), content.size()));
}

TEST_P(StoreContractTest, AWriteMustStartAtTheOffsetHeld) {
  const std::string id = StartUpload("app");
  {
    const auto writer = OpenUpload("app", id, 0);
    ASSERT_OK(writer->Write("0123456789"));
    ASSERT_OK(writer->Flush());
  }
  for (const uint64_t offset : {0, 9, 11}) {
    const absl::Status refused = blobs().OpenUpload(context_, "app", id, offset).status();
    EXPECT_THAT(refused, StatusIs(kOutOfRange, "10")) << offset;
    EXPECT_EQ(HeldOffset(refused), 10u);
  }
  EXPECT_EQ(UploadOffset("app", id), 10u);
}

TEST_P(StoreContractTest, OneWriterASession) {
  const std::string id = StartUpload("app");
  auto first = OpenUpload("app", id, 0);
  EXPECT_THAT(blobs().OpenUpload(context_, "app", id, 0), StatusIs(kAborted, ""));
  ASSERT_OK(first->Write("abc"));
  first.reset();
  ASSERT_OK(OpenUpload("app", id)->Flush());
}

TEST_P(StoreContractTest, WrongBytesDiscardTheSession) {
  const std::string id = StartUpload("app");
  const auto writer = OpenUpload("app", id, 0);
  ASSERT_OK(writer->Write("these bytes"));
  EXPECT_THAT(writer->Commit(Digest::Of("other bytes")), StatusIs(kInvalidArgument, Digest::Of("these bytes").ToString()));
  EXPECT_THAT(blobs().GetUpload(context_, "app", id), StatusIs(kNotFound, ""));
  EXPECT_THAT(Read("app", Digest::Of("other bytes")), StatusIs(kNotFound, ""));
  EXPECT_THAT(Read("app", Digest::Of("these bytes")), StatusIs(kNotFound, ""));
}

TEST_P(StoreContractTest, AWrongSizeDiscardsTheSession) {
  const std::string id = StartUpload("app");
  const auto writer = OpenUpload("app", id, 0);
  ASSERT_OK(writer->Write("abc"));
  EXPECT_THAT(writer->Commit(Digest::Of("abc"), 4), StatusIs(kInvalidArgument, "4"));
  EXPECT_THAT(blobs().GetUpload(context_, "app", id), StatusIs(kNotFound, ""));
}

TEST_P(StoreContractTest, CommittingWhatTheStoreHasKeepsOneCopy) {
  const std::string content = Content(100000, 4);
  const Digest digest = Upload("app", content);
  Upload("app", content);
  Upload("other", content);
  ASSERT_OK_AND_ASSIGN(const StoreStatistics statistics, admin().GetStatistics(context_));
  EXPECT_EQ(statistics.blobs, 1);
  EXPECT_EQ(statistics.blob_bytes, 100000);
  EXPECT_TRUE(Has("other", digest));
}

TEST_P(StoreContractTest, ACancelledUploadIsGone) {
  const std::string id = StartUpload("app");
  {
    const auto writer = OpenUpload("app", id, 0);
    ASSERT_OK(writer->Write(Content(100000, 5)));
    ASSERT_OK(writer->Flush());
  }
  ASSERT_OK(blobs().CancelUpload(context_, "app", id));
  EXPECT_THAT(blobs().GetUpload(context_, "app", id), StatusIs(kNotFound, ""));
  EXPECT_THAT(blobs().OpenUpload(context_, "app", id, std::nullopt), StatusIs(kNotFound, ""));
  EXPECT_THAT(blobs().CancelUpload(context_, "app", id), StatusIs(kNotFound, ""));
}

TEST_P(StoreContractTest, CancellingUnderAWriterFailsItsCommit) {
  const std::string id = StartUpload("app");
  const auto writer = OpenUpload("app", id, 0);
  ASSERT_OK(writer->Write("abc"));
  ASSERT_OK(blobs().CancelUpload(context_, "app", id));
  EXPECT_THAT(writer->Commit(Digest::Of("abc")), StatusIs(kNotFound, ""));
  EXPECT_FALSE(Has("", Digest::Of("abc")));
}

TEST_P(StoreContractTest, ASessionBelongsToItsRepository) {
  const std::string id = StartUpload("app");
  EXPECT_THAT(blobs().GetUpload(context_, "other", id), StatusIs(kNotFound, ""));
  EXPECT_THAT(blobs().OpenUpload(context_, "other", id, 0), StatusIs(kNotFound, ""));
  EXPECT_THAT(blobs().CancelUpload(context_, "other", id), StatusIs(kNotFound, ""));
  EXPECT_EQ(UploadOffset("app", id), 0u);
}

TEST_P(StoreContractTest, FinishingAnUploadIsOneStep) {
  const std::string content = Content(60000, 6);
  std::string id = StartUpload("app");
  ASSERT_OK(blobs().FinishUpload(context_, "app", id, 0, content, Digest::Of(content), content.size()));
  EXPECT_TRUE(Has("app", Digest::Of(content)));
  EXPECT_THAT(blobs().GetUpload(context_, "app", id), StatusIs(kNotFound, ""));
  EXPECT_THAT(blobs().FinishUpload(context_, "app", id, 0, content, Digest::Of(content)), StatusIs(kNotFound, ""));

  // Behind what is held; also nothing at all, which is how clients end a push in chunks.
  for (const std::string& rest : {std::string(), std::string("more")}) {
    id = StartUpload("app");
    {
      const auto writer = OpenUpload("app", id, 0);
      ASSERT_OK(writer->Write(content));
      ASSERT_OK(writer->Flush());
    }
    const Digest digest = Digest::Of(content + rest);
    EXPECT_THAT(blobs().FinishUpload(context_, "app", id, 5, rest, digest), StatusIs(kOutOfRange, "60000"));
    ASSERT_OK(blobs().FinishUpload(context_, "app", id, std::nullopt, rest, digest));
    EXPECT_TRUE(Has("app", digest));
  }

  id = StartUpload("app");
  EXPECT_THAT(blobs().FinishUpload(context_, "app", id, 0, "these", Digest::Of("others")), StatusIs(kInvalidArgument, ""));
  EXPECT_THAT(blobs().GetUpload(context_, "app", id), StatusIs(kNotFound, ""));
}

TEST_P(StoreContractTest, UploadTimesMove) {
  const std::string id = StartUpload("app");
  ASSERT_OK_AND_ASSIGN(const UploadInfo before, blobs().GetUpload(context_, "app", id));
  AdvanceClock(absl::Minutes(5));
  const auto writer = OpenUpload("app", id, 0);
  ASSERT_OK(writer->Write("x"));
  ASSERT_OK(writer->Flush());
  ASSERT_OK_AND_ASSIGN(const UploadInfo after, blobs().GetUpload(context_, "app", id));
  EXPECT_EQ(after.id, id);
  EXPECT_EQ(after.started, before.started);
  EXPECT_EQ(after.last_write - after.started, absl::Minutes(5));
}

TEST_P(StoreContractTest, BadNamesAreRefused) {
  for (const char* name : {"", "App", "a//b", "/a", "_other", "a b", "../a"}) {
    EXPECT_THAT(blobs().StartUpload(context_, name, DigestAlgorithm::kSha256), StatusIs(kInvalidArgument, "")) << name;
  }
  EXPECT_OK(blobs().StartUpload(context_, kBuildRepository, DigestAlgorithm::kSha256));
}

TEST_P(StoreContractTest, CancelledAndLateCallsFail) {
  Cancellation cancellation;
  cancellation.Cancel();
  CallContext cancelled;
  cancelled.cancellation = &cancellation;
  EXPECT_THAT(blobs().StatBlobs(cancelled, "", {Digest::Of("x")}), StatusIs(kCancelled, ""));
  CallContext late;
  late.deadline = absl::Now() - absl::Seconds(1);
  EXPECT_THAT(blobs().StatBlobs(late, "", {Digest::Of("x")}), StatusIs(kDeadlineExceeded, ""));
}

}  // namespace strata::blobstore
