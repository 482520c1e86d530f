#include "services/builder/frontend/frontend.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/frontend/paths.h"

namespace strata::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StatusIs;

class FakeImages final : public BaseImages {
 public:
  absl::StatusOr<BaseImage> Resolve(const CallContext&, absl::string_view reference, const oci::Platform& platform) override {
    if (reference != "debian:12" && reference != "onbuild") {
      return absl::NotFoundError(absl::StrCat("image \"", reference, "\" was looked for in the store and nowhere else"));
    }
    BaseImage image;
    image.config.platform = platform;
    image.config.env = {"LANG=C"};
    image.config.cmd = {{"bash"}};
    if (reference == "onbuild") image.config.on_build = {"RUN trigger", "ENV T=1"};
    snapshot::Layer layer;
    layer.diff_id = Digest::Of("base");
    image.layers = {layer};
    return image;
  }
};

absl::StatusOr<Plan> MakePlanOf(absl::string_view text, PlanOptions options = {}) {
  auto file = dockerfile::Parse(text, "Dockerfile");
  if (!file.ok()) return file.status();
  options.target_platform = *oci::Platform::Parse("linux/amd64");
  options.build_platform = options.target_platform;
  FakeImages images;
  return MakePlan({}, *file, options, images);
}

// The names of the steps that lead to the target, first to last, along input 0.
std::vector<std::string> StepNames(const Plan& plan) {
  std::vector<std::string> names;
  for (const graph::Vertex* vertex = plan.root.get(); vertex != nullptr;
       vertex = vertex->inputs.empty() ? nullptr : vertex->inputs[0].get()) {
    names.insert(names.begin(), vertex->name);
  }
  return names;
}

const graph::ExecOp& Exec(const Plan& plan) { return std::get<graph::ExecOp>(plan.root->op); }

TEST(Frontend, ConfigInstructionsMakeNoSteps) {
  ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlanOf("FROM debian:12\nENV A=1 B=$LANG\nLABEL x=y\nEXPOSE 80 100-102/udp\nUSER app\n"
                                                   "VOLUME /data\nSTOPSIGNAL SIGINT\nCMD [\"run\"]\n"));
  EXPECT_THAT(StepNames(plan), ElementsAre("[1/1] FROM debian:12"));
  EXPECT_THAT(plan.config.env, ElementsAre("LANG=C", ::testing::StartsWith("PATH=/usr/local/sbin:"), "A=1", "B=C"));
  EXPECT_THAT(plan.config.exposed_ports, ElementsAre("100/udp", "101/udp", "102/udp", "80/tcp"));
  EXPECT_EQ(plan.config.user, "app");
  EXPECT_THAT(*plan.config.cmd, ElementsAre("run"));
  EXPECT_EQ(plan.config.history.size(), 8u);
  EXPECT_FALSE(plan.config.history[0].empty_layer);
  EXPECT_TRUE(plan.config.history.back().empty_layer);
}

TEST(Frontend, NamesAndOrdersSteps) {
  ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlanOf("FROM debian:12 AS base\nWORKDIR /src\nFROM base AS build\nCOPY . .\nRUN make\n"));
  EXPECT_THAT(StepNames(plan), ElementsAre("[base 1/2] FROM debian:12", "[base 2/2] WORKDIR /src", "[build 2/3] COPY . .",
                                           "[build 3/3] RUN make"));
  EXPECT_THAT(plan.context_paths, ElementsAre("."));
  EXPECT_EQ(Exec(plan).working_dir, "/src");
  EXPECT_EQ(plan.root->location, "Dockerfile:5");
}

TEST(Frontend, OnlyNeededStagesAreLookedAt) {
  EXPECT_OK(MakePlanOf("FROM nowhere AS broken\nRUN x\nFROM debian:12\nRUN y\n"));
  EXPECT_THAT(MakePlanOf("FROM nowhere AS broken\nRUN x\nFROM debian:12\nCOPY --from=broken /a /b\n"),
              StatusIs(absl::StatusCode::kNotFound, "Dockerfile:1: image \"nowhere\" was looked for in the store"));
}

TEST(Frontend, MisspeltStagesAreNamed) {
  EXPECT_THAT(MakePlanOf("FROM debian:12 AS build\nRUN x\nFROM debian:12\nCOPY --from=biuld /a /b\n"),
              StatusIs(absl::StatusCode::kNotFound, "Dockerfile:4: no stage \"biuld\"; did you mean \"build\" (line 1)?"));
  EXPECT_THAT(MakePlanOf("FROM debian:12 AS build\n", {.target = "biuld"}), StatusIs(absl::StatusCode::kInvalidArgument, "build"));
}

TEST(Frontend, ArgumentsFollowTheirScopes) {
  const char* text = "ARG V=12\nARG G=global\nFROM debian:$V\nARG G\nARG D=default\nARG U\nENV E=$G-$D-$U\nRUN x\n";
  ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlanOf(text));
  EXPECT_THAT(plan.config.env, ::testing::Contains("E=global-default-"));
  EXPECT_THAT(Exec(plan).env, ::testing::Contains("D=default"));
  EXPECT_THAT(plan.config.env, ::testing::Not(::testing::Contains("D=default")));
  EXPECT_EQ(plan.config.history.back().created_by, "RUN |3 G=global D=default U= /bin/sh -c x # buildkit");
  ASSERT_OK_AND_ASSIGN(const Plan overridden, MakePlanOf(text, {.build_args = {{"G", "g"}, {"D", "d"}, {"U", "u"}}}));
  EXPECT_THAT(overridden.config.env, ::testing::Contains("E=g-d-u"));
}

TEST(Frontend, NamesThatAreNoPatternsStayNames) {
  ASSERT_OK_AND_ASSIGN(const Plan added, MakePlanOf("FROM debian:12\nADD https://h.example/a[1].txt /\n"));
  const auto& op = std::get<graph::FileOp>(added.root->op);
  EXPECT_THAT(std::get<graph::CopyAction>(op.actions[0]).sources, ElementsAre("a\\[1].txt"));
  ASSERT_OK_AND_ASSIGN(const Plan bound, MakePlanOf("FROM debian:12\nRUN --mount=source=a[1],target=/a x\n"));
  EXPECT_THAT(bound.context_paths, ElementsAre("a\\[1]"));
}

TEST(Frontend, ProxyArgumentsAreNoPartOfTheStep) {
  ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlanOf("FROM debian:12\nRUN x\n", {.build_args = {{"http_proxy", "http://p"}}}));
  EXPECT_THAT(Exec(plan).unkeyed_env, ElementsAre("HTTP_PROXY=http://p", "http_proxy=http://p"));
  EXPECT_EQ(plan.config.history.back().created_by, "RUN /bin/sh -c x # buildkit");
}

TEST(Frontend, HistoryIsWordedAsDockerDoes) {
  ASSERT_OK_AND_ASSIGN(const Plan plan,
                       MakePlanOf("FROM debian:12 AS a\nFROM debian:12\nARG A=\"b c\" D\nENV E=$A\nONBUILD RUN x\nMAINTAINER me\n"
                                  "copy --from=a --chown=1:$A $E /x/\nADD --chmod=600 a b ./\nSHELL [\"s\", \"-c\"]\nCMD a \"b\"\n"
                                  "ENTRYPOINT [\"tab\\t\"]\nHEALTHCHECK --interval=1h --timeout=90s --retries=2 CMD c\nEXPOSE 2 1\n"));
  std::vector<std::string> created_by;
  for (const auto& entry : plan.config.history) {
    created_by.push_back(entry.created_by);
    EXPECT_EQ(entry.author, "");
  }
  created_by.erase(created_by.begin());
  EXPECT_THAT(created_by,
              ElementsAre("ARG A=b c D", "ENV E=b c", "MAINTAINER me", "COPY --chown=1:b c b c /x/ # buildkit",
                          "ADD --chmod=600 a b ./ # buildkit", "SHELL [s -c]", "CMD [\"s\" \"-c\" \"a \\\"b\\\"\"]",
                          "ENTRYPOINT [\"tab\\t\"]",
                          "HEALTHCHECK {Test:[CMD-SHELL c] Interval:1h0m0s Timeout:1m30s StartPeriod:0s StartInterval:0s Retries:2}",
                          "EXPOSE [1/tcp 2/tcp]"));
}

TEST(Frontend, ScratchStartsAtTheRoot) {
  ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlanOf("FROM scratch\nCOPY a /\n"));
  EXPECT_EQ(plan.config.working_dir, "/");
}

TEST(Frontend, EntrypointClearsAnInheritedCommand) {
  ASSERT_OK_AND_ASSIGN(const Plan cleared, MakePlanOf("FROM debian:12\nENTRYPOINT [\"e\"]\n"));
  EXPECT_FALSE(cleared.config.cmd.has_value());
  ASSERT_OK_AND_ASSIGN(const Plan kept, MakePlanOf("FROM debian:12\nCMD c\nENTRYPOINT [\"e\"]\n"));
  EXPECT_THAT(*kept.config.cmd, ElementsAre("/bin/sh", "-c", "c"));
}

TEST(Frontend, TriggersOfTheBaseRunFirst) {
  ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlanOf("FROM onbuild\nRUN own\n"));
  EXPECT_THAT(StepNames(plan), ElementsAre("[1/3] FROM onbuild", "[2/3] RUN trigger", "[3/3] RUN own"));
  EXPECT_THAT(plan.config.env, ::testing::Contains("T=1"));
  EXPECT_TRUE(plan.config.on_build.empty());
}

TEST(Frontend, CopyBecomesAFileOp) {
  ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlanOf("FROM debian:12 AS a\nRUN x\nFROM scratch\nWORKDIR /w\n"
                                                   "COPY --from=a --chown=1:2 /etc/../bin/tool x/*.c ./\n"));
  const auto& op = std::get<graph::FileOp>(plan.root->op);
  const auto& copy = std::get<graph::CopyAction>(op.actions.at(0));
  EXPECT_THAT(copy.sources, ElementsAre("bin/tool", "x/*.c"));
  EXPECT_EQ(copy.destination, "/w/");
  EXPECT_EQ(copy.chown, "1:2");
  EXPECT_EQ(plan.root->inputs.at(copy.input)->name, "[a 2/2] RUN x");
  EXPECT_TRUE(plan.context_paths.empty());
}

TEST(Frontend, SecretsThatNobodyOffersNeedNoTarget) {
  ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlanOf("FROM debian:12\nRUN --mount=type=secret,id=a --mount=type=ssh true\n"));
  EXPECT_TRUE(Exec(plan).mounts.empty());
  EXPECT_THAT(MakePlanOf("FROM debian:12\nRUN --mount=type=secret,id=a,required true\n"), StatusIs(absl::StatusCode::kUnimplemented, "secret,required"));
  EXPECT_THAT(MakePlanOf("FROM debian:12\nWORKDIR /w\nRUN --mount=type=tmpfs,target=/ true\n"), StatusIs(absl::StatusCode::kInvalidArgument, "cannot be mounted over"));
}

TEST(Frontend, ErrorsNameFileAndLine) {
  const struct {
    const char* text;
    const char* message;
  } kCases[] = {
      {"FROM debian:12\nSTOPSIGNAL NOPE\n", "Dockerfile:2: "},
      {"FROM debian:12\nEXPOSE http\n", "Dockerfile:2: invalid EXPOSE port \"http\""},
      {"FROM debian:12\nCOPY http://x/y /\n", "Dockerfile:2: source can't be a URL for COPY"},
      {"FROM debian:12\nADD --checksum=sha256:00 a /\n", "Dockerfile:2: checksum requires HTTP(S)"},
      {"FROM debian:12\nVOLUME [\"\"]\n", "Dockerfile:2: VOLUME specified can not be an empty string"},
      {"FROM --platform=a/b/c/d debian:12\n", "Dockerfile:1: "},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.text);
    EXPECT_THAT(MakePlanOf(c.text), StatusIs(absl::StatusCode::kInvalidArgument, c.message));
  }
  EXPECT_THAT(MakePlanOf("FROM debian:12\nCOPY a b\n", {.has_context = false}),
              StatusIs(absl::StatusCode::kInvalidArgument, "Dockerfile:2: this build has no context"));
}

TEST(Paths, AreClampedToTheRoot) {
  EXPECT_EQ(Destination("/w", "."), "/w/");
  EXPECT_EQ(Destination("/w", "a/"), "/w/a/");
  EXPECT_EQ(Destination("/w", "../../x"), "/x");
  EXPECT_EQ(SourcePath("../../etc/passwd"), "etc/passwd");
  EXPECT_EQ(SourcePath("."), "");
  EXPECT_EQ(UrlFileName("https://h/a/b.tar.gz?x=1"), "b.tar.gz");
  EXPECT_EQ(UrlFileName("https://h"), "");
}

}  // namespace
}  // namespace strata::frontend
