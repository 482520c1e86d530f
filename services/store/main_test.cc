// The program as people run it: a child process, its log lines, its exit codes, and a client on its socket.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/unique_fd.h"
#include "lib/blobstore/store_client.h"
#include "lib/testing/status_matchers.h"

extern char** environ;

namespace strata::store {
namespace {

using ::testing::HasSubstr;

constexpr char kProgram[] = "services/store/strata-store";

// A child whose standard output and error arrive here.
class Child {
 public:
  explicit Child(std::vector<std::string> arguments) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    output_.Reset(ends[0]);
    const UniqueFd write_end(ends[1]);
    arguments.insert(arguments.begin(), kProgram);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
    EXPECT_EQ(::posix_spawn(&pid_, kProgram, &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  // Reads until `text` has come, or the end; returns everything so far.
  const std::string& ReadUntil(absl::string_view text) {
    char buffer[4096];
    while (text.empty() || !absl::StrContains(all_, text)) {
      const ssize_t count = ::read(output_.get(), buffer, sizeof buffer);
      if (count <= 0) break;
      all_.append(buffer, static_cast<size_t>(count));
    }
    return all_;
  }
  void Signal(int signal) { ::kill(pid_, signal); }
  pid_t pid() const { return pid_; }
  // Exit code; -1 when a signal ended it.
  int Wait() {
    ReadUntil("");
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  UniqueFd output_;
  std::string all_;
  pid_t pid_ = -1;
};

class MainTest : public ::testing::Test {
 protected:
  MainTest() { EXPECT_NE(::mkdtemp(dir_), nullptr); }
  ~MainTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  std::string socket() const { return absl::StrCat("unix:", dir_, "/s"); }
  std::vector<std::string> Flags() const {
    return {"--listen", socket(), "--data", absl::StrCat(dir_, "/deep/data"), "--admin-listen", ""};
  }

  char dir_[32] = "/tmp/strata.XXXXXX";  // short enough for a socket's path
};

TEST_F(MainTest, ServesKeepsAndStopsCleanly) {
  const Digest digest = Digest::Of("content");
  for (const bool is_first : {true, false}) {
    Child child(Flags());
    EXPECT_THAT(child.ReadUntil("msg=\"ready\""), HasSubstr(absl::StrCat("listen=", socket())));
    const auto client = blobstore::StoreClient::Connect(socket());
    if (is_first) {
      StringSource source("content");
      ASSERT_OK(blobstore::UploadBlob(*client, CallContext(), "app", source, digest));
    }
    ASSERT_OK_AND_ASSIGN(const auto reader, client->OpenBlob(CallContext(), "app", digest));
    ASSERT_OK_AND_ASSIGN(const std::string content, ReadAll(*reader, 100));
    EXPECT_EQ(content, "content");
    child.Signal(SIGTERM);
    EXPECT_EQ(child.Wait(), 0);
    EXPECT_THAT(child.ReadUntil(""), HasSubstr("msg=\"stopped\""));
  }
}

TEST_F(MainTest, AnAcknowledgedBlobSurvivesAKill) {
  const Digest digest = Digest::Of(std::string(100000, 'x'));
  {
    Child child(Flags());
    child.ReadUntil("msg=\"ready\"");
    const auto client = blobstore::StoreClient::Connect(socket());
    const std::string content(100000, 'x');
    StringSource source(content);
    ASSERT_OK(blobstore::UploadBlob(*client, CallContext(), "app", source, digest));
    child.Signal(SIGKILL);
    EXPECT_EQ(child.Wait(), -1);
  }
  Child child(Flags());
  child.ReadUntil("msg=\"ready\"");
  const auto client = blobstore::StoreClient::Connect(socket());
  ASSERT_OK_AND_ASSIGN(const auto reader, client->OpenBlob(CallContext(), "app", digest));
  ASSERT_OK_AND_ASSIGN(const std::string content, ReadAll(*reader, 1 << 20));
  EXPECT_EQ(content, std::string(100000, 'x'));
}

TEST_F(MainTest, RetentionRulesAreSetTriedAndKept) {
  const CallContext context;
  const std::vector<blobstore::RetentionRule> rules = {
      {.repositories = "**", .tags = "v*", .protect = true, .keep_last = 0, .keep_younger = {}, .remove_untagged_after = {}},
      {.repositories = "**", .tags = "*", .protect = false, .keep_last = 1, .keep_younger = absl::Hours(2), .remove_untagged_after = {}},
      {.repositories = "**", .tags = "", .protect = false, .keep_last = 0, .keep_younger = {}, .remove_untagged_after = absl::Hours(48)}};
  for (const bool is_first : {true, false}) {
    Child child(Flags());
    child.ReadUntil("msg=\"ready\"");
    const auto client = blobstore::StoreClient::Connect(socket());
    if (is_first) {
      ASSERT_OK(client->SetRetentionRules(context, rules));
      std::vector<blobstore::RetentionRule> bad = rules;
      bad[1].tags = "[";
      EXPECT_FALSE(client->SetRetentionRules(context, bad).ok());
    }
    ASSERT_OK_AND_ASSIGN(const auto stored, client->GetRetentionRules(context));
    EXPECT_TRUE(stored == rules);
    ASSERT_OK_AND_ASSIGN(const auto report, client->ApplyRetention(context, {.dry_run = true, .rules = rules, .repository = "", .limit = 0}));
    EXPECT_EQ(report.tags_removed, 0);
    EXPECT_FALSE(client->ApplyRetention(context, {.dry_run = false, .rules = rules, .repository = "", .limit = 0}).ok());
  }
}

TEST_F(MainTest, WrongFlagsAreExplained) {
  Child child({"--lisen=x"});
  EXPECT_EQ(child.Wait(), 2);
  EXPECT_THAT(child.ReadUntil(""), HasSubstr("strata-store: unknown flag \"--lisen\"; did you mean \"--listen\"?"));
  Child extra({"serve"});
  EXPECT_EQ(extra.Wait(), 2);
  EXPECT_THAT(extra.ReadUntil(""), HasSubstr("unexpected argument \"serve\""));
}

TEST_F(MainTest, HelpIsHelp) {
  Child child({"--help"});
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_THAT(child.ReadUntil(""), HasSubstr("[env STRATA_STORE_LISTEN;"));
}

TEST_F(MainTest, ASecondStoreOnTheFolderIsRefused) {
  Child first(Flags());
  first.ReadUntil("msg=\"ready\"");
  std::vector<std::string> flags = Flags();
  flags[1] = absl::StrCat("unix:", dir_, "/other");
  Child second(flags);
  EXPECT_EQ(second.Wait(), 1);
  EXPECT_THAT(second.ReadUntil(""), HasSubstr("in use"));
}

// Room for the programs beside it: most of this is shared pages of the system's libraries.
TEST_F(MainTest, AnIdleStoreIsSmall) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take several times the memory";
#endif
  Child child(Flags());
  child.ReadUntil("msg=\"ready\"");
  std::FILE* status = std::fopen(absl::StrCat("/proc/", child.pid(), "/statm").c_str(), "re");
  ASSERT_NE(status, nullptr);
  long size = 0;
  long resident = 0;
  EXPECT_EQ(std::fscanf(status, "%ld %ld", &size, &resident), 2);
  std::fclose(status);
  EXPECT_LE(resident * ::sysconf(_SC_PAGESIZE), 40 << 20);
}

}  // namespace
}  // namespace strata::store
