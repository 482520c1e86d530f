#include "cli/context/tar_context.h"

#include <sys/stat.h>

#include "lib/compress/gzip.h"
#include "lib/tar/writer.h"
#include "lib/testing/status_matchers.h"

namespace strata::cli {
namespace {

using ::testing::ElementsAre;
using testing::StatusIs;

struct File {
  std::string name;
  std::string content;
  tar::EntryType type = tar::EntryType::kFile;
  std::string link;
};

std::string Tar(const std::vector<File>& files) {
  std::string out;
  StringSink sink(&out);
  tar::Writer writer(sink);
  for (const File& file : files) {
    tar::Entry entry;
    entry.name = file.name;
    entry.type = file.type;
    entry.mode = 0640;
    entry.uid = 1000;
    entry.link_name = file.link;
    entry.size = file.content.size();
    entry.mtime = absl::FromUnixSeconds(1000);
    StringSource content(file.content);
    EXPECT_OK(writer.WriteEntry(entry, content));
  }
  EXPECT_OK(writer.Finish());
  return out;
}

absl::StatusOr<std::unique_ptr<TarContext>> Read(const std::string& bytes) {
  StringSource source(bytes);
  return TarContext::Read({}, source, "");
}

std::vector<std::string> Paths(TarContext& context, const std::vector<std::string>& include, absl::string_view ignore = "") {
  std::vector<std::string> paths;
  const auto entries = context.List({}, *ContextFilter::Create(include, *glob::IgnoreMatcher::Parse(ignore)));
  EXPECT_OK(entries);
  for (const ContextEntry& entry : *entries) paths.push_back(entry.path);
  return paths;
}

TEST(TarContextTest, ListsAndGivesContent) {
  ASSERT_OK_AND_ASSIGN(const auto context, Read(Tar({{"./a/b.txt", "hello"},
                                                     {"a-b", ""},
                                                     {"hard", "", tar::EntryType::kHardLink, "./a/b.txt"},
                                                     {"soft", "", tar::EntryType::kSymlink, "a"}})));
  ASSERT_OK_AND_ASSIGN(const auto entries, context->List({}, *ContextFilter::Create({"."}, {})));
  ASSERT_EQ(entries.size(), 5u);
  EXPECT_EQ(entries[0].path, "a");
  EXPECT_EQ(entries[0].mode, static_cast<uint32_t>(S_IFDIR | 0755));
  EXPECT_EQ(entries[2].path, "a/b.txt");
  EXPECT_EQ(entries[2].mode, static_cast<uint32_t>(S_IFREG | 0640));
  EXPECT_EQ(entries[2].mtime_ns, 1'000'000'000'000);
  EXPECT_EQ(entries[3].path, "hard");
  EXPECT_EQ(entries[3].digest, Digest::Of("hello"));
  EXPECT_EQ(entries[4].link_target, "a");
  ASSERT_OK_AND_ASSIGN(const auto source, context->Open(entries[3]));
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadAll(*source, 100));
  EXPECT_EQ(text, "hello");
}

TEST(TarContextTest, FiltersLikeAFolder) {
  ASSERT_OK_AND_ASSIGN(const auto context,
                       Read(Tar({{"v/a/b/keep", "x"}, {"v/a/drop", "x"}, {"v-b", "x"}, {"w/z", "x"}, {"src/m.c", "x"}})));
  EXPECT_THAT(Paths(*context, {"."}, "v\nw\n!v/a/b/keep"), ElementsAre("src", "src/m.c", "v", "v-b", "v/a", "v/a/b", "v/a/b/keep"));
  EXPECT_THAT(Paths(*context, {"src/*.c"}), ElementsAre("src", "src/m.c"));
}

TEST(TarContextTest, ReadsGzip) {
  const std::string plain = Tar({{"Dockerfile", "FROM x"}});
  std::string packed;
  StringSink sink(&packed);
  compress::GzipSink gzip(sink);
  ASSERT_OK(gzip.Write(plain));
  ASSERT_OK(gzip.Finish());
  ASSERT_OK_AND_ASSIGN(const auto context, Read(packed));
  ASSERT_OK_AND_ASSIGN(const auto text, context->ReadFile("Dockerfile", 100));
  EXPECT_EQ(text, "FROM x");
}

TEST(TarContextTest, FollowsLinksWhenReadingByName) {
  ASSERT_OK_AND_ASSIGN(const auto context, Read(Tar({{"d/app", "FROM x"},
                                                     {"Dockerfile", "", tar::EntryType::kSymlink, "d/../d/app"},
                                                     {"loop", "", tar::EntryType::kSymlink, "loop"}})));
  ASSERT_OK_AND_ASSIGN(const auto text, context->ReadFile("Dockerfile", 100));
  EXPECT_EQ(text, "FROM x");
  EXPECT_THAT(context->ReadFile("loop", 100), StatusIs(absl::StatusCode::kInvalidArgument, "loop"));
  EXPECT_EQ(context->LinkTarget("Dockerfile"), "d/../d/app");
  EXPECT_THAT(context->FolderNames(""), ElementsAre("Dockerfile", "d", "loop"));
  EXPECT_THAT(context->FolderNames("d"), ElementsAre("app"));
}

TEST(TarContextTest, NamesThatLeaveTheRootStayInside) {
  ASSERT_OK_AND_ASSIGN(const auto context, Read(Tar({{"../../etc/passwd", "x"}, {"/abs", "y"}})));
  EXPECT_THAT(Paths(*context, {"."}), ElementsAre("abs", "etc", "etc/passwd"));
}

TEST(TarContextTest, RefusesWhatIsNoTree) {
  EXPECT_THAT(Read(Tar({{"a", "x"}, {"a/b", "y"}})), StatusIs(absl::StatusCode::kInvalidArgument, "lies below \"a\""));
  EXPECT_THAT(Read(Tar({{"l", "", tar::EntryType::kHardLink, "none"}})),
              StatusIs(absl::StatusCode::kInvalidArgument, "hard link to \"none\""));
  EXPECT_THAT(Read(Tar({{"a/b", "x"}, {"a", "y"}})), StatusIs(absl::StatusCode::kInvalidArgument, "folder that is not empty"));
  EXPECT_THAT(Read(std::string(2000, 'x')), StatusIs(absl::StatusCode::kInvalidArgument, ""));
}

TEST(TarContextTest, KnowsATarByItsFirstBlock) {
  EXPECT_TRUE(LooksLikeTar(Tar({{"a", "x"}})));
  EXPECT_TRUE(LooksLikeTar(std::string(1024, '\0')));
  EXPECT_FALSE(LooksLikeTar("FROM busybox\n" + std::string(600, '#')));
  EXPECT_FALSE(LooksLikeTar("FROM busybox"));
}

}  // namespace
}  // namespace strata::cli
