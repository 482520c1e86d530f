#include "cli/context/build_input.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/context/git_source.h"
#include "cli/exit_code.h"
#include "lib/compress/gzip.h"
#include "lib/tar/writer.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::cli {
namespace {

using testing::ScratchDir;
using testing::StatusIs;
using testing::WriteFile;

absl::StatusOr<BuildInput> Open(BuildInputOptions options, const std::string& standard_input = "") {
  StringSource source(standard_input);
  return OpenBuildInput({}, options, source);
}

std::string TarOf(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string out;
  StringSink sink(&out);
  tar::Writer writer(sink);
  for (const auto& [name, text] : files) {
    tar::Entry entry;
    entry.name = name;
    entry.size = text.size();
    StringSource content(text);
    EXPECT_OK(writer.WriteEntry(entry, content));
  }
  EXPECT_OK(writer.Finish());
  return out;
}

std::string Gzip(const std::string& text) {
  std::string out;
  StringSink sink(&out);
  compress::GzipSink gzip(sink);
  EXPECT_OK(gzip.Write(text));
  EXPECT_OK(gzip.Finish());
  return out;
}

TEST(BuildInputTest, FindsTheDockerfileOfAFolder) {
  ScratchDir scratch;
  WriteFile(scratch.Join("dockerfile"), "FROM lower");
  WriteFile(scratch.Join(".dockerignore"), "*.o");
  ASSERT_OK_AND_ASSIGN(const BuildInput lower, Open({.context = scratch.path()}));
  EXPECT_EQ(lower.dockerfile, "FROM lower");
  EXPECT_EQ(lower.dockerfile_name, "dockerfile");
  EXPECT_EQ(lower.dockerignore, "*.o");
  WriteFile(scratch.Join("Dockerfile"), "FROM upper");
  ASSERT_OK_AND_ASSIGN(const BuildInput upper, Open({.context = scratch.path()}));
  EXPECT_EQ(upper.dockerfile, "FROM upper");
}

TEST(BuildInputTest, AnIgnoreFileOfTheDockerfileReplacesTheOther) {
  ScratchDir scratch;
  WriteFile(scratch.Join("docker/app"), "FROM a");
  WriteFile(scratch.Join("docker/app.dockerignore"), "only this");
  WriteFile(scratch.Join(".dockerignore"), "not this");
  ASSERT_OK_AND_ASSIGN(const BuildInput absolute, Open({.context = scratch.path(), .file = scratch.Join("docker/app")}));
  EXPECT_EQ(absolute.dockerignore, "only this");
  ASSERT_OK_AND_ASSIGN(const BuildInput inside, Open({.context = scratch.path(), .file = "docker/app"}));
  EXPECT_EQ(inside.dockerfile, "FROM a");
  EXPECT_EQ(inside.dockerfile_name, "docker/app");
  EXPECT_EQ(inside.dockerignore, "only this");
}

TEST(BuildInputTest, SaysWhereItLooked) {
  ScratchDir scratch;
  EXPECT_THAT(Open({.context = scratch.path()}), StatusIs(absl::StatusCode::kNotFound, "there is no \"Dockerfile\" in the context"));
  EXPECT_THAT(Open({.context = scratch.path(), .file = "x"}), StatusIs(absl::StatusCode::kNotFound, "\"x\" in the current folder or in"));
}

TEST(BuildInputTest, TellsATarFromADockerfileOnStandardInput) {
  const std::string tar = TarOf({{"Dockerfile", "FROM tar"}, {".dockerignore", "x"}, {"other", "FROM other"}});
  ASSERT_OK_AND_ASSIGN(const BuildInput plain, Open({.context = "-"}, tar));
  EXPECT_EQ(plain.dockerfile, "FROM tar");
  EXPECT_EQ(plain.dockerignore, "x");
  ASSERT_NE(plain.context, nullptr);
  ASSERT_OK_AND_ASSIGN(const BuildInput packed, Open({.context = "-", .file = "other"}, Gzip(tar)));
  EXPECT_EQ(packed.dockerfile, "FROM other");
  ASSERT_OK_AND_ASSIGN(const BuildInput bare, Open({.context = "-"}, "FROM bare\n" + std::string(9000, '#')));
  EXPECT_EQ(bare.dockerfile.substr(0, 9), "FROM bare");
  EXPECT_EQ(bare.context, nullptr);
}

TEST(BuildInputTest, RefusesStandardInputThatIsNeither) {
  EXPECT_THAT(Open({.context = "-"}, ""), StatusIs(absl::StatusCode::kInvalidArgument, "standard input is empty"));
  EXPECT_THAT(Open({.context = "-"}, Gzip("FROM x")), StatusIs(absl::StatusCode::kInvalidArgument, "gzip data, but no tar"));
  EXPECT_THAT(Open({.context = "-"}, std::string("ELF\0\1", 5)), StatusIs(absl::StatusCode::kInvalidArgument, "neither a tar"));
  EXPECT_THAT(Open({.context = "-", .file = "-"}, "x"), StatusIs(absl::StatusCode::kInvalidArgument, "cannot both"));
  EXPECT_THAT(Open({.context = "-", .input_is_terminal = true}), StatusIs(absl::StatusCode::kInvalidArgument, "which is a terminal"));
}

TEST(BuildInputTest, TakesTheDockerfileAloneFromStandardInput) {
  ScratchDir scratch;
  WriteFile(scratch.Join(".dockerignore"), "x");
  ASSERT_OK_AND_ASSIGN(const BuildInput input, Open({.context = scratch.path(), .file = "-"}, "FROM stdin"));
  EXPECT_EQ(input.dockerfile, "FROM stdin");
  EXPECT_EQ(input.dockerignore, "x");
  EXPECT_NE(input.context, nullptr);
}

TEST(GitAddressTest, TellsRepositoriesFromFolders) {
  for (const char* text : {"https://host/app.git", "https://host/app.git#v1:sub", "git@host:app.git", "git@host:app", "git://h/a",
                           "ssh://git@h/a", "file:///srv/app.git"}) {
    EXPECT_TRUE(IsGitAddress(text)) << text;
  }
  for (const char* text : {".", "-", "/srv/a", "a@b/c:d", "https://host/app.tar", "dir:x", "./git@host:x"}) {
    EXPECT_FALSE(IsGitAddress(text)) << text;
  }
}

TEST(GitAddressTest, SplitsRefAndFolder) {
  ASSERT_OK_AND_ASSIGN(const GitAddress address, ParseGitAddress("git@host:app.git#v1:docker/app/"));
  EXPECT_EQ(address.repository, "git@host:app.git");
  EXPECT_EQ(address.ref, "v1");
  EXPECT_EQ(address.subdir, "docker/app");
  EXPECT_EQ(ExitCodeOf(ParseGitAddress("file:///x#--upload-pack=evil").status()), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(ParseGitAddress("file:///x#v1:../..").status()), ExitCode::kUsage);
}

class GitContextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string script = "cd '" + scratch_.path() +
                               "' && export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 && git init -q -b main r && cd r && "
                               "git config user.email a@b && git config user.name n && "
                               "mkdir sub && printf 'FROM one' > Dockerfile && printf 'FROM sub' > sub/Dockerfile && "
                               "git add . && git commit -q -m one && git tag v1 && printf 'FROM two' > Dockerfile && "
                               "git commit -q -a -m two";
    ASSERT_EQ(std::system(script.c_str()), 0);
  }
  std::string Url(const std::string& fragment) { return "file://" + scratch_.path() + "/r" + fragment; }

  ScratchDir scratch_;
};

TEST_F(GitContextTest, ChecksOutTheRefThatWasAskedFor) {
  ASSERT_OK_AND_ASSIGN(const BuildInput head, Open({.context = Url(""), .temp_base = scratch_.path()}));
  EXPECT_EQ(head.dockerfile, "FROM two");
  ASSERT_OK_AND_ASSIGN(const auto entries, head.context->List({}, *ContextFilter::Create({"."}, {})));
  EXPECT_EQ(entries.size(), 3u);  // no .git
  ASSERT_OK_AND_ASSIGN(const BuildInput tag, Open({.context = Url("#v1"), .temp_base = scratch_.path()}));
  EXPECT_EQ(tag.dockerfile, "FROM one");
  ASSERT_OK_AND_ASSIGN(const BuildInput sub, Open({.context = Url("#main:sub"), .temp_base = scratch_.path()}));
  EXPECT_EQ(sub.dockerfile, "FROM sub");
}

TEST_F(GitContextTest, RemovesTheCheckout) {
  std::string path;
  {
    ASSERT_OK_AND_ASSIGN(const BuildInput input, Open({.context = Url(""), .temp_base = scratch_.path()}));
    path = input.checkout->path();
    EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST_F(GitContextTest, PassesOnWhatGitSays) {
  EXPECT_THAT(Open({.context = Url("#nope"), .temp_base = scratch_.path()}),
              StatusIs(absl::StatusCode::kNotFound, "cannot fetch \"nope\""));
  EXPECT_THAT(Open({.context = Url("#v1:none"), .temp_base = scratch_.path()}), StatusIs(absl::StatusCode::kNotFound, "no folder \"none\""));
}

}  // namespace
}  // namespace strata::cli
