#include "lib/log/log.h"

#include "gtest/gtest.h"
#include "lib/testing/status_matchers.h"

namespace strata::log {
namespace {

using strata::testing::StatusIs;

const absl::Time kTime = absl::FromUnixMillis(1'700'000'000'123);

TEST(LogTest, TextQuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(Render(Format::kText, kTime, Level::kInfo, "upload committed",
                   {{"repository", "team/app"}, {"bytes", 1024}, {"empty", ""}, {"said", "a b"}, {"ok", true}}),
            "time=2023-11-14T22:13:20.123Z level=info msg=\"upload committed\" repository=team/app bytes=1024 empty=\"\" "
            "said=\"a b\" ok=true");
}

TEST(LogTest, JsonKeepsNumbersBare) {
  EXPECT_EQ(Render(Format::kJson, kTime, Level::kError, "bad", {{"n", -3}, {"took", absl::Milliseconds(1500)}}),
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"error\",\"msg\":\"bad\",\"n\":-3,\"took\":\"1.5s\"}");
}

TEST(LogTest, NoValueCanForgeALine) {
  for (const Format format : {Format::kText, Format::kJson}) {
    const std::string line = Render(format, kTime, Level::kInfo, "m", {{"v", "x\nlevel=error \"\\\x01\x7f"}});
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    EXPECT_NE(line.find(R"("x\nlevel=error \"\\\u0001\u007f")"), std::string::npos) << line;
  }
}

TEST(LogTest, LongValuesAreCut) {
  EXPECT_LT(Render(Format::kText, kTime, Level::kInfo, "m", {{"v", std::string(100000, 'x')}}).size(), 4300u);
}

TEST(LogTest, WritesAtTheConfiguredLevelOnly) {
  Configure(Level::kWarning, Format::kText);
  ::testing::internal::CaptureStderr();
  Info("quiet");
  Warning("loud", {{"why", absl::NotFoundError("x")}});
  const std::string output = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(output.find("quiet"), std::string::npos);
  EXPECT_NE(output.find("level=warning msg=\"loud\" why=\"NOT_FOUND: x\"\n"), std::string::npos) << output;
}

TEST(LogTest, NamesOfLevelsAndFormats) {
  ASSERT_OK_AND_ASSIGN(const Level level, ParseLevel("warning"));
  EXPECT_EQ(level, Level::kWarning);
  EXPECT_THAT(ParseLevel("loud"), StatusIs(absl::StatusCode::kInvalidArgument, "\"loud\" is not a log level"));
  EXPECT_THAT(ParseFormat("xml"), StatusIs(absl::StatusCode::kInvalidArgument, "want text or json"));
}

}  // namespace
}  // namespace strata::log
