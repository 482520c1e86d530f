// Kills a process that works on the engine at every commit point in turn, then opens what it left: whatever was acknowledged must
// be there, nothing half-done may be visible, and nothing may leak.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "services/store/engine/engine_testing.h"

namespace strata::store {
namespace {

using blobstore::ManifestReference;

class CrashTest : public EngineTest {
 protected:
  // Runs crash_child until it dies at its `count`th commit point. Returns what it said.
  std::string RunAndKill(int count) {
    int pipe_fds[2];
    EXPECT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
      dup2(pipe_fds[1], STDOUT_FILENO);
      const std::string number = absl::StrCat(count);
      execl("services/store/engine/crash_child", "crash_child", options_.data_dir.c_str(), number.c_str(), nullptr);
      _exit(127);
    }
    close(pipe_fds[1]);
    std::string said;
    StringSink sink(&said);
    FdSource source(pipe_fds[0]);
    EXPECT_OK(CopyBytes(source, sink));
    close(pipe_fds[0]);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) << status;
    return said;
  }

  void Verify(const std::string& said) {
    std::istringstream lines(said);
    std::string line;
    std::string kind;
    std::map<std::string, uint64_t> offsets;
    std::map<std::string, bool> manifests;
    std::map<std::string, std::string> tags;  // where they were, "" nowhere
    std::set<std::pair<size_t, uint32_t>> blobs;
    while (std::getline(lines, line)) {
      SCOPED_TRACE(line);
      std::istringstream words(line);
      std::string name;
      words >> kind;
      if (kind == "blob" || kind == "collecting") {
        std::pair<size_t, uint32_t> blob;
        words >> blob.first >> blob.second;
        if (kind == "blob") blobs.insert(blob);
        if (kind == "collecting") blobs.erase(blob);
      } else if (kind == "upload") {
        words >> name;
        words >> offsets[name];
      } else if (kind == "committing") {
        words >> name;
        offsets.erase(name);
      } else if (kind == "manifest") {
        words >> name;
        manifests[name] = true;
      } else if (kind == "deleting") {
        words >> name;
        manifests.erase(name);
      } else if (kind == "deleted") {
        words >> name;
        manifests[name] = false;
      } else if (kind == "tag") {
        words >> name;
        words >> tags[name];
      } else if (kind == "untagging") {
        words >> name;
        tags.erase(name);
      } else if (kind == "untagged") {
        words >> name;
        tags[name] = "";
      } else if (kind == "record") {
        EXPECT_OK(engine_->GetRecord(context_, "key"));
      }
    }
    for (const auto& [size, seed] : blobs) {
      SCOPED_TRACE(absl::StrCat(size, " ", seed));
      const std::string content = MakeContent(size, seed);
      EXPECT_TRUE(Read("a", Digest::Of(content)) == content);
    }
    for (const auto& [digest, is_there] : manifests) {
      SCOPED_TRACE(digest);
      const auto got = engine_->GetManifest(context_, "a", ManifestReference{"", *Digest::Parse(digest)}, false);
      EXPECT_EQ(got.ok(), is_there) << got.status().ToString();
    }
    for (const auto& [tag, digest] : tags) {
      SCOPED_TRACE(tag);
      const auto now = engine_->GetManifest(context_, "a", ManifestReference{tag, std::nullopt}, true);
      EXPECT_EQ(now.ok() ? now->digest.ToString() : "", digest);
      ExpectHistoryAgrees(tag);
    }
    ExpectHistoryAgrees("t");
    for (const auto& [id, offset] : offsets) {
      SCOPED_TRACE(id);
      const auto info = engine_->GetUpload(context_, "a", id);
      EXPECT_OK(info);
      // More than was acknowledged may be there, never less.
      EXPECT_GE(info.ok() ? info->offset_bytes : 0, offset);
    }
  }

  // The newest entry of a tag's history is where the tag is.
  void ExpectHistoryAgrees(const std::string& tag) {
    const auto now = engine_->GetManifest(context_, "a", ManifestReference{tag, std::nullopt}, true);
    const auto history = engine_->ListTagHistory(context_, "a", tag, 0, 1);
    const std::optional<Digest> last = history.ok() ? history->items[0].digest : std::nullopt;
    EXPECT_EQ(now.ok() ? std::optional(now->digest) : std::nullopt, last);
  }

  // Takes every reference away: a leaked row or file would stay.
  void ExpectNothingLeaks() {
    // Indexes before their children.
    for (const bool is_index : {true, false}) {
      const auto listed = engine_->ListManifests(context_, "a", "", 0);
      for (const auto& manifest : listed.ok() ? listed->items : std::vector<blobstore::ManifestEntry>()) {
        if ((manifest.media_type == kIndexType) == is_index) EXPECT_OK(engine_->DeleteManifest(context_, "a", manifest.digest));
      }
    }
    clock_.Advance(absl::Hours(1000));
    EXPECT_OK(engine_->PruneRecords(context_, clock_.Now()));
    clock_.Advance(absl::Hours(1000));
    EXPECT_OK(engine_->CollectDue());
    EXPECT_TRUE(Extents().empty()) << Extents()[0];
    const auto statistics = Statistics();
    EXPECT_EQ(statistics.blobs, 0);
    EXPECT_EQ(statistics.blob_bytes, 0);
    EXPECT_EQ(statistics.manifests, 0);
    EXPECT_EQ(statistics.tags, 0);
    EXPECT_EQ(statistics.repositories, 0);
    EXPECT_EQ(statistics.open_uploads, 0);
    EXPECT_EQ(statistics.cache_records, 0);
  }
};

TEST_F(CrashTest, EveryCommitPoint) {
  bool has_ended = false;
  int count = 1;
  for (; !has_ended && count < 200; ++count) {
    SCOPED_TRACE(absl::StrCat("killed at commit point ", count));
    engine_.reset();
    std::filesystem::remove_all(options_.data_dir);
    const std::string said = RunAndKill(count);
    has_ended = said.find("end\n") != std::string::npos;
    Reopen();
    ASSERT_NE(engine_, nullptr);
    Verify(said);
    ExpectNothingLeaks();
    if (HasFailure()) break;
  }
  EXPECT_TRUE(has_ended);
  EXPECT_GT(count, 25);
}

}  // namespace
}  // namespace strata::store
