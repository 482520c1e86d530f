#include "services/builder/solver/solver.h"

#include <atomic>
#include <latch>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "lib/base/cancellation.h"
#include "lib/blobstore/memory_store.h"
#include "lib/bytes/byte_stream.h"
#include "lib/testing/status_matchers.h"

namespace strata::solver {
namespace {

using testing::StatusIs;

// Every vertex is a FileOp whose name is its content; the layer it yields is a blob in the store.
class FakeRunner : public OpRunner {
 public:
  explicit FakeRunner(blobstore::MemoryStore& store) : store_(store) {}

  absl::StatusOr<std::optional<std::string>> CacheKey(const CallContext&, const graph::Vertex& vertex,
                                                      const std::vector<Result>& inputs) override {
    if (inputs.empty()) return std::nullopt;
    std::string key = vertex.name;
    for (const Result& input : inputs) absl::StrAppend(&key, " ", input.ChainId().ToString());
    return Digest::Of(key).ToString();
  }

  absl::StatusOr<Result> Run(const CallContext& context, const graph::Vertex& vertex, const std::vector<Result>& inputs,
                             uint32_t) override {
    if (on_run) {
      if (const absl::Status status = on_run(context, vertex); !status.ok()) return status;
    }
    Result result = inputs.empty() ? Result{} : inputs.front();
    const auto content = contents.find(vertex.name);
    const std::string text = content == contents.end() ? vertex.name : content->second;
    snapshot::Layer layer;
    layer.diff_id = layer.blob = Digest::Of(text);
    StringSource source(text);
    const absl::Status stored = blobstore::UploadBlob(store_, context, blobstore::kBuildRepository, source, layer.blob);
    if (!stored.ok()) return stored;
    result.layers.push_back(layer);
    ++runs;
    return result;
  }

  std::map<std::string, std::string> contents;  // what a vertex yields, when not its name
  std::function<absl::Status(const CallContext&, const graph::Vertex&)> on_run;
  std::atomic<int> runs{0};

 private:
  blobstore::MemoryStore& store_;
};

graph::VertexPtr Make(std::string name, std::vector<graph::VertexPtr> inputs = {}, bool ignore_cache = false) {
  auto vertex = std::make_shared<graph::Vertex>();
  vertex->op = graph::FileOp{};
  vertex->name = std::move(name);
  vertex->inputs = std::move(inputs);
  vertex->location = absl::StrCat("Dockerfile:", vertex->name);
  vertex->ignore_cache = ignore_cache;
  return vertex;
}

class SolverTest : public ::testing::Test {
 protected:
  absl::StatusOr<SolveReport> Solve(const graph::VertexPtr& target, const CallContext& context = {}) {
    return solver_.Solve(context, {target}, runner_, progress_);
  }

  blobstore::MemoryStore store_;
  cache::StepCache cache_{store_};
  Solver solver_{cache_, 4};
  FakeRunner runner_{store_};
  progress::NullProgress progress_;
};

TEST_F(SolverTest, TheSecondBuildRunsNothing) {
  const auto build = [] { return Make("c", {Make("b", {Make("a")})}); };
  ASSERT_OK_AND_ASSIGN(const SolveReport first, Solve(build()));
  EXPECT_EQ(first.steps_run, 2);
  ASSERT_OK_AND_ASSIGN(const SolveReport second, Solve(build()));
  EXPECT_EQ(second.steps_cached, 2);
  EXPECT_EQ(second.steps_run, 0);
  EXPECT_EQ(second.results[0].layers, first.results[0].layers);
}

TEST_F(SolverTest, AStepThatYieldsTheSameLetsLaterStepsHit) {
  runner_.contents = {{"b1", "same"}, {"b2", "same"}};
  ASSERT_OK(Solve(Make("c", {Make("b1", {Make("a")})})));
  ASSERT_OK_AND_ASSIGN(const SolveReport report, Solve(Make("c", {Make("b2", {Make("a")})})));
  EXPECT_EQ(report.steps_run, 1);
  EXPECT_EQ(report.steps_cached, 1);
}

TEST_F(SolverTest, NoCacheRunsAgainAndRecords) {
  ASSERT_OK(Solve(Make("b", {Make("a")})));
  ASSERT_OK_AND_ASSIGN(const SolveReport report, Solve(Make("b", {Make("a")}, /*ignore_cache=*/true)));
  EXPECT_EQ(report.steps_run, 1);
}

TEST_F(SolverTest, IndependentStepsRunAtTheSameTime) {
  std::latch both(2);
  runner_.on_run = [&](const CallContext&, const graph::Vertex& vertex) {
    if (vertex.name[0] == 'p') both.arrive_and_wait();  // hangs unless the other one runs too
    return absl::OkStatus();
  };
  EXPECT_OK(Solve(Make("join", {Make("p1", {Make("a")}), Make("p2", {Make("b")})})));
}

TEST_F(SolverTest, ASharedInputRunsOnce) {
  const auto shared = Make("shared", {Make("a")});
  ASSERT_OK(Solve(Make("join", {Make("x", {shared}), Make("y", {shared})})));
  EXPECT_EQ(runner_.runs, 5);
}

TEST_F(SolverTest, TheFirstFailureIsToldWithItsPlaceAndStopsTheRest) {
  std::latch waiting(1);
  runner_.on_run = [&](const CallContext& context, const graph::Vertex& vertex) -> absl::Status {
    if (vertex.name == "bad") {
      waiting.wait();
      return absl::FailedPreconditionError("exit code: 2");
    }
    if (vertex.name == "slow") {
      waiting.count_down();
      while (!context.cancelled()) std::this_thread::yield();
      return absl::CancelledError("stopped");
    }
    return absl::OkStatus();
  };
  EXPECT_THAT(Solve(Make("join", {Make("slow", {Make("a")}), Make("bad", {Make("b")})})),
              StatusIs(absl::StatusCode::kFailedPrecondition, "Dockerfile:bad: exit code: 2"));
}

TEST_F(SolverTest, ACancelledCallerEndsTheBuild) {
  Cancellation cancellation;
  runner_.on_run = [&](const CallContext& context, const graph::Vertex&) -> absl::Status {
    cancellation.Cancel();
    return context.Check();
  };
  CallContext context;
  context.cancellation = &cancellation;
  EXPECT_THAT(Solve(Make("b", {Make("a")}), context), StatusIs(absl::StatusCode::kCancelled, ""));
}

TEST_F(SolverTest, ConcurrentBuildsExecuteAnIdenticalStepOnce) {
  std::latch started(1);
  std::latch release(1);
  runner_.on_run = [&](const CallContext&, const graph::Vertex& vertex) {
    if (vertex.name == "step") {
      started.count_down();
      release.wait();
    }
    return absl::OkStatus();
  };
  std::thread first([&] { EXPECT_OK(Solve(Make("step", {Make("a")}))); });
  started.wait();
  FakeRunner other(store_);
  std::thread second([&] {
    auto report = solver_.Solve({}, {Make("step", {Make("a")})}, other, progress_);
    ASSERT_OK(report);
    EXPECT_EQ(report->steps_cached, 1);
  });
  release.count_down();
  first.join();
  second.join();
}

TEST_F(SolverTest, WithoutParallelismOneStepRunsAtATime) {
  Solver narrow(cache_, 0);
  ASSERT_OK_AND_ASSIGN(const SolveReport report, narrow.Solve({}, {Make("b", {Make("a")})}, runner_, progress_));
  EXPECT_EQ(report.results[0].layers.size(), 2u);
}

TEST_F(SolverTest, AChainOfThousandsOfStepsIsFine) {
  graph::VertexPtr vertex = Make("base");
  for (int i = 0; i < 5000; ++i) {
    vertex = Make(absl::StrCat("s", i), {vertex});
  }
  // Only the shape matters here: the walk over it must not recurse.
  Cancellation cancellation;
  cancellation.Cancel();
  CallContext context;
  context.cancellation = &cancellation;
  EXPECT_THAT(Solve(vertex, context), StatusIs(absl::StatusCode::kCancelled, ""));
}

}  // namespace
}  // namespace strata::solver
