#include "lib/config/parser.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using strata::testing::StatusIs;
constexpr auto kBad = absl::StatusCode::kInvalidArgument;

class ParserTest : public ::testing::Test {
 protected:
  ParserTest() {
    parser_.Add(&name_, {.flag = "name", .short_flag = 'n', .env = "T_NAME", .help = "A name."});
    parser_.Add(&verbose_, {.flag = "verbose", .short_flag = 'v', .env = "T_VERBOSE", .help = "Say more."});
    parser_.Add(&count_, {.flag = "count", .env = "T_COUNT", .help = "How many."});
    parser_.Add(&grace_, {.flag = "grace", .env = "T_GRACE", .help = "How long."});
    parser_.Add(&size_, {.flag = "size", .env = "T_SIZE", .help = "How big."});
    parser_.Add(&listen_, {.flag = "listen", .short_flag = 'l', .env = "T_LISTEN", .value_name = "ADDRESS", .help = "Where."});
    parser_.Add(&format_, {.flag = "format", .help = "Which.", .one_of = {"text", "json"}});
    parser_.Add(&token_, {.flag = "token", .env = "T_TOKEN", .help = "Secret.", .is_secret = true});
    parser_.AddConfigFile("T_CONFIG", "");
    parser_.SetEnvironment([this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    });
  }
  std::string File(const std::string& text) {
    strata::testing::WriteFile(dir_.Join("t.conf"), text);
    return dir_.Join("t.conf");
  }

  std::string name_ = "nobody";
  bool verbose_ = false;
  int64_t count_ = 3;
  absl::Duration grace_ = absl::Hours(24);
  ByteSize size_{1 << 20};
  std::vector<std::string> listen_ = {"127.0.0.1:1"};
  std::string format_ = "text";
  std::string token_ = "hunter2";
  std::map<std::string, std::string> environment_;
  strata::testing::ScratchDir dir_;
  Parser parser_{"prog", "What it is."};
};

TEST_F(ParserTest, DefaultsStayWhenNothingIsSaid) {
  ASSERT_OK_AND_ASSIGN(const Parsed parsed, parser_.Parse(std::vector<std::string>()));
  EXPECT_TRUE(parsed.positional.empty());
  EXPECT_EQ(name_, "nobody");
  EXPECT_THAT(listen_, ElementsAre("127.0.0.1:1"));
}

TEST_F(ParserTest, EverySpellingOfAFlag) {
  ASSERT_OK_AND_ASSIGN(const Parsed parsed,
                       parser_.Parse({"--name=a=b", "-v", "--count", "-7", "--grace", "90s", "--size=10GiB", "-l", "x", "-ly,z",
                                      "pos", "-", "--", "--name"}));
  EXPECT_EQ(name_, "a=b");
  EXPECT_TRUE(verbose_);
  EXPECT_EQ(count_, -7);
  EXPECT_EQ(grace_, absl::Seconds(90));
  EXPECT_EQ(size_.bytes, int64_t{10} << 30);
  EXPECT_THAT(listen_, ElementsAre("x", "y,z"));
  EXPECT_THAT(parsed.positional, ElementsAre("pos", "-", "--name"));
}

TEST_F(ParserTest, SwitchesCanBeJoined) {
  ASSERT_OK(parser_.Parse({"-vl", "x"}));
  EXPECT_TRUE(verbose_);
  EXPECT_THAT(listen_, ElementsAre("x"));
  EXPECT_THAT(parser_.Parse({"-v?"}), StatusIs(absl::StatusCode::kInvalidArgument, "-?"));
}

TEST_F(ParserTest, BoolsCanBeSwitchedOff) {
  environment_["T_VERBOSE"] = "yes";
  ASSERT_OK(parser_.Parse({"--no-verbose"}));
  EXPECT_FALSE(verbose_);
  ASSERT_OK(parser_.Parse({"--verbose=true"}));
  EXPECT_TRUE(verbose_);
}

TEST_F(ParserTest, FlagsWinOverEnvironmentOverFile) {
  const std::string path = File("# comment\nname = \"from # file\"\ncount=5 # five\ngrace = 1h\nlisten = a, b\n");
  environment_["T_COUNT"] = "6";
  environment_["T_GRACE"] = "2h";
  environment_["T_SIZE"] = "";
  ASSERT_OK(parser_.Parse({"--grace=3h", "--config", path}));
  EXPECT_EQ(name_, "from # file");
  EXPECT_EQ(count_, 6);
  EXPECT_EQ(grace_, absl::Hours(3));
  EXPECT_THAT(listen_, ElementsAre("a", "b"));
  EXPECT_THAT(parser_.Describe(), HasSubstr("grace = 3h  # --grace\n"));
  EXPECT_THAT(parser_.Describe(), HasSubstr("count = 6  # T_COUNT\n"));
  EXPECT_THAT(parser_.Describe(), HasSubstr(":2\n"));
  EXPECT_THAT(parser_.Describe(), ::testing::Not(HasSubstr("hunter2")));
}

TEST_F(ParserTest, AListFromAFlagReplacesTheOneFromTheEnvironment) {
  environment_["T_LISTEN"] = "a,b";
  ASSERT_OK(parser_.Parse({"--listen=c"}));
  EXPECT_THAT(listen_, ElementsAre("c"));
}

TEST_F(ParserTest, ErrorsNameTheOrigin) {
  EXPECT_THAT(parser_.Parse({"--count=many"}), StatusIs(kBad, "--count: \"many\" is not a whole number"));
  EXPECT_THAT(parser_.Parse({"--count"}), StatusIs(kBad, "--count: a value is missing"));
  EXPECT_THAT(parser_.Parse({"--lisen=x"}), StatusIs(kBad, "unknown flag \"--lisen\"; did you mean \"--listen\"?"));
  EXPECT_THAT(parser_.Parse({"-q"}), StatusIs(kBad, "unknown flag \"-q\""));
  EXPECT_THAT(parser_.Parse({"--format=xml"}), StatusIs(kBad, "--format: \"xml\" is none of text, json"));
  EXPECT_THAT(parser_.Parse({"--grace=-1s"}), StatusIs(kBad, "--grace: \"-1s\" is not a duration"));
  environment_["T_SIZE"] = "big";
  EXPECT_THAT(parser_.Parse(std::vector<std::string>()), StatusIs(kBad, "T_SIZE: \"big\" is not a size"));
}

TEST_F(ParserTest, ErrorsOfTheFileNameTheLine) {
  EXPECT_THAT(parser_.Parse({"--config", File("\n\ncount = x\n")}), StatusIs(kBad, "t.conf:3: \"x\" is not a whole number"));
  EXPECT_THAT(parser_.Parse({"--config", File("cuont = 1\n")}), StatusIs(kBad, "t.conf:1: unknown key \"cuont\"; did you mean \"count\"?"));
  EXPECT_THAT(parser_.Parse({"--config", File("count\n")}), StatusIs(kBad, "t.conf:1: want \"key = value\""));
  EXPECT_THAT(parser_.Parse({"--config", File("count=1\ncount=2\n")}), StatusIs(kBad, "t.conf:2: \"count\" is set a second time"));
  EXPECT_THAT(parser_.Parse({"--config", dir_.Join("absent")}), StatusIs(kBad, "absent: No such file"));
  environment_["T_CONFIG"] = dir_.Join("absent");
  EXPECT_THAT(parser_.Parse(std::vector<std::string>()), StatusIs(kBad, "T_CONFIG: "));
}

TEST_F(ParserTest, SubCommandsKeepTheirFlags) {
  parser_.StopAtFirstPositional();
  ASSERT_OK_AND_ASSIGN(const Parsed parsed, parser_.Parse({"-v", "build", "-t", "app", "--help"}));
  EXPECT_THAT(parsed.positional, ElementsAre("build", "-t", "app", "--help"));
  EXPECT_FALSE(parsed.wants_help);
}

TEST_F(ParserTest, HelpSetsNothing) {
  ASSERT_OK_AND_ASSIGN(const Parsed parsed, parser_.Parse({"--name=x", "-h", "--bogus"}));
  EXPECT_TRUE(parsed.wants_help);
  EXPECT_EQ(name_, "nobody");
}

TEST_F(ParserTest, HelpShowsDefaultsAndVariables) {
  const std::string help = parser_.Help();
  EXPECT_THAT(help, HasSubstr("Usage: prog [flags]\n\nWhat it is.\n\nFlags:\n"));
  EXPECT_THAT(help, HasSubstr("  -l, --listen ADDRESS  Where. May be given several times. [env T_LISTEN; default 127.0.0.1:1]\n"));
  EXPECT_THAT(help, HasSubstr("  -v, --verbose         Say more. [env T_VERBOSE]\n"));
  EXPECT_THAT(help, HasSubstr("      --size SIZE       How big. [env T_SIZE; default 1MiB]\n"));
  EXPECT_THAT(help, HasSubstr("One of text, json. [default text]"));
  EXPECT_THAT(help, ::testing::Not(HasSubstr("hunter2")));
}

TEST(ByteSizeTest, ReadsAndShowsSizes) {
  const std::pair<const char*, int64_t> cases[] = {{"0", 0},         {"4096", 4096},   {"10GiB", int64_t{10} << 30}, {"1k", 1024},
                                                   {"1.5 MiB", 1572864}, {"2MB", 2000000}, {"9223372036854775807", INT64_MAX}, {"5B", 5}};
  for (const auto& [text, want] : cases) {
    SCOPED_TRACE(text);
    ASSERT_OK_AND_ASSIGN(const ByteSize size, ParseByteSize(text));
    EXPECT_EQ(size.bytes, want);
    ASSERT_OK_AND_ASSIGN(const ByteSize again, ParseByteSize(FormatByteSize(size)));
    EXPECT_EQ(again, size);
  }
  for (const char* text : {"", "x", "GiB", "1.2.3", "-1", "1PiB", "99999999TiB", "1kx", "0.3"}) {
    EXPECT_THAT(ParseByteSize(text), StatusIs(kBad, "is not a size")) << text;
  }
}

}  // namespace
}  // namespace strata::config
