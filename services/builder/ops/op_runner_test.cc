// The operations over a fake executor and folders in place of mounts.
#include "services/builder/ops/op_runner_impl.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "gmock/gmock.h"
#include "lib/blobstore/memory_store.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/context/context_tree.h"

namespace strata::ops {
namespace {

using ::testing::SizeIs;

class FakeStack final : public snapshot::Stack {
 public:
  const std::vector<snapshot::Layer>& layers() const override { return layers_; }

 private:
  std::vector<snapshot::Layer> layers_;
};

class FakeWorkspace final : public snapshot::Workspace {
 public:
  FakeWorkspace() : path_(scratch_.path()), fd_(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
  const std::string& root_path() const override { return path_; }
  int root_fd() const override { return fd_.get(); }
  absl::Status Seal() override { return absl::OkStatus(); }
  int upper_fd() const override { return fd_.get(); }
  absl::Status Keep(const Digest&) override { return absl::OkStatus(); }

 private:
  testing::ScratchDir scratch_;
  const std::string path_;
  const UniqueFd fd_;
};

class FakeSnapshots final : public snapshot::SnapshotStore {
 public:
  absl::StatusOr<std::shared_ptr<const snapshot::Stack>> Acquire(const CallContext&, absl::Span<const snapshot::Layer>,
                                                                 const snapshot::FetchProgress&) override {
    return std::make_shared<FakeStack>();
  }
  absl::StatusOr<std::unique_ptr<snapshot::Workspace>> CreateWorkspace(std::shared_ptr<const snapshot::Stack>) override {
    return std::make_unique<FakeWorkspace>();
  }
  absl::StatusOr<std::unique_ptr<snapshot::View>> CreateView(std::shared_ptr<const snapshot::Stack>) override {
    return absl::UnimplementedError("no views here");
  }
  int64_t BytesUsed() const override { return 0; }
};

class FakeExecutor final : public executor::Executor {
 public:
  absl::StatusOr<executor::ExecResult> Run(const CallContext&, const executor::ExecSpec& spec, const executor::OutputSink&) override {
    if (on_run) on_run(spec);
    return executor::ExecResult{};
  }
  std::function<void(const executor::ExecSpec&)> on_run;
};

class OpRunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(files_, context::ContentCache::Open(scratch_.Join("context"), 1 << 20));
    for (const char* name : {"caches", "scratch"}) ASSERT_EQ(::mkdir(scratch_.Join(name).c_str(), 0700), 0);
    environment_ = std::make_unique<OpEnvironment>(OpEnvironment{.blobs = store_,
                                                                 .cache = cache_,
                                                                 .snapshots = snapshots_,
                                                                 .executor = executor_,
                                                                 .files = *files_,
                                                                 .http = http_,
                                                                 .cache_mounts = cache_mounts_,
                                                                 .cache_mount_root = scratch_.Join("caches"),
                                                                 .scratch_root = scratch_.Join("scratch"),
                                                                 .limits = {},
                                                                 .layer = {}});
  }

  OpRunnerImpl Runner(std::optional<absl::Time> epoch = std::nullopt) {
    return OpRunnerImpl(*environment_, nullptr, progress_, epoch);
  }
  std::string Key(const graph::Op& op, std::optional<absl::Time> epoch = std::nullopt) {
    graph::Vertex vertex;
    vertex.op = op;
    auto key = Runner(epoch).CacheKey({}, vertex, {solver::Result{}});
    EXPECT_OK(key);
    return key.ok() && *key ? **key : "";
  }
  absl::Status Run(const graph::ExecOp& op, const CallContext& context = {}) {
    graph::Vertex vertex;
    vertex.op = op;
    return Runner().Run(context, vertex, {solver::Result{}}, 0).status();
  }

  static graph::ExecMount CacheMount(const std::string& id, const std::string& target) {
    graph::ExecMount mount;
    mount.kind = graph::ExecMount::Kind::kCache;
    mount.cache_id = id;
    mount.target = target;
    mount.exclusive = true;
    mount.read_only = false;
    return mount;
  }

  testing::ScratchDir scratch_;
  blobstore::MemoryStore store_;
  cache::StepCache cache_{store_};
  FakeSnapshots snapshots_;
  FakeExecutor executor_;
  http::Client http_;
  solver::Flights cache_mounts_;
  std::unique_ptr<context::ContentCache> files_;
  std::unique_ptr<OpEnvironment> environment_;
  progress::NullProgress progress_;
};

TEST_F(OpRunnerTest, WhatChangesTheResultChangesTheKey) {
  const graph::ExecOp plain{.args = {"make"}, .working_dir = "/"};
  std::set<std::string> keys = {Key(plain), Key(plain, absl::UnixEpoch()), Key(plain, absl::FromUnixSeconds(1))};
  graph::ExecOp op = plain;
  op.mounts = {CacheMount("a", "/c")};
  keys.insert(Key(op));
  op.mounts = {CacheMount("b", "/c")};
  keys.insert(Key(op));
  op.mounts[0].read_only = true;
  keys.insert(Key(op));
  op.mounts[0].kind = graph::ExecMount::Kind::kTmpfs;
  keys.insert(Key(op));
  op.mounts[0].size_bytes = 4096;
  keys.insert(Key(op));
  EXPECT_THAT(keys, SizeIs(8));
  op.unkeyed_env = {"http_proxy=http://other"};
  EXPECT_TRUE(keys.contains(Key(op)));
  const graph::FileOp file{{graph::MakeDirAction{"/app", ""}}};
  EXPECT_NE(Key(file), Key(file, absl::UnixEpoch()));
}

class NoFiles final : public context::FileRequester {
 public:
  absl::Status Fetch(const CallContext&, absl::Span<const filetree::Node>) override { return absl::OkStatus(); }
};

TEST_F(OpRunnerTest, ABoundPathIsNoPatternAndItsContentCounts) {
  NoFiles requester;
  std::set<std::string> keys;
  for (const char* content : {"one", "two"}) {
    context::ContextListing listing;
    filetree::Node node;
    node.path = "conf[1]/*.txt";
    node.mode = S_IFREG | 0644;
    node.digest = Digest::Of(content);
    ASSERT_OK(listing.Add(node));
    solver::Result files;
    files.files = std::make_shared<const context::ContextTree>(listing, *files_, requester);
    graph::ExecOp op{.args = {"make"}, .working_dir = "/"};
    op.mounts.emplace_back();
    op.mounts[0].input = 1;
    op.mounts[0].source = "conf[1]/*.txt";
    op.mounts[0].target = "/conf";
    graph::Vertex vertex;
    vertex.op = op;
    ASSERT_OK_AND_ASSIGN(const auto key, Runner().CacheKey({}, vertex, {solver::Result{}, files}));
    keys.insert(*key);
  }
  EXPECT_THAT(keys, SizeIs(2));
}

TEST_F(OpRunnerTest, OneCacheMayBeMountedTwiceInAStep) {
  graph::ExecOp op{.args = {"make"}, .working_dir = "/"};
  op.mounts = {CacheMount("a", "/one"), CacheMount("a", "/two")};
  executor_.on_run = [](const executor::ExecSpec& spec) {
    ASSERT_THAT(spec.mounts, SizeIs(2));
    EXPECT_EQ(spec.mounts[0].source, spec.mounts[1].source);
  };
  CallContext context;
  context.deadline = absl::Now() + absl::Seconds(20);
  EXPECT_OK(Run(op, context));
}

TEST_F(OpRunnerTest, StepsThatWantTheSameCachesInAnyOrderTakeTurns) {
  std::atomic<int> inside{0};
  executor_.on_run = [&](const executor::ExecSpec&) {
    EXPECT_EQ(++inside, 1);
    std::this_thread::yield();
    --inside;
  };
  CallContext context;
  context.deadline = absl::Now() + absl::Seconds(60);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      graph::ExecOp op{.args = {"make"}, .working_dir = "/"};
      op.mounts = {CacheMount(i % 2 ? "a" : "b", "/one"), CacheMount(i % 2 ? "b" : "a", "/two")};
      for (int turn = 0; turn < 5; ++turn) EXPECT_OK(Run(op, context));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace strata::ops
