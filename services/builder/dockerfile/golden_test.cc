// testdata/<case>/Dockerfile parses to want.txt; testdata/rejects/<case>.Dockerfile fails with <case>.want.
// `bazel run :golden_test -- --update_goldens` rewrites what is wanted; review the diff.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/dockerfile/dump.h"

namespace strata::dockerfile {
namespace {

namespace fs = std::filesystem;

bool g_update_goldens = false;

// Goldens are rewritten in the source tree, which `bazel run` names.
fs::path TestData() {
  const char* const workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  return fs::path(workspace != nullptr ? workspace : ".") / "services/builder/dockerfile/testdata";
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void ExpectGolden(const fs::path& path, const std::string& got) {
  if (g_update_goldens) {
    std::ofstream(path, std::ios::binary) << got;
  } else {
    EXPECT_EQ(ReadFile(path), got);
  }
}

TEST(Golden, ParsesToTheWantedInstructions) {
  int cases = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(TestData())) {
    if (!fs::exists(entry.path() / "Dockerfile")) continue;
    SCOPED_TRACE(entry.path().filename());
    ++cases;
    ASSERT_OK_AND_ASSIGN(const Dockerfile file, Parse(ReadFile(entry.path() / "Dockerfile"), "Dockerfile"));
    ExpectGolden(entry.path() / "want.txt", Dump(file));
  }
  EXPECT_GE(cases, 6);
}

TEST(Golden, RejectsWithTheWantedMessage) {
  int cases = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(TestData() / "rejects")) {
    if (entry.path().extension() != ".Dockerfile") continue;
    SCOPED_TRACE(entry.path().filename());
    ++cases;
    const absl::StatusOr<Dockerfile> file = Parse(ReadFile(entry.path()), "Dockerfile");
    ASSERT_FALSE(file.ok());
    EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
    ExpectGolden(fs::path(entry.path()).replace_extension(".want"), absl::StrCat(file.status().message(), "\n"));
  }
  EXPECT_GE(cases, 20);
}

}  // namespace
}  // namespace strata::dockerfile

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (absl::string_view(argv[i]) == "--update_goldens") strata::dockerfile::g_update_goldens = true;
  }
  return RUN_ALL_TESTS();
}
