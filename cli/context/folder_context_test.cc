#include "cli/context/folder_context.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "lib/base/cancellation.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::cli {
namespace {

using ::testing::ElementsAre;
using testing::ScratchDir;
using testing::StatusIs;
using testing::WriteFile;

ContextFilter Filter(const std::vector<std::string>& include, absl::string_view ignore = "") {
  return *ContextFilter::Create(include, *glob::IgnoreMatcher::Parse(ignore));
}

std::vector<std::string> Paths(const absl::StatusOr<std::vector<ContextEntry>>& entries) {
  std::vector<std::string> paths;
  if (!entries.ok()) return {entries.status().ToString()};
  for (const ContextEntry& entry : *entries) paths.push_back(entry.path);
  return paths;
}

class FolderContextTest : public ::testing::Test {
 protected:
  FolderContextTest() : context_(*FolderContext::Open(scratch_.path())) {}

  ScratchDir scratch_;
  std::unique_ptr<FolderContext> context_;
};

TEST_F(FolderContextTest, ListsInByteOrderWithModesAndDigests) {
  WriteFile(scratch_.Join("a/b"), "content");
  WriteFile(scratch_.Join("a-b"), "");
  ASSERT_EQ(::chmod(scratch_.Join("a/b").c_str(), 04755), 0);
  ASSERT_OK_AND_ASSIGN(const auto entries, context_->List({}, Filter({"."})));
  ASSERT_THAT(Paths(entries), ElementsAre("a", "a-b", "a/b"));
  EXPECT_TRUE(S_ISDIR(entries[0].mode));
  EXPECT_TRUE(entries[0].digest.is_empty());
  EXPECT_EQ(entries[1].digest, Digest::Of(""));
  EXPECT_EQ(entries[2].mode, static_cast<uint32_t>(S_IFREG | 04755));
  EXPECT_EQ(entries[2].size_bytes, 7);
  EXPECT_EQ(entries[2].digest, Digest::Of("content"));
  EXPECT_GT(entries[2].mtime_ns, 0);
}

TEST_F(FolderContextTest, AppliesIgnoreRulesAndKeepsFoldersAboveExceptions) {
  WriteFile(scratch_.Join("src/main.c"), "x");
  WriteFile(scratch_.Join("src/main.o"), "x");
  WriteFile(scratch_.Join("vendor/a/b/keep.txt"), "x");
  WriteFile(scratch_.Join("vendor/a/drop.txt"), "x");
  WriteFile(scratch_.Join("vendor/z/drop.txt"), "x");
  EXPECT_THAT(Paths(context_->List({}, Filter({"."}, "**/*.o\nvendor\n!vendor/a/b/keep.txt\n"))),
              ElementsAre("src", "src/main.c", "vendor", "vendor/a", "vendor/a/b", "vendor/a/b/keep.txt"));
}

TEST_F(FolderContextTest, NeverEntersWhatCannotMatter) {
  WriteFile(scratch_.Join("src/main.c"), "x");
  WriteFile(scratch_.Join("secret/key"), "x");
  // An unreadable folder would fail the walk (unless root reads it anyway); a pruned one is not even opened.
  ASSERT_EQ(::chmod(scratch_.Join("secret").c_str(), 0), 0);
  EXPECT_THAT(Paths(context_->List({}, Filter({"src/*.c"}))), ElementsAre("src", "src/main.c"));
  EXPECT_THAT(Paths(context_->List({}, Filter({"."}, "secret"))), ElementsAre("src", "src/main.c"));
  ASSERT_EQ(::chmod(scratch_.Join("secret").c_str(), 0700), 0);
}

TEST_F(FolderContextTest, SendsLinksAsLinks) {
  WriteFile(scratch_.Join("real/file"), "x");
  ASSERT_EQ(::symlink("real", scratch_.Join("dir").c_str()), 0);
  ASSERT_EQ(::symlink("/etc/passwd", scratch_.Join("out").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", scratch_.Join("broken").c_str()), 0);
  ASSERT_OK_AND_ASSIGN(const auto entries, context_->List({}, Filter({"."})));
  ASSERT_THAT(Paths(entries), ElementsAre("broken", "dir", "out", "real", "real/file"));
  EXPECT_EQ(entries[1].link_target, "real");
  EXPECT_EQ(entries[2].link_target, "/etc/passwd");
  EXPECT_TRUE(S_ISLNK(entries[2].mode));
  EXPECT_EQ(context_->LinkTarget("dir"), "real");
  EXPECT_EQ(context_->LinkTarget("real/file"), std::nullopt);
  EXPECT_EQ(context_->LinkTarget("dir/file"), std::nullopt);
  EXPECT_THAT(context_->FolderNames(""), ElementsAre("broken", "dir", "out", "real"));
  EXPECT_THAT(context_->FolderNames("dir"), ElementsAre());
}

TEST_F(FolderContextTest, LeavesSocketsOut) {
  WriteFile(scratch_.Join("a"), "x");
  const UniqueFd folder(::open(scratch_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/s", folder.get());
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::mkfifo(scratch_.Join("pipe").c_str(), 0644), 0);
  EXPECT_THAT(Paths(context_->List({}, Filter({"."}))), ElementsAre("a", "pipe"));
}

TEST_F(FolderContextTest, HashesManyFilesOfAllSizes) {
  const std::string big(3 * 1024 * 1024 + 17, 'z');
  WriteFile(scratch_.Join("big"), big);
  for (int i = 0; i < 500; ++i) WriteFile(scratch_.Join("many/" + std::to_string(i)), std::to_string(i));
  ASSERT_OK_AND_ASSIGN(const auto entries, context_->List({}, Filter({"."})));
  ASSERT_EQ(entries.size(), 502u);
  EXPECT_EQ(entries[0].digest, Digest::Of(big));
  for (const ContextEntry& entry : entries) {
    if (!entry.path.starts_with("many/")) continue;
    EXPECT_EQ(entry.digest, Digest::Of(entry.path.substr(5)));
  }
}

TEST_F(FolderContextTest, GivesTheContentThatWasListed) {
  WriteFile(scratch_.Join("a"), "hello");
  ASSERT_OK_AND_ASSIGN(const auto entries, context_->List({}, Filter({"."})));
  ASSERT_OK_AND_ASSIGN(const auto source, context_->Open(entries[0]));
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadAll(*source, 100));
  EXPECT_EQ(text, "hello");
}

TEST_F(FolderContextTest, NoticesFilesThatChangeOrVanish) {
  WriteFile(scratch_.Join("grows"), "hello");
  WriteFile(scratch_.Join("vanishes"), "hello");
  WriteFile(scratch_.Join("during"), "hello");
  ASSERT_OK_AND_ASSIGN(const auto entries, context_->List({}, Filter({"."})));
  ASSERT_OK_AND_ASSIGN(const auto source, context_->Open(entries[0]));
  WriteFile(scratch_.Join("grows"), "hello again");
  ASSERT_EQ(::unlink(scratch_.Join("vanishes").c_str()), 0);
  WriteFile(scratch_.Join("during"), "hello again");
  EXPECT_THAT(context_->Open(entries[1]), StatusIs(absl::StatusCode::kAborted, "\"grows\" changed"));
  EXPECT_THAT(context_->Open(entries[2]), StatusIs(absl::StatusCode::kAborted, "\"vanishes\" changed"));
  EXPECT_THAT(ReadAll(*source, 100), StatusIs(absl::StatusCode::kAborted, "\"during\" changed"));
}

TEST_F(FolderContextTest, ALinkThatTookTheFilesPlaceIsNotFollowed) {
  WriteFile(scratch_.Join("a"), "hello");
  ASSERT_OK_AND_ASSIGN(const auto entries, context_->List({}, Filter({"."})));
  ASSERT_EQ(::unlink(scratch_.Join("a").c_str()), 0);
  ASSERT_EQ(::symlink("/etc/passwd", scratch_.Join("a").c_str()), 0);
  EXPECT_THAT(context_->Open(entries[0]), StatusIs(absl::StatusCode::kAborted, "\"a\" changed"));
}

TEST_F(FolderContextTest, StopsWhenCancelled) {
  WriteFile(scratch_.Join("a"), "x");
  Cancellation cancellation;
  cancellation.Cancel();
  CallContext call;
  call.cancellation = &cancellation;
  EXPECT_THAT(context_->List(call, Filter({"."})), StatusIs(absl::StatusCode::kCancelled, ""));
}

TEST_F(FolderContextTest, ReadsSmallFilesWithinTheRoot) {
  WriteFile(scratch_.Join("docker/app"), "FROM x");
  ASSERT_EQ(::symlink("docker/app", scratch_.Join("Dockerfile").c_str()), 0);
  ASSERT_OK_AND_ASSIGN(const auto text, context_->ReadFile("Dockerfile", 100));
  EXPECT_EQ(text, "FROM x");
  ASSERT_OK_AND_ASSIGN(const auto none, context_->ReadFile("no/such", 100));
  EXPECT_EQ(none, std::nullopt);
  EXPECT_THAT(context_->ReadFile("Dockerfile", 3), StatusIs(absl::StatusCode::kResourceExhausted, "Dockerfile"));
}

TEST(FolderContextOpenTest, SaysWhatIsWrongWithThePath) {
  ScratchDir scratch;
  WriteFile(scratch.Join("file"), "x");
  EXPECT_THAT(FolderContext::Open(scratch.Join("none")), StatusIs(absl::StatusCode::kNotFound, "no such folder"));
  EXPECT_THAT(FolderContext::Open(scratch.Join("file")), StatusIs(absl::StatusCode::kInvalidArgument, "is not a folder"));
}

}  // namespace
}  // namespace strata::cli
