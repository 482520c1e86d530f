// `strata store ...`.
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "cli/app_fixture_for_test.h"
#include "lib/base/check.h"
#include "lib/base/mutex.h"
#include "lib/json/json.h"
#include "proto/strata/store/v1/retention.grpc.pb.h"

namespace strata::cli {
namespace {

using ::testing::HasSubstr;

// Keeps the rules it is given, and the last question that it was asked.
class FakeRetention final : public store::v1::RetentionService::Service {
 public:
  FakeRetention() {
    grpc::ServerBuilder server;
    int port = 0;
    server.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    server.RegisterService(this);
    server_ = server.BuildAndStart();
    STRATA_CHECK(server_ != nullptr);
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~FakeRetention() override { server_->Shutdown(std::chrono::system_clock::now()); }

  const std::string& address() const { return address_; }
  store::v1::SetRetentionRulesRequest rules() const {
    MutexLock lock(mutex_);
    return rules_;
  }
  store::v1::ApplyRetentionRequest asked() const {
    MutexLock lock(mutex_);
    return asked_;
  }
  // Set before the call.
  store::v1::ApplyRetentionResponse plan;

  grpc::Status GetRetentionRules(grpc::ServerContext*, const store::v1::GetRetentionRulesRequest*,
                                 store::v1::GetRetentionRulesResponse* response) override {
    MutexLock lock(mutex_);
    *response->mutable_rules() = rules_.rules();
    return grpc::Status::OK;
  }
  grpc::Status SetRetentionRules(grpc::ServerContext*, const store::v1::SetRetentionRulesRequest* request,
                                 store::v1::SetRetentionRulesResponse*) override {
    MutexLock lock(mutex_);
    rules_ = *request;
    return grpc::Status::OK;
  }
  grpc::Status ApplyRetention(grpc::ServerContext*, const store::v1::ApplyRetentionRequest* request,
                              store::v1::ApplyRetentionResponse* response) override {
    MutexLock lock(mutex_);
    asked_ = *request;
    *response = plan;
    return grpc::Status::OK;
  }

 private:
  mutable Mutex mutex_;
  store::v1::SetRetentionRulesRequest rules_ ABSL_GUARDED_BY(mutex_);
  store::v1::ApplyRetentionRequest asked_ ABSL_GUARDED_BY(mutex_);
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

class StoreCommandTest : public AppFixture {};

TEST_F(StoreCommandTest, AnAwayStoreIsNamed) {
  variables_["STRATA_STORE"] = "127.0.0.1:1";
  EXPECT_EQ(Run({"store", "stat"}), 3);
  EXPECT_THAT(err_, HasSubstr("store at 127.0.0.1:1 is not reachable"));
}

TEST_F(StoreCommandTest, TheGroupExplainsItself) {
  EXPECT_EQ(Run({"store"}), 0);
  EXPECT_THAT(out_, HasSubstr("prune-cache"));
  EXPECT_EQ(Run({"help", "store"}), 0);
  EXPECT_THAT(out_, HasSubstr("strata store [flags] COMMAND"));
  EXPECT_EQ(Run({"store", "stat", "--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("strata store stat"));
  EXPECT_EQ(Run({"store", "stats"}), 2);
  EXPECT_THAT(err_, HasSubstr("did you mean \"store stat\"?"));
  EXPECT_EQ(Run({"store", "gc", "now"}), 2);
  EXPECT_THAT(err_, HasSubstr("one argument too many, \"now\""));
}

TEST_F(StoreCommandTest, QuotaSaysWhatItWants) {
  EXPECT_EQ(Run({"store", "quota", "list"}), 2);
  EXPECT_THAT(err_, HasSubstr("want ls, set or rm"));
  EXPECT_EQ(Run({"store", "quota", "set"}), 2);
  EXPECT_THAT(err_, HasSubstr("needs a prefix"));
  EXPECT_EQ(Run({"store", "quota", "ls", "team"}), 2);
}

class RetentionCommandTest : public AppFixture {
 protected:
  RetentionCommandTest() { variables_["STRATA_STORE"] = store_.address(); }

  // `strata store retention` with these words behind it.
  int Retention(std::vector<std::string> words) {
    words.insert(words.begin(), {"store", "retention"});
    return Run(words);
  }

  FakeRetention store_;
};

TEST_F(RetentionCommandTest, RulesAreSetShownAndRemoved) {
  EXPECT_EQ(Retention({"ls"}), 0);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, "There are no retention rules: tags and manifests stay.\n");
  EXPECT_EQ(Retention({"set", "--repositories", "**", "--tags", "*", "--keep-last", "50", "--keep-younger", "720h"}), 0) << err_;
  EXPECT_EQ(Retention({"set", "--repositories=team/*", "--tags=pr-*", "--keep-last=3", "--position=1"}), 0) << err_;
  EXPECT_EQ(Retention({"set", "--repositories", "**", "--tags", "v*", "--protect"}), 0) << err_;
  EXPECT_EQ(Retention({"set", "--repositories", "**", "--remove-untagged-after", "168h"}), 0) << err_;
  EXPECT_EQ(out_,
            "RULE   REPOSITORIES   TAGS   EFFECT\n"
            "1      team/*         pr-*   keeps the newest 3\n"
            "2      **             *      keeps the newest 50 and those of the last 720h\n"
            "3      **             v*     protects\n"
            "4      **             -      removes untagged manifests after 168h\n");
  const std::string listed = out_;
  EXPECT_EQ(Retention({"ls"}), 0);
  EXPECT_EQ(out_, listed);
  const auto rules = store_.rules();
  ASSERT_EQ(rules.rules_size(), 4);
  EXPECT_EQ(rules.rules(1).keep_younger().seconds(), 720 * 3600);
  EXPECT_TRUE(rules.rules(2).protect());
  EXPECT_EQ(rules.rules(3).remove_untagged_after().seconds(), 168 * 3600);
  EXPECT_EQ(Retention({"rm", "2"}), 0) << err_;
  EXPECT_EQ(Retention({"rm", "--repositories", "**", "--tags", "v*"}), 0) << err_;
  EXPECT_EQ(out_,
            "RULE   REPOSITORIES   TAGS   EFFECT\n"
            "1      team/*         pr-*   keeps the newest 3\n"
            "2      **             -      removes untagged manifests after 168h\n");
}

TEST_F(RetentionCommandTest, ARuleWithTheSamePatternsIsChangedWhereItIs) {
  for (const char* tags : {"a", "b", "c"}) EXPECT_EQ(Retention({"set", "--repositories", "**", "--tags", tags, "--protect"}), 0) << err_;
  EXPECT_EQ(Retention({"set", "--repositories", "**", "--tags", "b", "--keep-last", "1"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("2      **             b      keeps the newest 1\n3 "));
  EXPECT_EQ(Retention({"set", "--repositories", "**", "--tags", "b", "--keep-last", "1", "--position", "3"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("3      **             b      keeps the newest 1\n"));
  EXPECT_EQ(Retention({"set", "--repositories", "**", "--tags", "b", "--protect", "--position", "4"}), 2);
  EXPECT_THAT(err_, HasSubstr("--position 4 is too far: beside this rule there are 2"));
  EXPECT_EQ(store_.rules().rules_size(), 3);
}

TEST_F(RetentionCommandTest, ScriptsGetJson) {
  EXPECT_EQ(Retention({"ls", "--output=json"}), 0);
  EXPECT_EQ(out_, "[]\n");
  EXPECT_EQ(Retention({"set", "--repositories", "**", "--tags", "*", "--keep-younger", "1h", "--output", "json"}), 0) << err_;
  const auto rules = json::Parse(out_);
  ASSERT_TRUE(rules.ok()) << out_;
  EXPECT_EQ(json::Dump(*rules),
            R"([{"rule":1,"repositories":"**","tags":"*","protect":false,"keep_last":0,"keep_younger_seconds":3600,)"
            R"("remove_untagged_after_seconds":0}])");
}

TEST_F(RetentionCommandTest, ThePlanSaysWhatWouldGo) {
  const std::string digest = absl::StrCat("sha256:", std::string(64, 'a'));
  auto* tag = store_.plan.add_removed();
  tag->set_repository("team/app");
  tag->set_tag("pr-1");
  tag->set_digest(digest);
  auto* manifest = store_.plan.add_removed();
  manifest->set_repository("team/app");
  manifest->set_digest(digest);
  manifest->set_rule(3);
  store_.plan.set_has_more(true);
  store_.plan.set_tags_removed(7);
  store_.plan.set_manifests_removed(2);
  store_.plan.set_blobs_freed(5);
  store_.plan.set_bytes_freed(12'345'678);
  EXPECT_EQ(Retention({"plan", "--repository", "team/app", "--limit", "2"}), 0) << err_;
  EXPECT_EQ(out_, absl::StrCat("RULE   REPOSITORY   TAG      DIGEST\n"
                               "1      team/app     pr-1     ", digest, "\n"
                               "4      team/app     <none>   ", digest, "\n"
                               "Would remove 7 tags and 2 manifests; at least 12.3MB in 5 blobs would come free.\n"));
  EXPECT_EQ(err_, "Only the first 2 are named; all are counted.\n");
  EXPECT_TRUE(store_.asked().dry_run());
  EXPECT_FALSE(store_.asked().use_rules());
  EXPECT_EQ(store_.asked().repository(), "team/app");
  EXPECT_EQ(store_.asked().limit(), 2);
  EXPECT_EQ(Retention({"plan", "--output=json"}), 0) << err_;
  const auto plan = json::Parse(out_);
  ASSERT_TRUE(plan.ok()) << out_;
  EXPECT_EQ((*plan)["removed"][1]["rule"], 4);
  EXPECT_EQ((*plan)["has_more"], true);
  EXPECT_EQ((*plan)["bytes_freed"], 12'345'678);
}

TEST_F(RetentionCommandTest, AChangeIsTriedBeforeItIsMade) {
  EXPECT_EQ(Retention({"set", "--repositories", "**", "--tags", "v*", "--protect"}), 0) << err_;
  EXPECT_EQ(Retention({"set", "--repositories", "**", "--tags", "*", "--keep-last", "2", "--dry-run"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("Would remove 0 tags"));
  EXPECT_EQ(store_.rules().rules_size(), 1);
  EXPECT_TRUE(store_.asked().dry_run());
  ASSERT_EQ(store_.asked().rules_size(), 2);
  EXPECT_EQ(store_.asked().rules(1).keep_last(), 2);
  EXPECT_EQ(Retention({"rm", "1", "--dry-run"}), 0) << err_;
  EXPECT_TRUE(store_.asked().use_rules());
  EXPECT_EQ(store_.asked().rules_size(), 0);
  EXPECT_EQ(store_.rules().rules_size(), 1);
}

TEST_F(RetentionCommandTest, SaysWhatItWants) {
  const struct {
    std::vector<std::string> words;
    int code;
    const char* want;
  } cases[] = {
      {{"list"}, 2, "did you mean \"store retention ls\"?"},
      {{"set"}, 2, "this cannot be a retention rule: it needs a pattern of repositories, \"**\" for all (see strata store retention set --help)"},
      {{"set", "--repositories", "**", "--tags", "*"}, 2, "it says neither protect, keep_last"},
      {{"set", "--repositories", "**", "--keep-last", "1"}, 2, "need a pattern of tags, \"*\" for all"},
      {{"set", "--repositories", "[", "--tags", "*", "--protect"}, 2, "["},
      {{"set", "--repositories", "**", "--keep-younger", "soon"}, 2, "--keep-younger: \"soon\" is not a duration"},
      {{"set", "--repositories", "**", "--tags", "*", "--protect", "--position", "-1"}, 2, "--position -1: want 1 or more"},
      {{"set", "team/app"}, 2, "one argument too many, \"team/app\""},
      {{"rm"}, 2, "name the rule by its number or by --repositories and --tags"},
      {{"rm", "1", "--tags", "*"}, 2, "name the rule by its number or by"},
      {{"rm", "one"}, 2, "\"one\" is not the number of a rule"},
      {{"rm", "0"}, 2, "\"0\" is not the number of a rule"},
      {{"rm", "7"}, 4, "there is no retention rule 7; strata store retention ls lists them"},
      {{"rm", "--repositories", "a", "--tags", "b"}, 4, "no retention rule with repositories \"a\" and tags \"b\""},
      {{"plan", "--limit", "0"}, 2, "--limit 0: want 1 to 10000"},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.want);
    EXPECT_EQ(Retention(test.words), test.code) << err_;
    EXPECT_THAT(err_, HasSubstr(test.want));
  }
  EXPECT_EQ(store_.rules().rules_size(), 0);
  EXPECT_EQ(Retention({"set", "--help"}), 0);
  for (const char* flag : {"--repositories GLOB", "--tags GLOB", "--protect", "--keep-last N", "--keep-younger DURATION",
                           "--remove-untagged-after DURATION", "--position N", "--dry-run"}) {
    EXPECT_THAT(out_, HasSubstr(flag));
  }
}

}  // namespace
}  // namespace strata::cli
