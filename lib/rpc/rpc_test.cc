#include <grpcpp/channel.h>
#include <stdlib.h>
#include <unistd.h>

#include <latch>
#include <thread>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/call.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"
#include "lib/rpc/status.h"
#include "lib/rpc/timestamp.h"
#include "lib/testing/status_matchers.h"
#include "proto/strata/store/v1/admin.grpc.pb.h"

namespace strata::rpc {
namespace {

using store::v1::AdminService;
using strata::testing::StatusIs;
using enum absl::StatusCode;

TEST(StatusTest, EveryCodeTravelsBothWays) {
  for (int code = 1; code <= 16; ++code) {
    absl::Status status(static_cast<absl::StatusCode>(code), "what happened");
    status.SetPayload("strata/offset", absl::Cord("42"));
    EXPECT_EQ(FromGrpc(ToGrpc(status), "store"), status);
  }
  EXPECT_OK(FromGrpc(ToGrpc(absl::OkStatus()), "store"));
}

TEST(StatusTest, OnlyGrpcsOwnUnavailableNamesThePeer) {
  EXPECT_THAT(FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "refused"), "store at x:1"),
              StatusIs(kUnavailable, "store at x:1 is not reachable: refused; is it running?"));
  EXPECT_EQ(FromGrpc(ToGrpc(absl::UnavailableError("draining")), "store at x:1").message(), "draining");
}

TEST(StatusTest, AServerWithoutThreadsIsBusyNotFull) {
  EXPECT_THAT(FromGrpc(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "Server Threadpool Exhausted"), "store at x:1"),
              StatusIs(kUnavailable, "store at x:1 serves as many calls as it can already; retry in a moment"));
  EXPECT_THAT(FromGrpc(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "Received message larger than max"), "store at x:1"),
              StatusIs(kResourceExhausted, "larger than max"));
}

TEST(StatusTest, LongMessagesAreCut) {
  EXPECT_LT(ToGrpc(absl::InternalError(std::string(100000, 'x'))).error_message().size(), 2100u);
  absl::Status large = absl::InternalError("x");
  large.SetPayload("p", absl::Cord(std::string(100000, 'x')));
  EXPECT_LT(ToGrpc(large).error_details().size(), 100u);
}

TEST(TimestampTest, KeepsNanosecondsAndClampsTheRest) {
  google::protobuf::Timestamp timestamp;
  for (const absl::Time time : {absl::UnixEpoch(), absl::FromUnixNanos(1'700'000'000'123'456'789), absl::FromUnixNanos(-1)}) {
    SetTimestamp(time, &timestamp);
    EXPECT_EQ(ToTime(timestamp), time);
  }
  SetTimestamp(absl::InfinitePast(), &timestamp);
  EXPECT_EQ(timestamp.seconds(), -62135596800);
  SetTimestamp(absl::InfiniteFuture(), &timestamp);
  EXPECT_EQ(timestamp.seconds(), 253402300799);
}

// GetStatistics notes its context; CollectGarbage waits until it is cancelled.
class Service final : public AdminService::Service {
 public:
  grpc::Status GetStatistics(grpc::ServerContext* server, const store::v1::GetStatisticsRequest*,
                             store::v1::GetStatisticsResponse*) override {
    const ServerCall call(watcher, *server);
    request_id = call.context().request_id;
    deadline = call.context().deadline;
    return ToGrpc(absl::NotFoundError("nothing here"));
  }
  grpc::Status CollectGarbage(grpc::ServerContext* server, const store::v1::CollectGarbageRequest*,
                              store::v1::CollectGarbageResponse*) override {
    const ServerCall call(watcher, *server);
    std::latch cancelled(1);
    const auto registration = call.context().cancellation->OnCancel([&] { cancelled.count_down(); });
    started.count_down();
    cancelled.wait();
    ended.count_down();
    return ToGrpc(call.context().Check());
  }

  CallWatcher watcher;
  std::string request_id;
  absl::Time deadline;
  std::latch started{1};
  std::latch ended{1};
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    auto started = Server::Start({.metrics = &metrics_}, {&service_});
    EXPECT_OK(started);
    server_ = *std::move(started);
    stub_ = AdminService::NewStub(Connect(server_->addresses()[0]));
  }
  absl::Status GetStatistics(const CallContext& context) {
    ClientCall call(context);
    store::v1::GetStatisticsResponse response;
    return FromGrpc(stub_->GetStatistics(call.get(), {}, &response), "store");
  }
  absl::Status CollectGarbage(const CallContext& context) {
    ClientCall call(context);
    store::v1::CollectGarbageResponse response;
    return FromGrpc(stub_->CollectGarbage(call.get(), {}, &response), "store");
  }

  metrics::Registry metrics_;
  Service service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<AdminService::Stub> stub_;
};

TEST_F(ServerTest, ContextsTravel) {
  CallContext context;
  context.request_id = "req-1";
  context.deadline = absl::Now() + absl::Minutes(10);
  EXPECT_THAT(GetStatistics(context), StatusIs(kNotFound, "nothing here"));
  EXPECT_EQ(service_.request_id, "req-1");
  EXPECT_LT(absl::AbsDuration(service_.deadline - context.deadline), absl::Minutes(1));
  EXPECT_THAT(GetStatistics(CallContext()), StatusIs(kNotFound, ""));
  EXPECT_EQ(service_.request_id, "");
  EXPECT_EQ(service_.deadline, absl::InfiniteFuture());
}

TEST_F(ServerTest, CallsAreCounted) {
  EXPECT_FALSE(GetStatistics(CallContext()).ok());
  EXPECT_FALSE(GetStatistics(CallContext()).ok());
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, ::testing::HasSubstr("strata_rpc_calls_total{method=\"/strata.store.v1.AdminService/GetStatistics\","
                                         "code=\"NOT_FOUND\"} 2\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("strata_rpc_call_seconds_count{method=\"/strata.store.v1.AdminService/GetStatistics\"} 2\n"));
}

TEST_F(ServerTest, BadRequestIdsAreDropped) {
  for (const std::string& id : {std::string(129, 'x'), std::string("a b"), std::string("a\nb")}) {
    CallContext context;
    context.request_id = id;
    EXPECT_THAT(GetStatistics(context), StatusIs(kNotFound, "nothing here"));
    EXPECT_EQ(service_.request_id, "");
  }
}

TEST_F(ServerTest, ACancelledClientCancelsTheHandler) {
  Cancellation cancellation;
  CallContext context;
  context.cancellation = &cancellation;
  std::thread canceller([&] {
    service_.started.wait();
    cancellation.Cancel();
  });
  EXPECT_THAT(CollectGarbage(context), StatusIs(kCancelled, ""));
  service_.ended.wait();
  canceller.join();
}

TEST_F(ServerTest, AShutdownCancelsWhatOutlivesTheDrain) {
  std::thread client([&] { EXPECT_FALSE(CollectGarbage(CallContext()).ok()); });
  service_.started.wait();
  server_->Shutdown(absl::Milliseconds(1));
  service_.ended.wait();
  client.join();
}

TEST_F(ServerTest, ATakenPortIsNamed) {
  const std::string address = server_->addresses()[0];
  EXPECT_THAT(Server::Start({.listen = {address}}, {&service_}),
              StatusIs(kUnavailable, absl::StrCat("cannot listen on ", address, ": bind: Address already in use")));
}

TEST(ServerStartTest, BadAddressesAreNamed) {
  EXPECT_THAT(Server::Start({.listen = {}}, {}), StatusIs(kInvalidArgument, "no address"));
  EXPECT_THAT(Server::Start({.listen = {"unix:/nonexistent/s"}}, {}), StatusIs(kUnavailable, "unix:/nonexistent/s"));
  EXPECT_THAT(Server::Start({.listen = {"nonsense"}}, {}), StatusIs(kUnavailable, "nonsense"));
}

}  // namespace
}  // namespace strata::rpc
