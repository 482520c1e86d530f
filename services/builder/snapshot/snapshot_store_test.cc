#include "services/builder/snapshot/snapshot_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/cancellation.h"
#include "lib/base/mutex.h"
#include "lib/compress/gzip.h"
#include "lib/tar/writer.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/layer/pack.h"
#include "services/builder/snapshot/overlay_store.h"

namespace strata::snapshot {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::ReadFile;
using testing::StatusIs;
using testing::WriteFile;

// Layers in memory; counts how often each was asked for.
class FakeSource final : public LayerSource {
 public:
  struct File {
    std::string name;
    std::string content;
    tar::EntryType type = tar::EntryType::kFile;
    uint32_t mode = 0644;
  };

  Layer Add(const std::vector<File>& files) {
    std::string plain;
    StringSink sink(&plain);
    tar::Writer writer(sink);
    for (const File& file : files) {
      tar::Entry entry;
      entry.name = file.name;
      entry.type = file.type;
      entry.mode = file.mode;
      const bool is_link = file.type == tar::EntryType::kHardLink || file.type == tar::EntryType::kSymlink;
      if (is_link) entry.link_name = file.content;
      if (file.type == tar::EntryType::kFile) entry.size = file.content.size();
      EXPECT_OK(writer.WriteHeader(entry));
      if (entry.size > 0) EXPECT_OK(writer.WriteContent(file.content));
    }
    EXPECT_OK(writer.Finish());
    return AddTar(plain);
  }

  Layer AddTar(const std::string& plain) {
    std::string packed;
    StringSink packed_sink(&packed);
    compress::GzipSink gzip(packed_sink);
    EXPECT_OK(gzip.Write(plain));
    EXPECT_OK(gzip.Finish());
    Layer layer{.diff_id = Digest::Of(plain), .blob = Digest::Of(packed), .size_bytes = static_cast<int64_t>(packed.size()), .media_type = "application/vnd.oci.image.layer.v1.tar+gzip"};
    MutexLock lock(mutex_);
    blobs_[layer.blob.ToString()] = packed;
    return layer;
  }

  absl::StatusOr<std::unique_ptr<ByteSource>> OpenLayer(const CallContext&, const Layer& layer) override {
    MutexLock lock(mutex_);
    ++opened_[layer.blob.ToString()];
    const auto found = blobs_.find(layer.blob.ToString());
    if (found == blobs_.end()) return absl::NotFoundError("no such blob");
    return std::make_unique<StringSource>(found->second);
  }

  int Opened(const Layer& layer) {
    MutexLock lock(mutex_);
    return opened_[layer.blob.ToString()];
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::string> blobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> opened_ ABSL_GUARDED_BY(mutex_);
};

constexpr tar::EntryType kDir = tar::EntryType::kDirectory;

class SnapshotStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    Reopen({});
  }

  void Reopen(SnapshotOptions options) {
    store_.reset();
    options.root = scratch_.Join("store");
    auto store = OverlayStore::Open(options, source_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  std::shared_ptr<const Stack> Acquire(const std::vector<Layer>& layers) {
    auto stack = store_->Acquire({}, layers, nullptr);
    EXPECT_TRUE(stack.ok()) << stack.status();
    return stack.ok() ? *stack : nullptr;
  }

  std::unique_ptr<View> OpenView(const std::vector<Layer>& layers) {
    auto view = store_->CreateView(Acquire(layers));
    EXPECT_TRUE(view.ok()) << view.status();
    return view.ok() ? *std::move(view) : nullptr;
  }

  std::unique_ptr<Workspace> OpenWorkspace(const std::vector<Layer>& layers) {
    auto workspace = store_->CreateWorkspace(Acquire(layers));
    EXPECT_TRUE(workspace.ok()) << workspace.status();
    return workspace.ok() ? *std::move(workspace) : nullptr;
  }

  size_t Count(const std::string& folder) {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(scratch_.Join("store/" + folder))) ++count;
    return count;
  }

  static bool IsMounted(const std::string& path) { return absl::StrContains(ReadFile("/proc/self/mountinfo"), path); }

  testing::ScratchDir scratch_;
  FakeSource source_;
  std::unique_ptr<OverlayStore> store_;
};

TEST_F(SnapshotStoreTest, StacksLayersWithWhiteouts) {
  const Layer base = source_.Add({{"etc", "", kDir, 0755}, {"etc/a", "1"}, {"etc/b", "2"}, {"gone", "", kDir, 0755}, {"gone/x", "x"}});
  const Layer top = source_.Add({{"etc", "", kDir, 0755}, {"etc/.wh.a", ""}, {"etc/c", "3"}, {"gone", "", kDir, 0755}, {"gone/.wh..wh..opq", ""}});
  const auto view = OpenView({base, top});
  const std::string root = view->root_path();
  EXPECT_FALSE(fs::exists(root + "/etc/a"));
  EXPECT_EQ(ReadFile(root + "/etc/b"), "2");
  EXPECT_EQ(ReadFile(root + "/etc/c"), "3");
  EXPECT_TRUE(fs::is_empty(root + "/gone"));
  EXPECT_GE(view->root_fd(), 0);
  EXPECT_FALSE(std::ofstream(root + "/new").good());
}

TEST_F(SnapshotStoreTest, UnpacksEachLayerOnce) {
  const Layer base = source_.Add({{"a", "1"}});
  const Layer top = source_.Add({{"b", "2"}});
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back([&] { EXPECT_OK(store_->Acquire({}, {base, top}, nullptr)); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(source_.Opened(base), 1);
  EXPECT_EQ(source_.Opened(top), 1);
  OpenView({top});
  EXPECT_EQ(source_.Opened(top), 1);
  EXPECT_GT(store_->BytesUsed(), 0);
}

TEST_F(SnapshotStoreTest, WorkspaceShowsItsChangesAndDiscardsThem) {
  const Layer base = source_.Add({{"a", "1"}});
  std::string root;
  {
    const auto workspace = OpenWorkspace({base});
    root = workspace->root_path();
    WriteFile(root + "/new", "n");
    fs::remove(root + "/a");
    ASSERT_OK(workspace->Seal());
    ASSERT_OK(workspace->Seal());
    EXPECT_FALSE(IsMounted(root));
    struct stat info = {};
    ASSERT_EQ(::fstatat(workspace->upper_fd(), "a", &info, AT_SYMLINK_NOFOLLOW), 0);
    EXPECT_TRUE(S_ISCHR(info.st_mode) && info.st_rdev == 0);
  }
  store_->DrainForTest();
  EXPECT_EQ(Count("w") + Count("m") + Count("t"), 0u);
  EXPECT_EQ(ReadFile(OpenView({base})->root_path() + "/a"), "1");
}

TEST_F(SnapshotStoreTest, KeepsASealedLayer) {
  const Layer base = source_.Add({{"a", "1"}});
  Layer made{.diff_id = Digest::Of("not in the store")};
  {
    const auto workspace = OpenWorkspace({base});
    WriteFile(workspace->root_path() + "/b", "2");
    EXPECT_THAT(workspace->Keep(made.diff_id), StatusIs(absl::StatusCode::kFailedPrecondition, "sealed"));
    ASSERT_OK(workspace->Seal());
    ASSERT_OK(workspace->Keep(made.diff_id));
  }
  EXPECT_EQ(ReadFile(OpenView({base, made})->root_path() + "/b"), "2");
  EXPECT_EQ(source_.Opened(made), 0);
  const size_t layers = Count("l");
  {
    const auto workspace = OpenWorkspace({base});
    ASSERT_OK(workspace->Seal());
    ASSERT_OK(workspace->Keep(made.diff_id));
  }
  EXPECT_EQ(Count("l"), layers);
  Reopen({});
  EXPECT_EQ(ReadFile(OpenView({base, made})->root_path() + "/b"), "2");
  EXPECT_EQ(source_.Opened(made), 0);
  EXPECT_EQ(source_.Opened(base), 1);
}

TEST_F(SnapshotStoreTest, StartsFromScratch) {
  const auto workspace = OpenWorkspace({});
  EXPECT_TRUE(fs::is_empty(workspace->root_path()));
  WriteFile(workspace->root_path() + "/a", "1");
  ASSERT_OK(workspace->Seal());
  EXPECT_TRUE(fs::is_empty(OpenView({})->root_path()));
}

TEST_F(SnapshotStoreTest, MountsAHundredAndTwentySevenLayers) {
  std::vector<Layer> layers;
  for (int i = 0; i < 127; ++i) layers.push_back(source_.Add({{absl::StrCat("f", i), absl::StrCat(i)}, {"last", absl::StrCat(i)}}));
  const absl::Time start = absl::Now();
  const auto view = OpenView(layers);
  std::cout << "127 small layers unpacked and mounted in " << absl::Now() - start << std::endl;
  EXPECT_EQ(ReadFile(view->root_path() + "/last"), "126");
  EXPECT_EQ(ReadFile(view->root_path() + "/f0"), "0");
  const auto workspace = OpenWorkspace(layers);
  WriteFile(workspace->root_path() + "/last", "mine");
  EXPECT_EQ(ReadFile(view->root_path() + "/last"), "126");
}

TEST_F(SnapshotStoreTest, TakesALayerTwiceInAStack) {
  const Layer a = source_.Add({{"x", "a"}});
  const Layer b = source_.Add({{"x", "b"}, {"y", "b"}});
  EXPECT_EQ(ReadFile(OpenView({a, b, a})->root_path() + "/x"), "a");
  EXPECT_EQ(ReadFile(OpenView({b, a, b})->root_path() + "/x"), "b");
}

TEST_F(SnapshotStoreTest, AsksTheLayersBelowForParentsWithoutEntry) {
  const Layer first = source_.Add({{"opt", "", kDir, 0700}, {"usr", "", kDir, 0755}, {"usr/lib", "", kDir, 0755}, {"lib", "usr/lib", tar::EntryType::kSymlink}});
  const Layer second = source_.Add({{"opt", "", kDir, 0711}});
  const Layer bare = source_.Add({{"opt/file", "f"}, {"lib/so", "s"}});
  const auto mode = [](const std::string& path) { return static_cast<unsigned>(fs::status(path).permissions()); };
  {
    const auto view = OpenView({first, bare});
    EXPECT_EQ(mode(view->root_path() + "/opt"), 0700u);
    EXPECT_EQ(ReadFile(view->root_path() + "/usr/lib/so"), "s");
  }
  EXPECT_EQ(mode(OpenView({first, second, bare})->root_path() + "/opt"), 0711u);
  EXPECT_EQ(mode(OpenView({bare})->root_path() + "/opt"), 0755u);
  const int opened = source_.Opened(bare);
  OpenView({first, bare});
  OpenView({bare});
  EXPECT_EQ(source_.Opened(bare), opened);
}

TEST_F(SnapshotStoreTest, LinksToFilesOfLayersBelow) {
  const Layer base = source_.Add({{"a", "1"}});
  const Layer top = source_.Add({{"b", "a", tar::EntryType::kHardLink}});
  EXPECT_EQ(ReadFile(OpenView({base, top})->root_path() + "/b"), "1");
  EXPECT_THAT(store_->Acquire({}, {top}, nullptr), StatusIs(absl::StatusCode::kFailedPrecondition, "hard link"));
}

TEST_F(SnapshotStoreTest, AStepEntersItsRootWhateverModeTheBaseGivesIt) {
  const Layer base = source_.Add({{".", "", kDir, 0555}, {"a", "1"}});
  const Layer top = source_.Add({{"b", "2"}});
  const auto mode = [](const std::string& path) { return static_cast<unsigned>(fs::status(path).permissions()); };
  EXPECT_EQ(mode(OpenView({base, top})->root_path()), 0555u);
  EXPECT_EQ(mode(OpenWorkspace({base, top})->root_path()), 0755u);
  EXPECT_EQ(mode(OpenView({top})->root_path()), 0755u);
}

TEST_F(SnapshotStoreTest, RefusesWhatDoesNotMatch) {
  Layer wrong = source_.Add({{"a", "1"}});
  wrong.diff_id = Digest::Of("something else");
  EXPECT_THAT(store_->Acquire({}, {wrong}, nullptr), StatusIs(absl::StatusCode::kDataLoss, wrong.diff_id.ToString()));
  const Layer missing{.diff_id = Digest::Of("m"), .blob = Digest::Of("m")};
  EXPECT_THAT(store_->Acquire({}, {missing}, nullptr), StatusIs(absl::StatusCode::kNotFound, "no such blob"));
  const Layer damaged = source_.AddTar(std::string(2000, 'x'));
  EXPECT_THAT(store_->Acquire({}, {damaged}, nullptr), StatusIs(absl::StatusCode::kInvalidArgument, damaged.diff_id.ToString()));
  Reopen({.max_layer_bytes = 1000});
  const Layer big = source_.Add({{"a", std::string(100'000, 'a')}});
  EXPECT_THAT(store_->Acquire({}, {big}, nullptr), StatusIs(absl::StatusCode::kResourceExhausted, ""));
  store_->DrainForTest();
  EXPECT_EQ(Count("l") + Count("t") + Count("i"), 0u);
  EXPECT_EQ(store_->BytesUsed(), 0);
}

TEST_F(SnapshotStoreTest, EvictsWhatWasUsedLongestAgo) {
  Reopen({.max_bytes = 250'000});
  const std::string content(100'000, 'x');
  const Layer a = source_.Add({{"a", content}});
  const Layer b = source_.Add({{"b", content}});
  const Layer c = source_.Add({{"c", content}});
  const auto pinned = Acquire({a});
  Acquire({b});
  Acquire({c});
  Acquire({b});
  EXPECT_EQ(source_.Opened(b), 1);  // two unused layers fit beside the pinned one
  const Layer d = source_.Add({{"d", content}});
  Acquire({d});
  store_->DrainForTest();
  EXPECT_EQ(Count("l"), 3u);
  Acquire({a});
  Acquire({b});
  EXPECT_EQ(source_.Opened(a), 1);
  EXPECT_EQ(source_.Opened(b), 1);
  Acquire({c});
  EXPECT_EQ(source_.Opened(c), 2);
}

TEST_F(SnapshotStoreTest, RecoversFromACrash) {
  const Layer base = source_.Add({{"a", "1"}});
  store_.reset();
  const pid_t builder = ::fork();
  if (builder == 0) {
    auto store = OverlayStore::Open({.root = scratch_.Join("store")}, source_);
    auto stack = (*store)->Acquire({}, {base}, nullptr);
    auto workspace = (*store)->CreateWorkspace(*stack);
    auto view = (*store)->CreateView(*stack);
    WriteFile((*workspace)->root_path() + "/b", "2");
    ::_exit(workspace.ok() && view.ok() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(builder, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(IsMounted(scratch_.Join("store/m/")));
  fs::create_directories(scratch_.Join("store/l/777/incomplete"));
  Reopen({});
  store_->DrainForTest();
  EXPECT_EQ(Count("w") + Count("m") + Count("t"), 0u);
  EXPECT_EQ(Count("l"), 1u);
  EXPECT_EQ(ReadFile(OpenView({base})->root_path() + "/a"), "1");
  EXPECT_EQ(source_.Opened(base), 0);  // by this process; the child unpacked it
}

TEST_F(SnapshotStoreTest, ForgetsWhatAnEarlierBootMayNotHaveWritten) {
  const Layer base = source_.Add({{"a", "1"}});
  Acquire({base});
  std::string record;
  for (const auto& entry : fs::directory_iterator(scratch_.Join("store/i"))) record = entry.path().string();
  const std::string unsynced = ReadFile(record);
  Reopen({});  // closing syncs
  EXPECT_NE(ReadFile(record), unsynced);
  OpenView({base});
  EXPECT_EQ(source_.Opened(base), 1);
  store_.reset();
  WriteFile(record, "strata-layer-1\n" + base.diff_id.ToString() + "\n1\n0\nanother-boot\nend\n");
  Reopen({});
  OpenView({base});
  EXPECT_EQ(source_.Opened(base), 2);
}

TEST_F(SnapshotStoreTest, OneBuilderAFolder) {
  EXPECT_THAT(OverlayStore::Open({.root = scratch_.Join("store")}, source_), StatusIs(absl::StatusCode::kFailedPrecondition, "in use by another builder"));
}

TEST_F(SnapshotStoreTest, StopsWhenCancelled) {
  const Layer big = source_.Add({{"a", std::string(3'000'000, 'a')}});
  Cancellation cancellation;
  CallContext context;
  context.cancellation = &cancellation;
  cancellation.Cancel();
  EXPECT_THAT(store_->Acquire(context, {big}, nullptr), StatusIs(absl::StatusCode::kCancelled, ""));
  int64_t last = 0;
  ASSERT_OK(store_->Acquire({}, {big}, [&](const Layer& layer, int64_t current, int64_t total) {
    EXPECT_EQ(layer.diff_id, big.diff_id);
    EXPECT_EQ(total, big.size_bytes);
    last = current;
  }));
  EXPECT_EQ(last, big.size_bytes);
}

TEST_F(SnapshotStoreTest, WorkspacesAreCheap) {
  const auto stack = Acquire({source_.Add({{"a", "1"}}), source_.Add({{"b", "2"}})});
  constexpr int kRounds = 200;
  absl::Duration create;
  absl::Duration destroy;
  for (int i = 0; i < kRounds; ++i) {
    const absl::Time start = absl::Now();
    ASSERT_OK_AND_ASSIGN(auto workspace, store_->CreateWorkspace(stack));
    const absl::Time made = absl::Now();
    workspace.reset();
    create += made - start;
    destroy += absl::Now() - made;
  }
  std::cout << "workspace: create " << create / kRounds << ", destroy " << destroy / kRounds << std::endl;
}

}  // namespace
}  // namespace strata::snapshot
