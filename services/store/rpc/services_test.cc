// The contract over client, wire and services, with a MemoryStore behind; and what only the wire can do wrong.
#include "services/store/rpc/services.h"

#include <grpcpp/channel.h>
#include <stdlib.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "lib/blobstore/contract.h"
#include "lib/blobstore/memory_store.h"
#include "lib/blobstore/store_client.h"
#include "lib/rpc/call.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"
#include "lib/testing/fake_clock.h"
#include "proto/strata/store/v1/blob.grpc.pb.h"

namespace strata::store {
namespace {

using blobstore::ContractParam;
using blobstore::MemoryStore;
using blobstore::StoreClient;
using strata::testing::StatusIs;

// A MemoryStore served by gRPC.
class ServedStore {
 public:
  explicit ServedStore(const std::string& listen = "127.0.0.1:0", const StreamLimits& limits = {}) {
    services_.push_back(NewBlobService(memory, watcher_, limits));
    services_.push_back(NewManifestService(memory, watcher_));
    services_.push_back(NewCacheService(memory, watcher_));
    services_.push_back(NewQuotaService(memory, watcher_));
    services_.push_back(NewAdminService(memory, watcher_));
    Start(listen);
  }
  void Start(const std::string& listen) {
    std::vector<grpc::Service*> borrowed;
    for (const auto& service : services_) borrowed.push_back(service.get());
    auto started = rpc::Server::Start({.listen = {listen}}, borrowed);
    EXPECT_OK(started);
    if (started.ok()) server = *std::move(started);
  }
  std::string address() const { return server->addresses()[0]; }

  testing::FakeClock clock;
  MemoryStore memory{clock};

 private:
  rpc::CallWatcher watcher_;
  std::vector<std::unique_ptr<grpc::Service>> services_;

 public:
  std::unique_ptr<rpc::Server> server;
};

// ScratchDir's path is too long for a socket.
class ShortDir {
 public:
  ShortDir() { EXPECT_NE(::mkdtemp(path_), nullptr); }
  ~ShortDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const char* path() const { return path_; }

 private:
  char path_[32] = "/tmp/strata.XXXXXX";
};

class ClientEnvironment final : public blobstore::ContractEnvironment {
 public:
  blobstore::BlobStore& blobs() override { return *client_; }
  blobstore::RefStore& refs() override { return *client_; }
  blobstore::CacheStore& cache() override { return *client_; }
  blobstore::AdminStore& admin() override { return *client_; }
  blobstore::QuotaStore& quotas() override { return *client_; }
  void AdvanceClock(absl::Duration by) override { store_.clock.Advance(by); }

 private:
  ShortDir dir_;
  ServedStore store_{absl::StrCat("unix:", dir_.path(), "/s")};
  std::unique_ptr<StoreClient> client_ = StoreClient::Connect(store_.address());
};

}  // namespace
}  // namespace strata::store

namespace strata::blobstore {
INSTANTIATE_TEST_SUITE_P(Client, StoreContractTest, ::testing::Values(ContractParam{"Client", [] {
                           return std::make_unique<store::ClientEnvironment>();
                         }}));
}  // namespace strata::blobstore

namespace strata::store {
namespace {

class WireTest : public ::testing::Test {
 protected:
  std::string StartUpload() {
    const auto id = client_->StartUpload(context_, "app", DigestAlgorithm::kSha256);
    EXPECT_OK(id);
    return id.value_or("");
  }
  // Sends these messages as one WriteUpload and returns the answer.
  grpc::Status Send(const std::vector<v1::WriteUploadRequest>& messages, v1::WriteUploadResponse* response = nullptr) {
    v1::WriteUploadResponse last;
    grpc::ClientContext context;
    const auto stream = stub_->WriteUpload(&context);
    for (const auto& message : messages) {
      if (!stream->Write(message)) break;
    }
    stream->WritesDone();
    while (stream->Read(&last)) continue;
    if (response != nullptr) *response = last;
    return stream->Finish();
  }
  v1::WriteUploadRequest Header(const std::string& id, int64_t offset) {
    v1::WriteUploadRequest request;
    request.mutable_header()->set_repository("app");
    request.mutable_header()->set_upload_id(id);
    request.mutable_header()->set_offset_bytes(offset);
    return request;
  }
  static v1::WriteUploadRequest Data(std::string data) {
    v1::WriteUploadRequest request;
    request.set_data(std::move(data));
    return request;
  }

  explicit WireTest(const StreamLimits& limits = {}) : store_("127.0.0.1:0", limits) {}

  ServedStore store_;
  const CallContext context_;
  std::unique_ptr<StoreClient> client_ = StoreClient::Connect(store_.address());
  std::unique_ptr<v1::BlobService::Stub> stub_ = v1::BlobService::NewStub(rpc::Connect(store_.address()));
};

TEST_F(WireTest, OutOfPlaceMessagesAreRefused) {
  const std::string id = StartUpload();
  EXPECT_EQ(Send({Data("x")}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Send({}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Send({Header(id, 0), Header(id, 0)}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Send({Header(id, 0), Data("")}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Send({Header(id, 0), v1::WriteUploadRequest()}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Send({Header(id, -2)}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const grpc::Status large = Send({Header(id, 0), Data(std::string((1 << 20) + 1, 'x'))});
  EXPECT_EQ(large.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(large.error_message().find("1048577"), std::string::npos) << large.error_message();
  v1::WriteUploadRequest commit;
  commit.mutable_commit()->set_digest("sha256:short");
  EXPECT_EQ(Send({Header(id, -1), commit}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(WireTest, AppendingReportsTheBytesHeld) {
  const std::string id = StartUpload();
  v1::WriteUploadResponse response;
  EXPECT_TRUE(Send({Header(id, 0), Data("abc")}, &response).ok());
  EXPECT_EQ(response.offset_bytes(), 3);
  v1::WriteUploadRequest commit;
  commit.mutable_commit()->set_digest(Digest::Of("abcde").ToString());
  commit.mutable_commit()->set_size_bytes(5);
  EXPECT_TRUE(Send({Header(id, -1), Data("de"), commit}, &response).ok());
  EXPECT_EQ(response.offset_bytes(), 5);
  EXPECT_EQ(response.committed_digest(), Digest::Of("abcde").ToString());
}

TEST_F(WireTest, AVanishedClientLeavesAResumableSession) {
  const std::string id = StartUpload();
  {
    grpc::ClientContext context;
    const auto stream = stub_->WriteUpload(&context);
    ASSERT_TRUE(stream->Write(Header(id, 0)));
    stream->WaitForInitialMetadata();
    ASSERT_TRUE(stream->Write(Data("abc")));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  // The server may still be noticing: that is what kAborted means, retry.
  absl::StatusOr<std::unique_ptr<blobstore::UploadWriter>> writer = absl::AbortedError("");
  const absl::Time give_up = absl::Now() + absl::Seconds(20);
  while (absl::IsAborted(writer.status()) && absl::Now() < give_up) {
    writer = client_->OpenUpload(context_, "app", id, std::nullopt);
  }
  ASSERT_OK(writer);
}

TEST_F(WireTest, AWriterLearnsThatItsSessionWasCancelled) {
  const std::string id = StartUpload();
  ASSERT_OK_AND_ASSIGN(const auto writer, client_->OpenUpload(context_, "app", id, 0));
  ASSERT_OK(client_->CancelUpload(context_, "app", id));
  const std::string megabyte(1 << 20, 'x');
  absl::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) status = writer->Write(megabyte);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, id));
  EXPECT_THAT(writer->Commit(Digest::Of("x")), StatusIs(absl::StatusCode::kNotFound, id));
}

TEST_F(WireTest, DeclaringNoBytesForSomeBytesIsRefused) {
  const std::string id = StartUpload();
  ASSERT_OK_AND_ASSIGN(const auto writer, client_->OpenUpload(context_, "app", id, 0));
  ASSERT_OK(writer->Write("abc"));
  EXPECT_THAT(writer->Commit(Digest::Of("abc"), 0), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  EXPECT_THAT(client_->GetUpload(context_, "app", id), StatusIs(absl::StatusCode::kNotFound, ""));
}

TEST_F(WireTest, CancellingStopsAReader) {
  const std::string content(64 << 20, 'x');
  StringSource big(content);
  ASSERT_OK(blobstore::UploadBlob(*client_, context_, "app", big, Digest::Of(content)));
  Cancellation cancellation;
  CallContext context;
  context.cancellation = &cancellation;
  ASSERT_OK_AND_ASSIGN(const auto reader, client_->OpenBlob(context, "app", Digest::Of(content)));
  char byte;
  ASSERT_OK(reader->Read(&byte, 1));
  cancellation.Cancel();
  NullSink sink;
  EXPECT_THAT(CopyBytes(*reader, sink), StatusIs(absl::StatusCode::kCancelled, ""));
}

TEST_F(WireTest, AnAwayStoreIsNamed) {
  const std::string address = store_.address();
  ASSERT_OK(client_->Ping(context_));
  store_.server->Shutdown(absl::ZeroDuration());
  store_.server.reset();
  EXPECT_THAT(client_->Ping(context_), StatusIs(absl::StatusCode::kUnavailable, absl::StrCat("store at ", address, " is not reachable: ")));
  EXPECT_THAT(client_->OpenBlob(context_, "", Digest::Of("x")), StatusIs(absl::StatusCode::kUnavailable, "; is it running?"));
  store_.Start(address);
  absl::Status status = absl::UnavailableError("");
  const absl::Time give_up = absl::Now() + absl::Seconds(20);
  while (absl::IsUnavailable(status) && absl::Now() < give_up) status = client_->Ping(context_);
  EXPECT_OK(status);
}

class FewStreamsTest : public WireTest {
 protected:
  FewStreamsTest() : WireTest({.max_streams = 2}) {}
};

TEST_F(FewStreamsTest, StreamsNeverTakeThePlaceOfShortCalls) {
  const std::string content(64 << 20, 'x');
  StringSource big(content);
  ASSERT_OK(blobstore::UploadBlob(*client_, context_, "app", big, Digest::Of(content)));
  ASSERT_OK_AND_ASSIGN(auto first, client_->OpenBlob(context_, "app", Digest::Of(content)));
  const std::string id = StartUpload();
  ASSERT_OK_AND_ASSIGN(const auto second, client_->OpenUpload(context_, "app", id, 0));
  EXPECT_THAT(client_->OpenBlob(context_, "app", Digest::Of(content)), StatusIs(absl::StatusCode::kUnavailable, "retry"));
  EXPECT_THAT(client_->OpenUpload(context_, "app", id, 0), StatusIs(absl::StatusCode::kUnavailable, "retry"));
  EXPECT_OK(client_->StatBlobs(context_, "app", {}));
  // The place comes free with the stream; the server notices in its own time.
  ASSERT_OK(second->Flush());
  absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> third = absl::UnavailableError("");
  const absl::Time give_up = absl::Now() + absl::Seconds(20);
  while (absl::IsUnavailable(third.status()) && absl::Now() < give_up) {
    third = client_->OpenBlob(context_, "app", Digest::Of(content));
  }
  EXPECT_OK(third);
}

class ImpatientTest : public WireTest {
 protected:
  ImpatientTest() : WireTest({.max_streams = 1, .patience = absl::Milliseconds(300)}) {}
};

TEST_F(ImpatientTest, AnUploadThatStandsStillIsEndedAndItsSessionFree) {
  const std::string id = StartUpload();
  grpc::ClientContext context;
  const auto stream = stub_->WriteUpload(&context);
  ASSERT_TRUE(stream->Write(Header(id, 0)));
  ASSERT_TRUE(stream->Write(Data("abc")));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  absl::StatusOr<std::unique_ptr<blobstore::UploadWriter>> writer = absl::AbortedError("");
  const absl::Time give_up = absl::Now() + absl::Seconds(20);
  while ((absl::IsAborted(writer.status()) || absl::IsUnavailable(writer.status())) && absl::Now() < give_up) {
    writer = client_->OpenUpload(context_, "app", id, 3);
  }
  EXPECT_OK(writer);
}

class DripTest : public WireTest {
 protected:
  DripTest() : WireTest({.patience = absl::Milliseconds(200), .min_bytes_a_minute = int64_t{1} << 40}) {}
};

TEST_F(DripTest, AnUploadThatBringsTooLittleIsEndedAndKeepsWhatCame) {
  const std::string id = StartUpload();
  grpc::ClientContext context;
  const auto stream = stub_->WriteUpload(&context);
  ASSERT_TRUE(stream->Write(Header(id, 0)));
  while (stream->Write(Data("x"))) {
  }
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << status.error_message();
  EXPECT_NE(status.error_message().find("bytes a minute"), std::string::npos) << status.error_message();
  ASSERT_OK_AND_ASSIGN(const blobstore::UploadInfo info, client_->GetUpload(context_, "app", id));
  EXPECT_GT(info.offset_bytes, 0u);
}

// Each bad request its precise status; nothing that a client sends makes the store take memory for it beyond its message.
TEST_F(WireTest, BadInputIsToldWhatIsWrongWithIt) {
  constexpr char kType[] = "application/vnd.oci.image.manifest.v1+json";
  const auto repeat = [](const std::string& text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  const std::string layer = absl::StrCat(R"({"mediaType":"x/y","digest":")", Digest::Of("x").ToString(), R"(","size":1},)");
  struct Case {
    std::string name;
    std::string repository;
    std::string body;
    absl::StatusCode want;
  };
  const std::vector<Case> cases = {
      {"nested arrays", "app", repeat("[", 1'000'000), absl::StatusCode::kInvalidArgument},
      {"nested objects", "app", repeat("{\"a\":", 500'000), absl::StatusCode::kInvalidArgument},
      {"not JSON", "app", "\x01\x02", absl::StatusCode::kInvalidArgument},
      {"empty", "app", "", absl::StatusCode::kInvalidArgument},
      {"five megabytes", "app", std::string(5 << 20, ' '), absl::StatusCode::kInvalidArgument},
      {"duplicate keys", "app", R"({"schemaVersion":2,"schemaVersion":2,"layers":[]})", absl::StatusCode::kInvalidArgument},
      {"manifests and layers", "app", R"({"schemaVersion":2,"layers":[],"manifests":[]})", absl::StatusCode::kInvalidArgument},
      {"20,000 layers", "app",
       absl::StrCat(R"({"schemaVersion":2,"layers":[)", repeat(layer, 20'000), layer.substr(0, layer.size() - 1), "]}"),
       absl::StatusCode::kInvalidArgument},
      {"a layer that is not there", "app", absl::StrCat(R"({"schemaVersion":2,"layers":[)", layer.substr(0, layer.size() - 1), "]}"),
       absl::StatusCode::kFailedPrecondition},
      {"unknown algorithm", "app",
       R"({"schemaVersion":2,"layers":[{"mediaType":"x/y","digest":"md5:00112233445566778899aabbccddeeff","size":1}]})",
       absl::StatusCode::kInvalidArgument},
      {"a size below zero", "app",
       absl::StrCat(R"({"schemaVersion":2,"layers":[{"mediaType":"x/y","size":-1,"digest":")", Digest::Of("x").ToString(), "\"}]}"),
       absl::StatusCode::kInvalidArgument},
      {"a name with ..", "a/../b", "{}", absl::StatusCode::kInvalidArgument},
      {"an absolute name", "/etc", "{}", absl::StatusCode::kInvalidArgument},
      {"a name of 5,000 bytes", std::string(5000, 'a'), "{}", absl::StatusCode::kInvalidArgument},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(client_->PutManifest(context_, c.repository, kType, c.body, {}).status().code(), c.want);
  }
  grpc::ClientContext context;
  v1::StartUploadRequest start;
  start.set_repository("app");
  start.set_algorithm("md5");
  v1::StartUploadResponse started;
  EXPECT_EQ(stub_->StartUpload(&context, start, &started).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(store_.memory.GetStatistics(context_)->manifests, 0);
}

TEST_F(ImpatientTest, AReaderThatStandsStillIsCutOff) {
  const std::string content(64 << 20, 'x');
  StringSource big(content);
  ASSERT_OK(blobstore::UploadBlob(*client_, context_, "app", big, Digest::Of(content)));
  absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> still = absl::UnavailableError("");
  absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> next = absl::UnavailableError("");
  const absl::Time give_up = absl::Now() + absl::Seconds(20);
  // The upload's stream may still be ending.
  while (absl::IsUnavailable(still.status()) && absl::Now() < give_up) still = client_->OpenBlob(context_, "app", Digest::Of(content));
  ASSERT_OK(still);
  // There is one place, and the first reader, who takes nothing, has it until it is cut off.
  while (absl::IsUnavailable(next.status()) && absl::Now() < give_up) next = client_->OpenBlob(context_, "app", Digest::Of(content));
  EXPECT_OK(next);
  NullSink sink;
  EXPECT_THAT(CopyBytes(**still, sink), StatusIs(absl::StatusCode::kCancelled, ""));
}

TEST_F(WireTest, NamesThatAreNotTextFailClearly) {
  EXPECT_THAT(client_->GetManifest(context_, "a\xff", {.tag = "x"}), StatusIs(absl::StatusCode::kInvalidArgument, "repository name"));
  EXPECT_THAT(client_->PutManifest(context_, "a", "\xff", "{}", {}), StatusIs(absl::StatusCode::kInvalidArgument, "media type"));
}

}  // namespace
}  // namespace strata::store
