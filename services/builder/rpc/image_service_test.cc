// ImageService over the wire, with a MemoryStore behind.
#include "services/builder/rpc/image_service.h"

#include <grpcpp/channel.h>

#include "absl/strings/str_cat.h"
#include "lib/distribution/fake_registry.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"
#include "lib/testing/fake_clock.h"
#include "services/builder/images/fixtures_for_test.h"

namespace strata::rpc {
namespace {

using builder::v1::ImageService;
using builder::v1::TransferProgress;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ImageServiceTest : public ::testing::Test {
 protected:
  ImageServiceTest() {
    auto started = Server::Start({}, {&service_});
    EXPECT_OK(started);
    server_ = *std::move(started);
    stub_ = ImageService::NewStub(Connect(server_->addresses()[0]));
  }

  grpc::Status Import(const std::string& name, const std::string& content, builder::v1::ImportImageResponse& response) {
    grpc::ClientContext context;
    const auto stream = stub_->ImportImage(&context, &response);
    builder::v1::ImportImageRequest request;
    request.mutable_header()->set_name(name);
    request.mutable_header()->add_changes("CMD [\"/bin/app\"]");
    stream->Write(request);
    for (size_t at = 0; at < content.size(); at += 1000) {
      request.set_data(content.substr(at, 1000));
      if (!stream->Write(request)) break;
    }
    stream->WritesDone();
    return stream->Finish();
  }

  grpc::Status Save(const std::vector<std::string>& references, std::string& archive) {
    grpc::ClientContext context;
    builder::v1::SaveImagesRequest request;
    for (const std::string& reference : references) request.add_references(reference);
    const auto stream = stub_->SaveImages(&context, request);
    builder::v1::SaveImagesResponse response;
    while (stream->Read(&response)) {
      EXPECT_LE(response.data().size(), kContentMessageBytes);
      archive += response.data();
    }
    return stream->Finish();
  }

  grpc::Status Load(const std::string& archive, builder::v1::LoadImagesResponse& response) {
    grpc::ClientContext context;
    const auto stream = stub_->LoadImages(&context, &response);
    builder::v1::LoadImagesRequest request;
    for (size_t at = 0; at < archive.size(); at += 500'000) {
      request.set_data(archive.substr(at, 500'000));
      if (!stream->Write(request)) break;
    }
    stream->WritesDone();
    return stream->Finish();
  }

  std::vector<std::string> Names() {
    grpc::ClientContext context;
    builder::v1::ListImagesResponse response;
    EXPECT_TRUE(stub_->ListImages(&context, {}, &response).ok());
    std::vector<std::string> names;
    for (const auto& image : response.images()) names.push_back(absl::StrCat(image.repository(), ":", image.tag()));
    return names;
  }

  std::string Random(size_t size) {
    std::string text(size, '\0');
    uint64_t state = 1;
    for (char& c : text) c = static_cast<char>((state = state * 6364136223846793005 + 1442695040888963407) >> 56);
    return text;
  }

  testing::FakeClock clock_;
  blobstore::MemoryStore store_;
  solver::Flights flights_;
  source::ImagePuller puller_{store_, store_, flights_};
  http::Client http_;
  CallWatcher watcher_;
  distribution::FakeRegistry registry_;
  ImageServiceImpl service_{{.blobs = store_,
                             .refs = store_,
                             .puller = puller_,
                             .http = http_,
                             .watcher = watcher_,
                             .clock = clock_,
                             .default_registry = registry_.host()}};
  std::unique_ptr<Server> server_;
  std::unique_ptr<ImageService::Stub> stub_;
};

TEST_F(ImageServiceTest, ImportsInspectsSavesRemovesAndLoads) {
  const std::string tar = images::MakeTar({{"bin/app", Random(3'000'000)}});
  builder::v1::ImportImageResponse imported;
  ASSERT_TRUE(Import("app:1", tar, imported).ok());
  EXPECT_EQ(imported.name(), "app:1");

  grpc::ClientContext inspecting;
  builder::v1::InspectImageRequest inspect;
  inspect.set_reference(imported.config_digest().substr(7, 12));
  builder::v1::InspectImageResponse image;
  ASSERT_TRUE(stub_->InspectImage(&inspecting, inspect, &image).ok());
  EXPECT_THAT(image.names(), ElementsAre("app:1"));
  EXPECT_EQ(image.summary().manifest_digest(), imported.manifest_digest());
  EXPECT_EQ(Digest::Of(image.config()).ToString(), imported.config_digest());
  ASSERT_EQ(image.layers_size(), 1);
  EXPECT_EQ(image.layers(0).diff_id(), Digest::Of(tar).ToString());

  std::string archive;
  ASSERT_TRUE(Save({"app:1"}, archive).ok());
  grpc::ClientContext removing;
  builder::v1::RemoveImageRequest remove;
  remove.set_reference("app:1");
  builder::v1::RemoveImageResponse removed;
  ASSERT_TRUE(stub_->RemoveImage(&removing, remove, &removed).ok());
  EXPECT_THAT(removed.deleted(), ElementsAre(imported.manifest_digest()));
  EXPECT_THAT(Names(), ElementsAre());

  builder::v1::LoadImagesResponse loaded;
  ASSERT_TRUE(Load(archive, loaded).ok());
  EXPECT_THAT(loaded.loaded(), ElementsAre("app:1"));
  EXPECT_THAT(Names(), ElementsAre("app:1"));
}

TEST_F(ImageServiceTest, PushesAndPullsWithProgress) {
  const std::string content = Random(2'000'000);
  const auto app = images::PutImage(store_, "app", "1", {content});
  grpc::ClientContext pushing;
  builder::v1::PushImageRequest push;
  push.set_source("app:1");
  push.set_target(registry_.host() + "/team/app:2");
  TransferProgress progress;
  int messages = 0;
  const auto pushed = stub_->PushImage(&pushing, push);
  while (pushed->Read(&progress)) ++messages;
  ASSERT_TRUE(pushed->Finish().ok());
  EXPECT_GE(messages, 3);
  EXPECT_EQ(progress.result_digest(), app.digest.ToString());
  EXPECT_EQ(registry_.blob("team/app", Digest::Of(content).ToString()), content);

  grpc::ClientContext pulling;
  builder::v1::PullImageRequest pull;
  pull.set_reference("team/app:2");
  const auto pulled = stub_->PullImage(&pulling, pull);
  while (pulled->Read(&progress)) {
  }
  ASSERT_TRUE(pulled->Finish().ok());
  EXPECT_EQ(progress.result_name(), registry_.host() + "/team/app:2");
  EXPECT_THAT(Names(), ElementsAre(registry_.host() + "/team/app:2", "app:1"));
}

TEST_F(ImageServiceTest, ErrorsCarryCodeAndText) {
  std::string archive;
  const grpc::Status missing = Save({"none:1"}, archive);
  EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(missing.error_message(), HasSubstr("\"none:1\"; list what there is"));
  builder::v1::LoadImagesResponse loaded;
  EXPECT_EQ(Load(std::string(5000, 'x'), loaded).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  builder::v1::ImportImageResponse imported;
  EXPECT_EQ(Import("Bad Name", "x", imported).error_code(), grpc::StatusCode::INVALID_ARGUMENT);

  grpc::ClientContext context;
  const auto stream = stub_->ImportImage(&context, &imported);
  builder::v1::ImportImageRequest request;
  request.set_data("x");
  stream->Write(request);
  EXPECT_THAT(stream->Finish().error_message(), HasSubstr("must be its header"));
}

TEST_F(ImageServiceTest, AClientThatVanishesLeavesNoImage) {
  // Cut where a lenient reader would see a complete archive.
  const std::string tar = images::MakeTar({{"a", std::string(10240, 'x')}, {"b", "y"}});
  builder::v1::ImportImageResponse response;
  grpc::ClientContext context;
  const auto stream = stub_->ImportImage(&context, &response);
  builder::v1::ImportImageRequest request;
  request.mutable_header()->set_name("app:1");
  ASSERT_TRUE(stream->Write(request));
  request.set_data(tar.substr(0, 512 + 10240));
  ASSERT_TRUE(stream->Write(request));
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_->Shutdown(absl::InfiniteDuration());  // waits for the handler
  EXPECT_EQ(store_.GetStatistics(CallContext())->tags, 0);
  EXPECT_EQ(store_.GetStatistics(CallContext())->open_uploads, 0);
}

}  // namespace
}  // namespace strata::rpc
