#include "cli/progress/progress_view.h"

#include <cstdlib>

#include "cli/progress/frame.h"
#include "cli/progress/step_board.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/fake_clock.h"
#include "lib/testing/scratch_dir.h"

namespace strata::cli {
namespace {

using builder::v1::Progress;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::FakeClock;

// A step in a state; `took_ms` of an ended one.
Progress Step(uint32_t id, const std::string& name, builder::v1::StepState state, int64_t took_ms = 0, const std::string& error = "") {
  Progress progress;
  auto* step = progress.add_steps();
  step->set_id(id);
  step->set_name(name);
  step->set_state(state);
  step->set_error(error);
  if (took_ms > 0) {
    step->mutable_started()->set_seconds(50);
    step->mutable_ended()->set_seconds(50 + took_ms / 1000);
    step->mutable_ended()->set_nanos(static_cast<int32_t>(took_ms % 1000) * 1'000'000);
  }
  return progress;
}

Progress Log(uint32_t id, const std::string& data) {
  Progress progress;
  auto* log = progress.add_logs();
  log->set_step_id(id);
  log->set_stream(1);
  log->set_data(data);
  return progress;
}

Progress Bytes(uint32_t id, const std::string& what, int64_t current, int64_t total) {
  Progress progress;
  auto* bytes = progress.add_bytes();
  bytes->set_step_id(id);
  bytes->set_what(what);
  bytes->set_current_bytes(current);
  bytes->set_total_bytes(total);
  return progress;
}

Progress Warn() {
  Progress progress;
  auto* warning = progress.add_warnings();
  warning->set_rule("JSONArgsRecommended");
  warning->set_message("use JSON");
  warning->set_file("Dockerfile");
  warning->set_first_line(9);
  return progress;
}

TEST(PlainViewTest, WritesTheLogOfABuild) {
  std::string text;
  StringSink sink(&text);
  FakeClock clock;
  const auto view = MakePlainView(sink, clock);
  view->Update(Step(1, "resolve busybox:latest", builder::v1::STEP_STATE_RUNNING));
  view->Update(Log(1, "half "));
  view->Update(Log(1, "a line"));
  view->Update(Step(1, "", builder::v1::STEP_STATE_DONE, 340));
  view->Update(Step(2, "[build 2/3] RUN make", builder::v1::STEP_STATE_RUNNING));
  clock.Advance(absl::Milliseconds(500));
  view->Update(Log(2, "cc -c main.c\ncc -c lib.c\n"));
  view->Update(Step(3, "transferring context", builder::v1::STEP_STATE_RUNNING));
  view->Update(Bytes(3, "", 1000, 12'000'000));
  clock.Advance(absl::Milliseconds(5500));
  view->Update(Bytes(3, "", 3'141'592, 12'000'000));
  view->Update(Bytes(3, "transferring", 12'000'000, 12'000'000));
  view->Update(Step(3, "", builder::v1::STEP_STATE_DONE, 1500));
  clock.Advance(absl::Seconds(1));
  view->Update(Log(2, "main.c:3: error\x1b[2J\r\n"));
  view->Update(Step(2, "", builder::v1::STEP_STATE_FAILED, 7000, "process \"make\" failed: exit code 2\nDockerfile:7"));
  view->Update(Step(4, "[2/2] COPY . .", builder::v1::STEP_STATE_CACHED));
  view->Update(Step(4, "[2/2] COPY . .", builder::v1::STEP_STATE_CACHED));
  view->Update(Warn());
  view->Update(Step(5, "[3/3] RUN late", builder::v1::STEP_STATE_CANCELLED));
  view->Finish();
  EXPECT_EQ(text, testing::ReadFile("cli/progress/testdata/build.txt"));
}

TEST(JsonViewTest, WritesOneObjectALine) {
  std::string text;
  StringSink sink(&text);
  FakeClock clock(absl::FromUnixSeconds(0));
  const auto view = MakeJsonView(sink, clock);
  view->Update(Step(1, "RUN \"x\"", builder::v1::STEP_STATE_RUNNING));
  view->Update(Log(1, "a\nb\n"));
  view->Update(Bytes(1, "pushing", 1, 2));
  view->Update(Step(1, "", builder::v1::STEP_STATE_FAILED, 1500, "no"));
  view->Update(Warn());
  view->Finish();
  EXPECT_EQ(text,
            R"({"type":"step","time":"1970-01-01T00:00:00+00:00","step":1,"name":"RUN \"x\"","state":"running"})" "\n"
            R"({"type":"log","time":"1970-01-01T00:00:00+00:00","step":1,"stream":"stdout","text":"a\nb\n"})" "\n"
            R"({"type":"bytes","time":"1970-01-01T00:00:00+00:00","step":1,"what":"pushing","current_bytes":1,"total_bytes":2})" "\n"
            R"({"type":"step","time":"1970-01-01T00:00:00+00:00","step":1,"name":"RUN \"x\"","state":"failed","seconds":1.5,"error":"no"})" "\n"
            R"({"type":"warning","time":"1970-01-01T00:00:00+00:00","rule":"JSONArgsRecommended","message":"use JSON","file":"Dockerfile","line":9})" "\n");
}

class FrameTest : public ::testing::Test {
 protected:
  FrameTest() {
    board_.Apply(Step(1, "[1/3] FROM busybox", builder::v1::STEP_STATE_CACHED), start_);
    board_.Apply(Step(2, "[2/3] COPY . .", builder::v1::STEP_STATE_DONE, 1200), start_);
    board_.Apply(Step(3, "[3/3] RUN make all the things", builder::v1::STEP_STATE_RUNNING), start_);
    board_.Apply(Step(4, "export", builder::v1::STEP_STATE_WAITING), start_);
    board_.Apply(Log(3, "one\ntwo\nthree\nfour\nfive\n"), start_);
    board_.Apply(Bytes(3, "unpacking", 3'000'000, 0), start_);
  }
  std::vector<std::string> Draw(int columns, int rows, bool utf8 = true, bool final = false) {
    return DrawFrame(board_, {columns, rows},
                     {.title = "Building", .utf8 = utf8, .final = final, .started = start_, .now = start_ + absl::Seconds(3)});
  }

  const absl::Time start_ = absl::FromUnixSeconds(1000);
  StepBoard board_;
};

TEST_F(FrameTest, ShowsStepsTimesBytesAndLastLines) {
  EXPECT_THAT(Draw(51, 24), ElementsAre("Building 3.0s  2/4 steps",                            //
                                        "  ✓ [1/3] FROM busybox                      cached",  //
                                        "  ✓ [2/3] COPY . .                            1.2s",  //
                                        "  ▸ [3/3] RUN make all the things             3.0s",  //
                                        "      unpacking 3MB",                                 //
                                        "      │ two", "      │ three", "      │ four", "      │ five"));
}

TEST_F(FrameTest, FitsANarrowScreen) {
  EXPECT_THAT(Draw(21, 24), ElementsAre("Building 3.0s  2/4 …", "  ✓ [1/3] FROM busy…", "  ✓ [2/3] COPY . .", "  ▸ [3/3] RUN make …",
                                        "      unpacking 3MB", "      │ two", "      │ three", "      │ four", "      │ five"));
}

TEST_F(FrameTest, FitsALowScreenByHidingWhatIsDone) {
  EXPECT_THAT(Draw(51, 6, false), ElementsAre("Building 3.0s  2/4 steps",                            //
                                              "  ... 2 more",                                        //
                                              "  > [3/3] RUN make all the things             3.0s",  //
                                              "      unpacking 3MB",                                 //
                                              "      | five"));
}

TEST_F(FrameTest, TheLastPictureKeepsTheOutputOfWhatFailed) {
  board_.Apply(Step(3, "", builder::v1::STEP_STATE_FAILED, 3000, "exit code 2"), start_);
  EXPECT_THAT(Draw(51, 4, true, true), ElementsAre("Building 3.0s  3/4 steps",                            //
                                                   "  ✓ [1/3] FROM busybox                      cached",  //
                                                   "  ✓ [2/3] COPY . .                            1.2s",  //
                                                   "  ✗ [3/3] RUN make all the things             3.0s",  //
                                                   "      unpacking 3MB",                                 //
                                                   "      │ one", "      │ two", "      │ three", "      │ four", "      │ five"));
}

TEST(LiveViewTest, LeavesTheFinalStateAndTheCursor) {
  std::string text;
  StringSink sink(&text);
  FakeClock clock;
  const auto view = MakeLiveView(sink, clock, {.title = "Building", .utf8 = false});
  view->Update(Step(1, "[1/1] RUN x\x1b[2J", builder::v1::STEP_STATE_DONE, 1500));
  view->Finish();
  EXPECT_TRUE(text.starts_with("\x1b[?25l"));
  EXPECT_TRUE(text.ends_with("\x1b[J\x1b[?25h"));
  EXPECT_THAT(text, HasSubstr("  + [1/1] RUN x"));
  EXPECT_THAT(text, HasSubstr("1.5s"));
  EXPECT_EQ(text.find("\x1b[2J"), std::string::npos);
}

TEST(StepBoardTest, BoundsWhatAStepKeeps) {
  StepBoard board;
  board.Apply(Step(1, "a", builder::v1::STEP_STATE_RUNNING), absl::Now());
  for (int i = 0; i < 100; ++i) board.Apply(Log(1, "line\n"), absl::Now());
  EXPECT_EQ(board.Find(1)->last_lines.size(), StepBoard::kKeptLines);
  std::string open;
  EXPECT_EQ(TakeLines(open, std::string(200'000, 'x')).size(), 3u);
  EXPECT_LT(open.size(), 64u * 1024);
}

}  // namespace
}  // namespace strata::cli
