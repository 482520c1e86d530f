#include "services/builder/dockerfile/stages.h"

#include "absl/strings/str_cat.h"
#include "lib/testing/status_matchers.h"

namespace strata::dockerfile {
namespace {

using ::strata::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::SizeIs;

std::optional<std::string> Global(absl::string_view name) {
  if (name == "BASE") return "build";
  if (name == "BUILDPLATFORM") return "linux/amd64";
  return std::nullopt;
}

Dockerfile ParseOrDie(absl::string_view text) {
  absl::StatusOr<Dockerfile> file = Parse(text, "Dockerfile");
  EXPECT_OK(file);
  return file.ok() ? *std::move(file) : Dockerfile{};
}

TEST(Stages, OnlyWhatTheTargetNeeds) {
  const Dockerfile file = ParseOrDie(
      "FROM golang AS build\n"                                         // 0
      "FROM alpine AS tools\n"                                         // 1
      "FROM --platform=$BUILDPLATFORM ${BASE} AS Test\n"               // 2 <- 0
      "RUN --mount=from=tools,target=/t true\n"                        //   <- 1
      "FROM debian AS unused\n"                                        // 3
      "FROM scratch\n"                                                 // 4
      "COPY --from=BUILD /a /\n"                                       //   <- 0
      "COPY --from=busybox /b /\n"                                     //   image
      "FROM scratch\n"                                                 // 5
      "COPY --from=4 /a /\n");                                         //   <- 4
  ASSERT_OK_AND_ASSIGN(const StageGraph graph, ResolveStages(file, Global));
  EXPECT_THAT(graph.Needed(5), ElementsAre(0, 4, 5));
  EXPECT_THAT(graph.Needed(2), ElementsAre(0, 1, 2));
  EXPECT_THAT(graph.Needed(3), ElementsAre(3));
  EXPECT_EQ(graph.nodes[2].base.stage, 0);
  EXPECT_EQ(graph.nodes[2].base.reference, "build");
  EXPECT_EQ(graph.nodes[2].platform, "linux/amd64");
  EXPECT_EQ(graph.nodes[4].links[1].stage, -1);
  EXPECT_EQ(graph.nodes[4].links[1].reference, "busybox");
  EXPECT_EQ(graph.nodes[4].links[1].hint, "");
}

TEST(Stages, TheNearestEarlierStageOfAName) {
  const Dockerfile file = ParseOrDie("FROM a AS x\nFROM x AS x\nFROM x\n");
  ASSERT_OK_AND_ASSIGN(const StageGraph graph, ResolveStages(file, Global));
  EXPECT_EQ(graph.nodes[0].base.stage, -1);
  EXPECT_EQ(graph.nodes[1].base.stage, 0);
  EXPECT_EQ(graph.nodes[2].base.stage, 1);
}

TEST(Stages, TriggersOfABaseStageAreReferencesOfItsChildren) {
  const Dockerfile file = ParseOrDie("FROM a AS files\nFROM b AS base\nONBUILD COPY --from=files /x /x\nFROM base\nFROM base AS c\nFROM c\n");
  ASSERT_OK_AND_ASSIGN(const StageGraph graph, ResolveStages(file, Global));
  EXPECT_THAT(graph.Needed(1), ElementsAre(1));
  EXPECT_THAT(graph.Needed(2), ElementsAre(0, 1, 2));
  // Triggers run once: the grandchild has none of its own.
  EXPECT_THAT(graph.nodes[4].links, SizeIs(0));
}

TEST(Stages, NamedContextsHideStages) {
  const Dockerfile file = ParseOrDie("FROM a AS x\nFROM x\nCOPY --from=x /a /\n");
  ASSERT_OK_AND_ASSIGN(const StageGraph graph, ResolveStages(file, Global, {.named_contexts = {"x"}}));
  EXPECT_THAT(graph.Needed(1), ElementsAre(1));
}

TEST(Stages, HintsAtMisspeltStages) {
  const Dockerfile file = ParseOrDie("ARG A\n\nFROM a AS build\nFROM b\nCOPY --from=biuld /a /\n");
  ASSERT_OK_AND_ASSIGN(const StageGraph graph, ResolveStages(file, Global));
  EXPECT_EQ(graph.nodes[1].links[0].hint, "no stage \"biuld\"; did you mean \"build\" (line 3)?");
}

TEST(Stages, RefusesWhatCannotBeBuilt) {
  const struct {
    absl::string_view name, text, message;
  } cases[] = {
      {"later stage", "FROM a\nCOPY --from=late /x /\nFROM b AS late\n",
       "Dockerfile:2: COPY --from=late: cannot copy from stage \"late\" (line 3), it needs to be defined before current stage \"0\""},
      {"later mount", "FROM a AS m\nRUN --mount=from=late,target=/x y\nFROM b AS late\n", "Dockerfile:2: RUN --mount=from=late: cannot copy"},
      {"itself", "FROM a AS me\nCOPY --from=Me /x /\n", "circular dependency detected on stage: me"},
      {"number of itself", "FROM a\nFROM b\nCOPY --from=1 /x /\n", "Dockerfile:3: COPY --from=1: invalid stage index 1"},
      {"number in the first", "FROM a\nCOPY --from=0 /x /\n", "no stage stands before this one"},
      {"blank base", "ARG X\nFROM $X\n", "Dockerfile:2: base name ($X) should not be blank"},
      {"failing variable", "FROM ${X:?set-it}\n", "Dockerfile:1: FROM ${X:?set-it}: X: set-it"},
      {"bad brace", "FROM ${X\n", "Dockerfile:1: FROM ${X: syntax error: missing '}'"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_THAT(ResolveStages(ParseOrDie(c.text), Global), StatusIs(absl::StatusCode::kInvalidArgument, c.message));
  }
}

TEST(FindStage, ByNameNumberOrLast) {
  const Dockerfile file = ParseOrDie("FROM a AS one\nFROM b\nFROM c AS build\n");
  EXPECT_EQ(FindStage(file, "").value(), 2);
  EXPECT_EQ(FindStage(file, "ONE").value(), 0);
  EXPECT_EQ(FindStage(file, "1").value(), 1);
  EXPECT_THAT(FindStage(file, "biuld"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "Dockerfile: target stage \"biuld\" could not be found; did you mean \"build\" (line 3)?"));
  EXPECT_THAT(FindStage(file, "production"), StatusIs(absl::StatusCode::kInvalidArgument, "the stages are one, build"));
  EXPECT_THAT(FindStage(file, "3"), StatusIs(absl::StatusCode::kInvalidArgument, "could not be found"));
  EXPECT_THAT(FindStage(ParseOrDie("FROM a\n"), "x"), StatusIs(absl::StatusCode::kInvalidArgument, "no stage has a name"));
}

TEST(Stages, BoundsTheReferencesThatTriggersMultiply) {
  std::string text = "FROM a AS files\nFROM b AS base\n";
  for (int i = 0; i < 1000; ++i) text += "ONBUILD COPY --from=files /x /x\n";
  for (int i = 0; i < 200; ++i) text += "FROM base\n";
  EXPECT_THAT(ResolveStages(ParseOrDie(text), Global), StatusIs(absl::StatusCode::kInvalidArgument, "more than 100000 references"));
}

}  // namespace
}  // namespace strata::dockerfile
