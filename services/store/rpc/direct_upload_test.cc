// Uploads whose bytes the client puts into the store's file: the contract over client, wire, services, engine and descriptors; and
// what a client can do wrong on that way.
#include <fcntl.h>
#include <grpcpp/channel.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "lib/blobstore/contract.h"
#include "lib/blobstore/store_client.h"
#include "lib/descriptor/descriptor_client.h"
#include "lib/descriptor/descriptor_server.h"
#include "lib/rpc/call.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"
#include "proto/strata/store/v1/blob.grpc.pb.h"
#include "services/store/engine/engine_testing.h"
#include "services/store/rpc/services.h"

namespace strata::store {
namespace {

using blobstore::StoreClient;
using testing::StatusIs;

// An engine served by gRPC, with a socket for descriptors beside it.
class ServedEngine {
 public:
  ServedEngine() {
    options_.data_dir = scratch_.Join("data");
    options_.reserved_bytes = 0;
    auto opened = StoreEngine::Open(options_, clock);
    EXPECT_OK(opened);
    engine = *std::move(opened);
    auto listening = descriptor::DescriptorServer::Start({.path = scratch_.Join("data/descriptors.sock")}, clock);
    EXPECT_OK(listening);
    descriptors = *std::move(listening);
    services_.push_back(NewBlobService(*engine, watcher_, {}, descriptors.get()));
    services_.push_back(NewManifestService(*engine, watcher_));
    services_.push_back(NewCacheService(*engine, watcher_));
    services_.push_back(NewQuotaService(*engine, watcher_));
    services_.push_back(NewAdminService(*engine, watcher_));
    std::vector<grpc::Service*> borrowed;
    for (const auto& service : services_) borrowed.push_back(service.get());
    auto started = rpc::Server::Start({}, borrowed);
    EXPECT_OK(started);
    server_ = *std::move(started);
  }
  std::string address() const { return server_->addresses()[0]; }

 private:
  testing::ScratchDir scratch_;
  EngineOptions options_;

 public:
  testing::FakeClock clock;
  std::unique_ptr<StoreEngine> engine;
  std::unique_ptr<descriptor::DescriptorServer> descriptors;

 private:
  rpc::CallWatcher watcher_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<rpc::Server> server_;
};

class DirectEnvironment final : public blobstore::ContractEnvironment {
 public:
  blobstore::BlobStore& blobs() override { return *client_; }
  blobstore::RefStore& refs() override { return *client_; }
  blobstore::CacheStore& cache() override { return *client_; }
  blobstore::QuotaStore& quotas() override { return *client_; }
  blobstore::AdminStore& admin() override { return *client_; }
  void AdvanceClock(absl::Duration by) override { store_.clock.Advance(by); }

 private:
  ServedEngine store_;
  std::unique_ptr<StoreClient> client_ = StoreClient::Connect(store_.address());
};

}  // namespace
}  // namespace strata::store

namespace strata::blobstore {
INSTANTIATE_TEST_SUITE_P(DirectClient, StoreContractTest, ::testing::Values(ContractParam{"DirectClient", [] {
                           return std::make_unique<store::DirectEnvironment>();
                         }}));
}  // namespace strata::blobstore

namespace strata::store {
namespace {

class DirectClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    id_ = Start();
    ASSERT_OK_AND_ASSIGN(const auto writer, store_.engine->OpenUpload(context_, "app", Start(), 0));
    ASSERT_OK_AND_ASSIGN(const blobstore::DirectUpload* const direct, writer->Direct());
    if (direct == nullptr) GTEST_SKIP() << "the file system of the scratch folder has no leases";
  }
  std::string Start() {
    const auto id = client_->StartUpload(context_, "app", DigestAlgorithm::kSha256);
    EXPECT_OK(id);
    return id.value_or("");
  }
  std::unique_ptr<blobstore::UploadWriter> Open(uint64_t offset) {
    auto writer = client_->OpenUpload(context_, "app", id_, offset);
    EXPECT_OK(writer);
    return writer.ok() ? *std::move(writer) : nullptr;
  }
  std::string Read(const Digest& digest) {
    auto reader = client_->OpenBlob(context_, "app", digest);
    EXPECT_OK(reader);
    return reader.ok() ? ReadWhole(**reader) : "";
  }
  uint64_t Offset() {
    const auto info = client_->GetUpload(context_, "app", id_);
    EXPECT_OK(info);
    return info.ok() ? info->offset_bytes : 0;
  }
  // As a registry does it.
  void PutAll(blobstore::DirectUpload& file, absl::string_view content) {
    while (!content.empty()) {
      ASSERT_OK_AND_ASSIGN(const uint64_t allowed, file.Allowance());
      const absl::string_view piece = content.substr(0, std::min<uint64_t>(allowed, 300'000));
      ASSERT_EQ(::pwrite(file.descriptor(), piece.data(), piece.size(), static_cast<off_t>(file.offset_bytes())),
                static_cast<ssize_t>(piece.size()));
      ASSERT_OK(file.Advance(piece.size()));
      content.remove_prefix(piece.size());
    }
  }

  ServedEngine store_;
  const CallContext context_;
  std::unique_ptr<StoreClient> client_ = StoreClient::Connect(store_.address());
  const std::string content_ = MakeContent(70'000'000, 1);  // several allowances
  const Digest digest_ = Digest::Of(content_);
  std::string id_;
};

TEST_F(DirectClientTest, PutsContentIntoTheFile) {
  auto writer = Open(0);
  ASSERT_OK(writer->Write(content_.substr(0, 1000)));
  ASSERT_OK_AND_ASSIGN(blobstore::DirectUpload* const file, writer->Direct());
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->offset_bytes(), 1000u);
  PutAll(*file, absl::string_view(content_).substr(1000, 39'999'000));
  ASSERT_OK_AND_ASSIGN(const uint64_t held, writer->Flush());
  EXPECT_EQ(held, 40'000'000u);
  writer = Open(held);
  ASSERT_OK_AND_ASSIGN(blobstore::DirectUpload* const again, writer->Direct());
  ASSERT_NE(again, nullptr);
  PutAll(*again, absl::string_view(content_).substr(held));
  ASSERT_OK(writer->Commit(digest_, content_.size()));
  EXPECT_TRUE(Read(digest_) == content_);
}

TEST_F(DirectClientTest, WritesGoIntoTheFileOnceTheyAreMany) {
  const auto writer = Open(0);
  for (size_t at = 0; at < content_.size(); at += 100'003) ASSERT_OK(writer->Write(absl::string_view(content_).substr(at, 100'003)));
  ASSERT_OK_AND_ASSIGN(const blobstore::DirectUpload* const file, writer->Direct());
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->offset_bytes(), content_.size());
  ASSERT_OK(writer->Commit(digest_, content_.size()));
  EXPECT_TRUE(Read(digest_) == content_);
}

TEST_F(DirectClientTest, WithoutTheSocketContentGoesInMessages) {
  std::filesystem::remove(store_.descriptors->path());
  const auto writer = Open(0);
  ASSERT_OK_AND_ASSIGN(const blobstore::DirectUpload* const file, writer->Direct());
  EXPECT_EQ(file, nullptr);
  ASSERT_OK(writer->Write(content_));
  ASSERT_OK(writer->Commit(digest_, content_.size()));
  EXPECT_TRUE(Read(digest_) == content_);
}

TEST_F(DirectClientTest, WrongContentIsRefusedAndItsSessionGone) {
  const auto writer = Open(0);
  ASSERT_OK(writer->Write(content_));
  EXPECT_THAT(writer->Commit(Digest::Of("other")), StatusIs(absl::StatusCode::kInvalidArgument, digest_.ToString()));
  EXPECT_THAT(client_->GetUpload(context_, "app", id_), StatusIs(absl::StatusCode::kNotFound, id_));
}

TEST_F(DirectClientTest, LearnsThatItsSessionWasCancelled) {
  const auto writer = Open(0);
  ASSERT_OK(writer->Write(content_.substr(0, 5'000'000)));
  ASSERT_OK(client_->CancelUpload(context_, "app", id_));
  EXPECT_THAT(writer->Commit(digest_), StatusIs(absl::StatusCode::kNotFound, id_));
}

// A client that says what it likes.
class HostileClientTest : public DirectClientTest {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::WriteUploadRequest, v1::WriteUploadResponse>;

  void Begin(uint64_t offset = 0) {
    call_ = std::make_unique<grpc::ClientContext>();
    stream_ = stub_->WriteUpload(call_.get());
    v1::WriteUploadRequest request;
    request.mutable_header()->set_repository("app");
    request.mutable_header()->set_upload_id(id_);
    request.mutable_header()->set_offset_bytes(static_cast<int64_t>(offset));
    EXPECT_TRUE(stream_->Write(request));
  }
  v1::WriteUploadResponse OpenFile() {
    v1::WriteUploadRequest request;
    request.mutable_open_file();
    v1::WriteUploadResponse response;
    EXPECT_TRUE(stream_->Write(request));
    EXPECT_TRUE(stream_->Read(&response));
    return response;
  }
  UniqueFd Redeem(const v1::WriteUploadResponse& response) {
    auto received = redeeming_.Redeem(response.file().socket_path(), response.file().ticket());
    EXPECT_OK(received);
    return received.ok() ? std::move(received->fd) : UniqueFd();
  }
  void Report(int64_t count) {
    v1::WriteUploadRequest request;
    request.set_written_bytes(count);
    stream_->Write(request);
  }
  grpc::Status End() {
    stream_->WritesDone();
    v1::WriteUploadResponse response;
    while (stream_->Read(&response)) continue;
    return stream_->Finish();
  }
  grpc::Status Commit() {
    v1::WriteUploadRequest request;
    request.mutable_commit()->set_digest(digest_.ToString());
    stream_->Write(request);
    return End();
  }

  std::unique_ptr<v1::BlobService::Stub> stub_ = v1::BlobService::NewStub(rpc::Connect(store_.address()));
  descriptor::DescriptorClient redeeming_;
  std::unique_ptr<grpc::ClientContext> call_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(HostileClientTest, OutOfPlaceMessagesAreRefused) {
  Begin();
  Report(1);
  EXPECT_EQ(End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  Begin();
  OpenFile();
  Report(-1);
  EXPECT_EQ(End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  Begin();
  OpenFile();
  v1::WriteUploadRequest again;
  again.mutable_open_file();
  stream_->Write(again);
  EXPECT_EQ(End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Offset(), 0u);
}

TEST_F(HostileClientTest, ReportingWhatIsNotThereEndsTheStream) {
  Begin();
  const UniqueFd file = Redeem(OpenFile());
  ASSERT_EQ(::pwrite(file.get(), "abc", 3, 0), 3);
  Report(4);
  const grpc::Status status = End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  EXPECT_EQ(Offset(), 0u);
}

TEST_F(HostileClientTest, WritingBeyondTheAllowanceEndsTheStream) {
  Begin();
  const v1::WriteUploadResponse answer = OpenFile();
  UniqueFd file = Redeem(answer);
  ASSERT_EQ(::pwrite(file.get(), "x", 1, answer.allowed_until()), 1);
  Report(1);
  EXPECT_EQ(End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Offset(), 0u);
}

TEST_F(HostileClientTest, ACommitWithTheDescriptorOpenIsRefused) {
  Begin();
  UniqueFd file = Redeem(OpenFile());
  const std::string part = content_.substr(0, 1000);
  ASSERT_OK(WriteFully(file.get(), part));
  Report(1000);
  const grpc::Status status = Commit();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED) << status.error_message();
  EXPECT_NE(status.error_message().find("open for writing"), std::string::npos);
}

TEST_F(HostileClientTest, AnUnredeemedTicketIsNoWriter) {
  Begin();
  const v1::WriteUploadResponse answer = OpenFile();
  v1::WriteUploadRequest data;
  data.set_data("abc");
  ASSERT_TRUE(stream_->Write(data));
  EXPECT_TRUE(End().ok());
  EXPECT_EQ(Offset(), 3u);
  EXPECT_EQ(store_.descriptors->outstanding(), 0u);
  EXPECT_THAT(redeeming_.Redeem(answer.file().socket_path(), answer.file().ticket()), StatusIs(absl::StatusCode::kNotFound, ""));
  EXPECT_OK(client_->FinishUpload(context_, "app", id_, 3, "def", Digest::Of("abcdef")));
}

TEST_F(HostileClientTest, ABrokenStreamKeepsWhatWasReportedAndWaitsForTheDescriptor) {
  Begin();
  UniqueFd file = Redeem(OpenFile());
  ASSERT_OK(WriteFully(file.get(), content_.substr(0, 200'000)));
  Report(100'000);
  EXPECT_TRUE(End().ok());
  EXPECT_EQ(Offset(), 100'000u);
  // What the late writer does cannot reach what the next one writes.
  EXPECT_THAT(client_->OpenUpload(context_, "app", id_, 100'000), StatusIs(absl::StatusCode::kAborted, "open for writing"));
  file.Reset();
  const auto writer = Open(100'000);
  ASSERT_NE(writer, nullptr);
  ASSERT_OK(writer->Write(absl::string_view(content_).substr(100'000)));
  ASSERT_OK(writer->Commit(digest_, content_.size()));
  EXPECT_TRUE(Read(digest_) == content_);
}

}  // namespace
}  // namespace strata::store
