// BuildStream and ClientContext between a real server and a real client.
#include "services/builder/rpc/build_stream.h"

#include <grpcpp/channel.h>
#include <sys/stat.h>

#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/rpc/client_context.h"

namespace strata::rpc {
namespace {

using builder::v1::BuildRequest;
using builder::v1::BuildResponse;
using builder::v1::BuildService;
using testing::StatusIs;

// Hands its stream to the test; keeps it until the test is done with it.
class OneStream final : public BuildService::CallbackService {
 public:
  explicit OneStream(absl::Duration write_limit) : write_limit_(write_limit) {}
  grpc::ServerBidiReactor<BuildRequest, BuildResponse>* Build(grpc::CallbackServerContext* context) override {
    stream_ = std::make_unique<BuildStream>(*context, BuildStream::Options{.write_limit = write_limit_});
    started_.count_down();
    return stream_.get();
  }
  BuildStream& stream() {
    started_.wait();
    return *stream_;
  }

 private:
  const absl::Duration write_limit_;
  std::latch started_{1};
  std::unique_ptr<BuildStream> stream_;
};

class BuildStreamTest : public ::testing::Test {
 protected:
  void Start(absl::Duration write_limit) {
    service_ = std::make_unique<OneStream>(write_limit);
    ASSERT_OK_AND_ASSIGN(server_, Server::Start({}, {service_.get()}));
    stub_ = BuildService::NewStub(Connect(server_->addresses()[0]));
    client_ = stub_->Build(&context_);
    ASSERT_TRUE(client_->Write(BuildRequest()));
  }

  std::unique_ptr<OneStream> service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<BuildService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<BuildRequest, BuildResponse>> client_;
};

TEST_F(BuildStreamTest, AClientThatDoesNotReadIsCutOff) {
  Start(absl::Milliseconds(300));
  BuildStream& stream = service_->stream();
  BuildResponse response;
  response.mutable_progress()->add_logs()->set_data(std::string(1 << 20, 'x'));
  absl::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) status = stream.Write(response);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled, "did not read for 300ms"));
  EXPECT_THAT(stream.Write(response), StatusIs(absl::StatusCode::kCancelled, "did not read"));
  std::latch cancelled(1);
  const auto registration = stream.cancellation().OnCancel([&] { cancelled.count_down(); });
  cancelled.wait();
  stream.End(grpc::Status::CANCELLED);
  stream.WaitUntilDone();
}

TEST_F(BuildStreamTest, ASilentClientIsNotWaitedForLonger) {
  Start(absl::Minutes(1));
  BuildRequest request;
  ASSERT_TRUE(service_->stream().Read(request, absl::Minutes(1)));
  EXPECT_FALSE(service_->stream().Read(request, absl::Milliseconds(50)));
  service_->stream().End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "nothing came"));
  service_->stream().WaitUntilDone();
  EXPECT_EQ(client_->Finish().error_message(), "nothing came");
}

TEST_F(BuildStreamTest, NothingIsStartedAfterTheEnd) {
  Start(absl::Minutes(1));
  BuildStream& stream = service_->stream();
  BuildRequest request;
  ASSERT_TRUE(stream.Read(request));
  ASSERT_TRUE(client_->Write(request));  // waits in the stream, or on its way there, when it ends
  std::thread reader([&] {
    while (stream.Read(request)) {
    }
    EXPECT_THAT(stream.Write(BuildResponse()), StatusIs(absl::StatusCode::kCancelled, ""));
  });
  stream.End(grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "exit code: 1"));
  stream.WaitUntilDone();
  EXPECT_THAT(stream.Write(BuildResponse()), StatusIs(absl::StatusCode::kCancelled, ""));
  EXPECT_FALSE(stream.Read(request));
  reader.join();
  EXPECT_EQ(client_->Finish().error_message(), "exit code: 1");
}

TEST_F(BuildStreamTest, FilesThatNobodyAskedForOrInPiecesOfOthersEndTheBuild) {
  Start(absl::Minutes(1));
  testing::ScratchDir scratch;
  ASSERT_OK_AND_ASSIGN(const auto cache, context::ContentCache::Open(scratch.path(), 1 << 20));
  progress::NullProgress progress;
  ClientContext client(service_->stream(), *cache, progress);
  builder::v1::ContextEntries entries;
  std::vector<filetree::Node> files;
  for (uint32_t id = 0; id < 3; ++id) {
    auto& entry = *entries.add_entries();
    entry.set_id(id);
    entry.set_path(std::to_string(id));
    entry.set_mode(S_IFREG | 0644);
    entry.set_size_bytes(1);
    entry.set_digest(Digest::Of(std::to_string(id)).ToString());
    if (id == 2) continue;
    files.emplace_back();
    files.back().digest = Digest::Of(std::to_string(id));
  }
  ASSERT_OK(client.OnEntries(entries));
  ASSERT_OK(client.OnListingEnd());
  std::thread step([&] { EXPECT_THAT(client.Fetch({}, files), StatusIs(absl::StatusCode::kInvalidArgument, "mixed")); });
  BuildResponse query;
  ASSERT_TRUE(client_->Read(&query));
  EXPECT_EQ(query.file_query().ids_size(), 2);

  const auto send = [&](uint32_t id) {
    builder::v1::FileData data;
    data.add_pieces()->set_id(id);
    return client.OnFileData(data);
  };
  EXPECT_THAT(send(2), StatusIs(absl::StatusCode::kInvalidArgument, "nobody asked for"));
  EXPECT_OK(send(0));
  EXPECT_OK(send(0));
  EXPECT_THAT(send(1), StatusIs(absl::StatusCode::kInvalidArgument, "in the middle of file 0"));
  client.OnStreamEnd(absl::InvalidArgumentError("mixed"));
  step.join();
  service_->stream().End(grpc::Status::CANCELLED);
  service_->stream().WaitUntilDone();
}

}  // namespace
}  // namespace strata::rpc
