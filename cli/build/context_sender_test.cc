#include "cli/build/context_sender.h"

#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "cli/context/folder_context.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::cli {
namespace {

using builder::v1::BuildRequest;
using ::testing::ElementsAre;
using testing::ScratchDir;
using testing::StatusIs;
using testing::WriteFile;

// Collects what is sent; WaitFor() lets a test wait for a message instead of for time.
class Recorder {
 public:
  bool Take(const BuildRequest& message) {
    MutexLock lock(mutex_);
    messages_.push_back(message);
    changed_.SignalAll();
    return true;
  }
  std::vector<BuildRequest> WaitFor(const std::function<bool(const std::vector<BuildRequest>&)>& enough) {
    MutexLock lock(mutex_);
    while (!enough(messages_)) changed_.Wait(mutex_);
    return messages_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<BuildRequest> messages_ ABSL_GUARDED_BY(mutex_);
};

bool EndCame(const std::vector<BuildRequest>& messages) { return !messages.empty() && messages.back().has_context_end(); }

// Whether the last piece of `id` came.
auto LastOf(uint32_t id) {
  return [id](const std::vector<BuildRequest>& messages) {
    for (const BuildRequest& message : messages) {
      for (const auto& piece : message.file_data().pieces()) {
        if (piece.id() == id && piece.last()) return true;
      }
    }
    return false;
  };
}

builder::v1::ContextQuery Everything() {
  builder::v1::ContextQuery query;
  query.add_include(".");
  return query;
}

class ContextSenderTest : public ::testing::Test {
 protected:
  void Start(absl::string_view ignore = "") {
    context_ = *FolderContext::Open(scratch_.path());
    sender_ = std::make_unique<ContextSender>(
        CallContext{}, context_.get(), *glob::IgnoreMatcher::Parse(ignore), [this](const BuildRequest& m) { return recorder_.Take(m); },
        [this] { recorder_.Take(BuildRequest()); });
  }
  std::map<std::string, uint32_t> List() {
    sender_->Answer(Everything());
    std::map<std::string, uint32_t> ids;
    for (const BuildRequest& message : recorder_.WaitFor(EndCame)) {
      for (const auto& entry : message.context_entries().entries()) ids[entry.path()] = entry.id();
    }
    return ids;
  }

  ScratchDir scratch_;
  Recorder recorder_;
  std::unique_ptr<FolderContext> context_;
  std::unique_ptr<ContextSender> sender_;
};

TEST_F(ContextSenderTest, SendsManySmallFilesInOneMessageAndBigOnesInPieces) {
  const std::string big(2'500'000, 'b');
  WriteFile(scratch_.Join("big"), big);
  std::string expected_small;
  for (int i = 0; i < 300; ++i) WriteFile(scratch_.Join("s" + std::to_string(1000 + i)), std::to_string(i));
  Start();
  const auto ids = List();
  ASSERT_EQ(ids.size(), 301u);
  builder::v1::FileQuery query;
  for (const auto& [path, id] : ids) query.add_ids(id);
  sender_->Answer(query);
  std::map<uint32_t, std::string> got;
  int data_messages = 0;
  for (const BuildRequest& message : recorder_.WaitFor(LastOf(300))) {
    size_t bytes = 0;
    for (const auto& piece : message.file_data().pieces()) {
      got[piece.id()] += piece.data();
      bytes += piece.data().size();
      EXPECT_EQ(piece.error(), "");
    }
    EXPECT_LE(bytes, 1024u * 1024);
    data_messages += message.has_file_data() ? 1 : 0;
  }
  EXPECT_EQ(data_messages, 3);
  EXPECT_EQ(got[ids.at("big")], big);
  EXPECT_EQ(got[ids.at("s1007")], "7");
}

TEST_F(ContextSenderTest, ReportsFilesThatCannotBeSentInTheirPlace) {
  WriteFile(scratch_.Join("a"), "first");
  WriteFile(scratch_.Join("b"), "second");
  WriteFile(scratch_.Join("empty"), "");
  Start();
  const auto ids = List();
  WriteFile(scratch_.Join("a"), "longer than first");
  builder::v1::FileQuery query;
  for (const uint32_t id : {ids.at("a"), 99u, ids.at("empty"), ids.at("b")}) query.add_ids(id);
  sender_->Answer(query);
  std::map<uint32_t, builder::v1::FileData::Piece> pieces;
  for (const BuildRequest& message : recorder_.WaitFor(LastOf(ids.at("b")))) {
    for (const auto& piece : message.file_data().pieces()) pieces[piece.id()] = piece;
  }
  EXPECT_THAT(pieces[ids.at("a")].error(), ::testing::HasSubstr("\"a\" changed while"));
  EXPECT_THAT(pieces[99].error(), ::testing::HasSubstr("not a listed file"));
  EXPECT_EQ(pieces[ids.at("empty")].error(), "");
  EXPECT_TRUE(pieces[ids.at("empty")].last());
  EXPECT_EQ(pieces[ids.at("b")].data(), "second");
}

TEST_F(ContextSenderTest, AppliesIgnoreRules) {
  WriteFile(scratch_.Join("keep"), "x");
  WriteFile(scratch_.Join("drop.o"), "x");
  Start("*.o");
  const auto ids = List();
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_TRUE(ids.contains("keep"));
}

TEST_F(ContextSenderTest, SplitsALongListing) {
  for (int i = 0; i < 6000; ++i) WriteFile(scratch_.Join("d/" + std::string(20, 'n') + std::to_string(i)), "");
  Start();
  EXPECT_EQ(List().size(), 6001u);
  const auto messages = recorder_.WaitFor(EndCame);
  EXPECT_GT(messages.size(), 2u);
  for (const BuildRequest& message : messages) EXPECT_LT(message.ByteSizeLong(), 600u * 1024);
}

TEST_F(ContextSenderTest, AContextThatCannotBeListedEndsTheCall) {
  Start();
  builder::v1::ContextQuery query;
  query.add_include("a[");
  sender_->Answer(query);
  recorder_.WaitFor([](const auto& messages) { return !messages.empty(); });
  sender_->Stop();
  EXPECT_THAT(sender_->status(), StatusIs(absl::StatusCode::kInvalidArgument, "a["));
}

TEST(ContextSenderNoContextTest, AnEmptyContextHasNoEntries) {
  Recorder recorder;
  ContextSender sender({}, nullptr, {}, [&](const BuildRequest& m) { return recorder.Take(m); }, [] {});
  sender.Answer(Everything());
  EXPECT_EQ(recorder.WaitFor(EndCame).size(), 1u);
}

}  // namespace
}  // namespace strata::cli
