#include "services/builder/dockerfile/parser.h"

#include "absl/strings/str_cat.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/dockerfile/json_array.h"
#include "services/builder/dockerfile/signal.h"
#include "services/builder/dockerfile/suggest.h"

namespace strata::dockerfile {
namespace {

using ::strata::testing::StatusIs;
using ::testing::ElementsAre;

Run ParseRunOrDie(absl::string_view text) {
  absl::StatusOr<Dockerfile> file = Parse(absl::StrCat("FROM a\n", text), "Dockerfile");
  EXPECT_OK(file);
  return file.ok() ? std::get<Run>(file->stages[0].instructions.at(0)) : Run{};
}

TEST(Parser, BoundsLinesFilesAndStages) {
  EXPECT_OK(Parse(absl::StrCat("FROM a\nRUN ", std::string(kMaxLineBytes - 4, 'x'), "\n"), "Dockerfile"));
  EXPECT_THAT(Parse(absl::StrCat("FROM a\nRUN ", std::string(kMaxLineBytes - 3, 'x'), "\n"), "Dockerfile"),
              StatusIs(absl::StatusCode::kInvalidArgument, "Dockerfile:2: dockerfile line greater than max allowed size of 65535 bytes"));
  EXPECT_THAT(Parse(std::string(kMaxFileBytes + 1, '\n'), "Dockerfile"),
              StatusIs(absl::StatusCode::kInvalidArgument, "more than the allowed 16777216"));
  std::string stages;
  for (size_t i = 0; i <= kMaxStages; ++i) stages += "FROM a\n";
  EXPECT_THAT(Parse(stages, "Dockerfile"), StatusIs(absl::StatusCode::kInvalidArgument, "Dockerfile:1001: more than 1000 stages"));
}

TEST(Parser, CheckOptionsOfTheBuildWin) {
  const absl::string_view text = "# check=skip=all\nFROM a as b\n";
  ASSERT_OK_AND_ASSIGN(const Dockerfile quiet, Parse(text, "Dockerfile"));
  EXPECT_TRUE(quiet.warnings.empty());
  ASSERT_OK_AND_ASSIGN(const CheckOptions check, ParseCheckOptions("error=true"));
  ASSERT_OK_AND_ASSIGN(const Dockerfile loud, Parse(text, "Dockerfile", {.check = check}));
  EXPECT_EQ(loud.warnings.size(), 1u);
  EXPECT_TRUE(loud.directives.check.warnings_are_errors);
}

TEST(Parser, ShellTextOfHeredocs) {
  EXPECT_EQ(ShellText(ParseRunOrDie("RUN make  all")), "make  all");
  const dockerfile::Run lone = ParseRunOrDie("RUN <<-EOF\n\ta\n\tb\n\tEOF\n");
  EXPECT_EQ(ShellText(lone), "a\nb\n");
  EXPECT_FALSE(IsScript(lone));
  EXPECT_TRUE(IsScript(ParseRunOrDie("RUN <<'EOF'\n#!/bin/sh\nEOF\n")));
  EXPECT_EQ(ShellText(ParseRunOrDie("RUN cat <<A <<B >/x\n1\nA\n2\nB\n")), "cat <<A <<B >/x\n1\nA\n2\nB");
  EXPECT_FALSE(ParseRunOrDie("RUN <<A>/x\n1\nA\n").is_heredoc_only);
  EXPECT_TRUE(ParseRunOrDie("RUN --network=none <<A\n1\nA\n").is_heredoc_only);
}

TEST(ParseInstruction, ReadsTriggersBack) {
  ASSERT_OK_AND_ASSIGN(const Dockerfile file,
                       Parse("FROM a\nONBUILD COPY --chmod=600 \\\n <<A b /x\nbody \\\nA\nONBUILD RUN echo\\ \\\n\n", "Dockerfile"));
  const auto& copy_trigger = std::get<Onbuild>(file.stages[0].instructions[0]);
  ASSERT_OK_AND_ASSIGN(const Instruction instruction, ParseInstruction(copy_trigger.trigger));
  const Copy& copy = std::get<Copy>(instruction);
  EXPECT_THAT(copy.sources, ElementsAre("b"));
  ASSERT_EQ(copy.heredocs.size(), 1u);
  EXPECT_EQ(copy.heredocs[0].content, "body \\\n");
  EXPECT_EQ(copy.chmod, "600");
  EXPECT_EQ(copy.range, SourceRange{});
  ASSERT_OK_AND_ASSIGN(const Instruction run, ParseInstruction(std::get<Onbuild>(file.stages[0].instructions[1]).trigger));
  EXPECT_THAT(std::get<dockerfile::Run>(run).command.args, ElementsAre("echo\\"));
}

TEST(ParseInstruction, TakesTriggersLongerThanALine) {
  std::string text = "FROM a\nONBUILD RUN x";
  for (int i = 0; i < 3; ++i) text += "\\\n" + std::string(60000, 'y');
  ASSERT_OK_AND_ASSIGN(const Dockerfile file, Parse(text, "Dockerfile"));
  EXPECT_OK(ParseInstruction(std::get<Onbuild>(file.stages[0].instructions[0]).trigger));
}

TEST(ParseInstruction, SaysWhichTriggerIsWrong) {
  const struct {
    absl::string_view trigger, message;
  } cases[] = {
      {"", "ONBUILD : the trigger is empty"},
      {"FROM x", "ONBUILD FROM x: FROM isn't allowed as an ONBUILD trigger"},
      {"MAINTAINER x", "MAINTAINER isn't allowed as an ONBUILD trigger"},
      {"ONBUILD RUN x", "Chaining ONBUILD"},
      {"NOPE x", "ONBUILD NOPE x: unknown instruction: NOPE"},
      {"COPY x", "ONBUILD COPY x: COPY requires at least two arguments"},
      {"RUN <<E\nx", "ONBUILD RUN <<E: unterminated heredoc"},
      {"RUN a\nRUN b", "holds more than one instruction"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.trigger);
    EXPECT_THAT(ParseInstruction(c.trigger), StatusIs(absl::StatusCode::kInvalidArgument, c.message));
  }
}

TEST(Directives, DetectSyntax) {
  const struct {
    absl::string_view name, text, want;
  } cases[] = {
      {"none", "FROM a\n", ""},
      {"directive", "# syntax=docker/dockerfile:1\nFROM a\n", "docker/dockerfile:1"},
      {"after another", "# escape=`\n#SYNTAX = x y\n", "x"},
      {"too late", "# comment\n# syntax=x\n", ""},
      {"after an interpreter line", "#!/usr/bin/env build\n# syntax=x\n", "x"},
      {"slashes", "// syntax=x\n{}", "x"},
      {"json", "{\"a\": [1, {\"b\": null}], \"syntax\": \"x\"}", "x"},
      {"json of another type", "{\"syntax\": 1}", ""},
      {"byte order mark", "\xEF\xBB\xBF# syntax=x\n", "x"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(DetectSyntax(c.text), c.want);
  }
}

TEST(Directives, CheckOptions) {
  ASSERT_OK_AND_ASSIGN(const CheckOptions check, ParseCheckOptions("skip=A, B; error=true;experimental=all"));
  EXPECT_THAT(check.skip, ElementsAre("A", "B"));
  EXPECT_TRUE(check.warnings_are_errors);
  EXPECT_TRUE(check.experimental_all);
  EXPECT_TRUE(check.Skips("B"));
  EXPECT_FALSE(check.Skips("b"));
  EXPECT_THAT(ParseCheckOptions("error=perhaps"), StatusIs(absl::StatusCode::kInvalidArgument, "true or false"));
}

TEST(JsonArray, TellsArraysOfStringsFromTheRest) {
  using Kind = JsonArray::Kind;
  const struct {
    absl::string_view text;
    Kind kind;
    std::vector<std::string> strings;
  } cases[] = {
      {"[]", Kind::kStrings, {}},
      {" [ \"a\" , \"b\\n\\u0041\\ud83d\\ude00\" ] ", Kind::kStrings, {"a", "b\nA\xF0\x9F\x98\x80"}},
      {"[\"\\ud83d\"]", Kind::kStrings, {"\xEF\xBF\xBD"}},
      {"[1, -2.5e+3, true, null, {\"a\": []}]", Kind::kMixed, {}},
      {"[\"a\",]", Kind::kNone, {}},
      {"[\"a\"] x", Kind::kNone, {}},
      {"['a']", Kind::kNone, {}},
      {"[\"a", Kind::kNone, {}},
      {"[01]", Kind::kNone, {}},
      {"[\"\\x\"]", Kind::kNone, {}},
      {"[\"\t\"]", Kind::kNone, {}},
      {"\"a\"", Kind::kNone, {}},
      {"", Kind::kNone, {}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const JsonArray got = ReadJsonArray(c.text);
    EXPECT_EQ(got.kind, c.kind);
    if (c.kind == Kind::kStrings) {
      EXPECT_EQ(got.strings, c.strings);
    }
  }
  EXPECT_EQ(ReadJsonArray(std::string(100000, '[')).kind, Kind::kNone);
}

TEST(Signal, NamesAndNumbers) {
  EXPECT_EQ(ParseSignal("SIGTERM").value(), 15);
  EXPECT_EQ(ParseSignal("kill").value(), 9);
  EXPECT_EQ(ParseSignal("sigWinch").value(), 28);
  EXPECT_EQ(ParseSignal("SYS").value(), 31);
  EXPECT_EQ(ParseSignal("2").value(), 2);
  EXPECT_EQ(ParseSignal("SIGRTMIN+3").value(), 37);
  EXPECT_EQ(ParseSignal("RTMAX").value(), 64);
  EXPECT_EQ(ParseSignal("SIGRTMAX-1").value(), 63);
  for (const absl::string_view text : {"", "SIG", "0", "65", "-1", "RTMIN+31", "RTMIN3", "TERMX"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(ParseSignal(text).ok());
  }
}

TEST(Suggest, FindsTheNearest) {
  const std::vector<std::string> names = {"build", "Builder", "test", "a"};
  EXPECT_EQ(Nearest("biuld", names), "build");
  EXPECT_EQ(Nearest("BUILD", names), "build");
  EXPECT_EQ(Nearest("buildr", names), "build");
  EXPECT_EQ(Nearest("tset", names), "test");
  EXPECT_EQ(Nearest("production", names), "");
  EXPECT_EQ(Nearest("b", names), "");
  EXPECT_EQ(Nearest(std::string(65, 'a'), names), "");
  EXPECT_EQ(DidYouMean("tst", names), "; did you mean \"test\"?");
}

}  // namespace
}  // namespace strata::dockerfile
