// The contract over client, wire, services and engine, with blobs read from the store's files; and what can go wrong on that way.
#include <grpcpp/impl/service_type.h>

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "lib/blobstore/contract.h"
#include "lib/blobstore/store_client.h"
#include "lib/descriptor/descriptor_server.h"
#include "lib/rpc/call.h"
#include "lib/rpc/server.h"
#include "lib/testing/fake_clock.h"
#include "lib/testing/scratch_dir.h"
#include "services/store/engine/generations.h"
#include "services/store/engine/store_engine.h"
#include "services/store/rpc/services.h"

namespace strata::store {
namespace {

using blobstore::StoreClient;
using strata::testing::StatusIs;

// An engine served by gRPC and by a descriptor socket.
class LocalStore {
 public:
  LocalStore() {
    EngineOptions options;
    options.data_dir = scratch.Join("data");
    options.reserved_bytes = 0;
    auto created = Generations::Create();
    EXPECT_OK(created);
    if (created.ok()) generations = *std::move(created);
    options.generations = generations.get();
    auto opened = StoreEngine::Open(options, clock);
    EXPECT_OK(opened);
    if (opened.ok()) engine = *std::move(opened);
    StartDescriptors();
    blobs_ = NewBlobService(*engine, watcher_, {}, descriptors.get());
    manifests_ = NewManifestService(*engine, watcher_);
    cache_ = NewCacheService(*engine, watcher_);
    quotas_ = NewQuotaService(*engine, watcher_);
    admin_ = NewAdminService(*engine, watcher_);
    counters_ = NewGenerationService(generations.get(), descriptors.get(), watcher_);
    auto started = rpc::Server::Start({.listen = {"127.0.0.1:0"}},
                                      {blobs_.get(), manifests_.get(), cache_.get(), quotas_.get(), admin_.get(), counters_.get()});
    EXPECT_OK(started);
    if (started.ok()) server = *std::move(started);
    client = StoreClient::Connect(server->addresses()[0]);
  }
  void StartDescriptors() {
    auto started = descriptor::DescriptorServer::Start({.path = scratch.Join("data/descriptors.sock")}, clock);
    EXPECT_OK(started);
    if (started.ok()) descriptors = *std::move(started);
  }
  std::vector<std::string> Extents() const {
    std::vector<std::string> paths;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator entry(scratch.Join("data/extents"), error), end; entry != end;
         entry.increment(error)) {
      if (entry->is_regular_file(error)) paths.push_back(entry->path().string());
    }
    return paths;
  }

  strata::testing::ScratchDir scratch;
  strata::testing::FakeClock clock;
  std::unique_ptr<Generations> generations;
  std::unique_ptr<StoreEngine> engine;
  std::unique_ptr<descriptor::DescriptorServer> descriptors;

 private:
  rpc::CallWatcher watcher_;
  std::unique_ptr<grpc::Service> blobs_, manifests_, cache_, quotas_, admin_, counters_;

 public:
  std::unique_ptr<rpc::Server> server;
  std::unique_ptr<StoreClient> client;
};

class LocalEnvironment final : public blobstore::ContractEnvironment {
 public:
  blobstore::BlobStore& blobs() override { return *store_.client; }
  blobstore::RefStore& refs() override { return *store_.client; }
  blobstore::CacheStore& cache() override { return *store_.client; }
  blobstore::QuotaStore& quotas() override { return *store_.client; }
  blobstore::AdminStore& admin() override { return *store_.client; }
  void AdvanceClock(absl::Duration by) override { store_.clock.Advance(by); }

 private:
  LocalStore store_;
};

}  // namespace
}  // namespace strata::store

namespace strata::blobstore {
INSTANTIATE_TEST_SUITE_P(Local, StoreContractTest, ::testing::Values(ContractParam{"Local", [] {
                           return std::make_unique<store::LocalEnvironment>();
                         }}));
}  // namespace strata::blobstore

namespace strata::store {
namespace {

constexpr size_t kPiece = 1 << 20;

class DescriptorsTest : public ::testing::Test {
 protected:
  Digest Upload(const std::string& content) {
    StringSource source(content);
    const Digest digest = Digest::Of(content);
    EXPECT_OK(blobstore::UploadBlob(*store_.client, context_, "app", source, digest));
    return digest;
  }
  static std::string Content(size_t size) {
    std::string content(size, '\0');
    uint32_t state = 1;
    for (char& c : content) {
      state = state * 1664525u + 1013904223u;
      c = static_cast<char>(state >> 24);
    }
    return content;
  }
  absl::StatusOr<std::string> Read(const Digest& digest, uint64_t offset = 0, std::optional<uint64_t> length = std::nullopt) {
    auto reader = store_.client->OpenBlob(context_, "app", digest, offset, length);
    if (!reader.ok()) return reader.status();
    std::string read;
    StringSink sink(&read);
    const absl::Status status = (*reader)->WriteTo(sink);
    if (!status.ok()) return status;
    return read;
  }

  const CallContext context_;
  LocalStore store_;
};

TEST_F(DescriptorsTest, BytesComeFromTheFileAndNotByGrpc) {
  const std::string content = Content(3 * kPiece + 5);
  const Digest digest = Upload(content);
  ASSERT_OK_AND_ASSIGN(const auto reader, store_.client->OpenBlob(context_, "app", digest));
  // With the server gone no stream could bring them.
  store_.server->Shutdown(absl::ZeroDuration());
  std::string read;
  StringSink sink(&read);
  ASSERT_OK(reader->WriteTo(sink));
  EXPECT_TRUE(read == content);
}

TEST_F(DescriptorsTest, AFileStaysReadableWhenItsBlobIsCollected) {
  const std::string content = Content(2 * kPiece);
  const Digest digest = Upload(content);
  ASSERT_OK_AND_ASSIGN(const auto reader, store_.client->OpenBlob(context_, "app", digest));
  ASSERT_OK(store_.client->UnlinkBlob(context_, "app", digest));
  ASSERT_OK(store_.client->CollectGarbage(context_));
  EXPECT_TRUE(store_.Extents().empty());
  EXPECT_THAT(store_.client->OpenBlob(context_, "app", digest), StatusIs(absl::StatusCode::kNotFound, ""));
  ASSERT_OK_AND_ASSIGN(const std::string read, ReadAll(*reader, 4 * kPiece));
  EXPECT_TRUE(read == content);
}

TEST_F(DescriptorsTest, DamageIsFoundHereAndQuarantinedThere) {
  const std::string content = Content(3 * kPiece);
  const Digest digest = Upload(content);
  ASSERT_OK_AND_ASSIGN(const auto reader, store_.client->OpenBlob(context_, "app", digest));
  {
    std::fstream file(store_.Extents().at(0), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kPiece + 500);
    file.put(static_cast<char>(content[kPiece + 500] ^ 1));
  }
  std::string read;
  StringSink sink(&read);
  EXPECT_THAT(reader->WriteTo(sink), StatusIs(absl::StatusCode::kDataLoss, "damaged"));
  EXPECT_TRUE(read == content.substr(0, kPiece)) << "no byte of the damaged piece";
  // The store has seen it by itself, and gives the blob to nobody any more until it is pushed again.
  EXPECT_THAT(Read(digest, 0, 1000), StatusIs(absl::StatusCode::kDataLoss, "push it again"));
  EXPECT_EQ(store_.Extents().size(), 1u);
  Upload(content);
  ASSERT_OK_AND_ASSIGN(const std::string healed, Read(digest));
  EXPECT_TRUE(healed == content);
}

TEST_F(DescriptorsTest, AMissingOrForeignSocketMeansAStream) {
  const std::string content = Content(2 * kPiece);
  const Digest digest = Upload(content);
  // The store goes on naming it: as for a client on another host.
  std::filesystem::remove(store_.scratch.Join("data/descriptors.sock"));
  ASSERT_OK_AND_ASSIGN(const std::string read, Read(digest, kPiece - 1));
  EXPECT_TRUE(read == content.substr(kPiece - 1));
}

TEST_F(DescriptorsTest, ClientsMayRefuseThem) {
  const std::string content = Content(2 * kPiece);
  const Digest digest = Upload(content);
  const auto client = StoreClient::Connect(store_.server->addresses()[0], {.use_descriptors = false});
  ASSERT_OK_AND_ASSIGN(const auto reader, client->OpenBlob(context_, "app", digest));
  ASSERT_OK_AND_ASSIGN(const std::string read, ReadAll(*reader, 4 * kPiece));
  EXPECT_TRUE(read == content);
  EXPECT_EQ(store_.descriptors->outstanding(), 0u);
}

TEST_F(DescriptorsTest, TicketsThatNobodyRedeemsDoNotStopReaders) {
  const std::string content = Content(2 * kPiece);
  const Digest digest = Upload(content);
  std::vector<std::string> hoarded;
  while (true) {
    auto ticket = store_.descriptors->Offer(UniqueFd());
    if (!ticket.ok()) break;
    hoarded.push_back(*std::move(ticket));
  }
  ASSERT_OK_AND_ASSIGN(const std::string read, Read(digest));
  EXPECT_TRUE(read == content);
}

constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";

// Runs `change` and says whether the counter of "app" had moved when its answer came.
class GenerationsTest : public DescriptorsTest {
 protected:
  GenerationsTest() { view_ = store_.client->Generations(); }
  bool Moves(const std::function<absl::Status()>& change) {
    const uint64_t before = view_->Of("app");
    const uint64_t elsewhere = view_->Of("other/repository");
    EXPECT_OK(change());
    EXPECT_EQ(view_->Of("other/repository"), elsewhere);
    return view_->Of("app") != before;
  }
  absl::StatusOr<blobstore::PutManifestResult> PutIndex(const std::string& tag) {
    const std::string content = absl::StrCat(R"({"schemaVersion":2,"mediaType":")", kIndexType, R"(","manifests":[]})");
    return store_.client->PutManifest(context_, "app", kIndexType, content, {.tags = {tag}});
  }

  std::shared_ptr<const blobstore::GenerationView> view_;
};

TEST_F(GenerationsTest, EveryChangeIsCountedBeforeItsAnswer) {
  ASSERT_NE(view_, nullptr);
  Digest index;
  Digest blob;
  EXPECT_TRUE(Moves([&] { blob = Upload("content"); return absl::OkStatus(); }));
  EXPECT_TRUE(Moves([&]() -> absl::Status {
    const auto put = PutIndex("v1");
    if (put.ok()) index = put->digest;
    return put.status();
  }));
  EXPECT_TRUE(Moves([&] { return store_.client->SetTag(context_, "app", "v2", index); }));
  EXPECT_TRUE(Moves([&] { return store_.client->DeleteTag(context_, "app", "v1").status(); }));
  EXPECT_TRUE(Moves([&] { return store_.client->UnlinkBlob(context_, "app", blob); }));
  EXPECT_FALSE(Moves([&] { return store_.client->GetManifest(context_, "app", {"v2", std::nullopt}).status(); }));
  EXPECT_TRUE(Moves([&] { return store_.client->DeleteManifest(context_, "app", index).status(); }));
}

TEST_F(GenerationsTest, AViewDiesWithItsStore) {
  ASSERT_NE(view_, nullptr);
  EXPECT_TRUE(view_->IsAlive());
  EXPECT_EQ(store_.client->Generations(), view_) << "asked for once";
  store_.server->Shutdown(absl::ZeroDuration());
  EXPECT_TRUE(view_->IsAlive()) << "the process is there and counts";
  store_.descriptors.reset();
  EXPECT_FALSE(view_->IsAlive());
  EXPECT_EQ(store_.client->Generations(), nullptr);
}

TEST_F(GenerationsTest, ReadersCannotWrite) {
  ASSERT_OK_AND_ASSIGN(const UniqueFd counters, store_.generations->OpenForReading());
  const uint64_t forged = 0;
  EXPECT_EQ(::pwrite(counters.get(), &forged, sizeof(forged), 0), -1);
  const UniqueFd again(::open(absl::StrCat("/proc/self/fd/", counters.get()).c_str(), O_RDWR | O_CLOEXEC));
  if (again.is_valid()) {
    EXPECT_EQ(::pwrite(again.get(), &forged, sizeof(forged), 0), -1);
    EXPECT_EQ(::ftruncate(again.get(), 0), -1);
  }
}

}  // namespace
}  // namespace strata::store
