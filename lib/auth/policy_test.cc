#include "lib/auth/policy.h"

#include "absl/strings/str_cat.h"
#include "lib/testing/status_matchers.h"

namespace strata::auth {
namespace {

using testing::StatusIs;
using Verdict = Decision::Verdict;

constexpr char kPolicy[] = R"(
# people
group devs   alice bob identity:app-ci
group ops    carol @oncall
group oncall dave certificate:spiffe://corp/node

allow anonymous      pull            public/**
allow authenticated  pull            base/*
allow @devs          pull,push       team/**  sandbox
allow bob            delete          team/app
allow @ops           administer      **
immutable team/** v*  release
revoke alice before 2023-11-14T00:00:00Z
)";

Policy Parsed(absl::string_view text = kPolicy) {
  auto policy = Policy::Parse(text);
  EXPECT_OK(policy);
  return *std::move(policy);
}

Caller Plain(absl::string_view name) {
  const auto principal = Principal::Parse(name);
  EXPECT_OK(principal);
  return {*principal, std::nullopt};
}

Caller WithToken(absl::string_view name, absl::string_view scopes) {
  Caller caller = Plain(name);
  const auto parsed = ParseScopes(scopes);
  EXPECT_OK(parsed);
  caller.token_scopes = *parsed;
  return caller;
}

TEST(Policy, EveryActionByEveryKindOfCaller) {
  const Policy policy = Parsed();
  struct Case {
    Caller caller;
    Action action;
    const char* repository;
    Verdict want;
  };
  const Caller nobody;
  const Caller alice = Plain("user:alice");
  const Caller bob = Plain("user:bob");
  const Caller ci = Plain("identity:app-ci");
  const Caller carol = Plain("user:carol");
  const Caller node = Plain("certificate:spiffe://corp/node");
  const Caller eve = Plain("user:eve");
  const std::vector<Case> cases = {
      {nobody, Action::kPing, "", Verdict::kAllow},
      {nobody, Action::kEnter, "", Verdict::kLogIn},
      {eve, Action::kEnter, "", Verdict::kAllow},
      {WithToken("anonymous", ""), Action::kEnter, "", Verdict::kAllow},
      {nobody, Action::kPull, "public/a/b", Verdict::kAllow},
      {nobody, Action::kPush, "public/a", Verdict::kLogIn},
      {nobody, Action::kPull, "base/a", Verdict::kLogIn},
      {nobody, Action::kPull, "public", Verdict::kLogIn},
      {eve, Action::kPull, "public/a", Verdict::kAllow},
      {eve, Action::kPull, "base/a", Verdict::kAllow},
      {eve, Action::kPull, "base/a/b", Verdict::kDeny},
      {eve, Action::kPull, "team/app", Verdict::kDeny},
      {eve, Action::kPush, "base/a", Verdict::kDeny},
      {alice, Action::kPull, "team/app", Verdict::kAllow},
      {alice, Action::kPush, "team/app", Verdict::kAllow},
      {alice, Action::kPush, "sandbox", Verdict::kAllow},
      {alice, Action::kPush, "sandbox/x", Verdict::kDeny},
      {alice, Action::kDelete, "team/app", Verdict::kDeny},
      {bob, Action::kDelete, "team/app", Verdict::kAllow},
      {bob, Action::kDelete, "team/other", Verdict::kDeny},
      {ci, Action::kPush, "team/app", Verdict::kAllow},
      {Plain("user:app-ci"), Action::kPush, "team/app", Verdict::kDeny},
      {Plain("certificate:app-ci"), Action::kPush, "team/app", Verdict::kDeny},
      {node, Action::kDelete, "anything", Verdict::kAllow},
      {carol, Action::kPush, "anything", Verdict::kAllow},
      {nobody, Action::kListRepositories, "", Verdict::kAllow},
      {alice, Action::kListRepositories, "", Verdict::kAllow},
      {WithToken("user:alice", "registry:catalog:*"), Action::kListRepositories, "", Verdict::kAllow},
      {WithToken("user:alice", "registry:catalog:search"), Action::kListRepositories, "", Verdict::kAllow},
      {WithToken("user:alice", "repository:team/app:pull"), Action::kListRepositories, "", Verdict::kWidenToken},
      {WithToken("user:alice", "registry:catalog:*"), Action::kSee, "team/app", Verdict::kAllow},
      {WithToken("user:eve", "registry:catalog:*"), Action::kSee, "team/app", Verdict::kDeny},
      {WithToken("user:alice", "repository:team/app:pull"), Action::kPull, "team/app", Verdict::kAllow},
      {WithToken("user:alice", "repository:team/app:pull"), Action::kPush, "team/app", Verdict::kWidenToken},
      {WithToken("user:alice", "repository:team/app:pull"), Action::kPull, "team/other", Verdict::kWidenToken},
      {WithToken("user:alice", "repository:team/app:*"), Action::kPush, "team/app", Verdict::kAllow},
      // A token grants nothing that the policy took back since.
      {WithToken("user:alice", "repository:team/app:*"), Action::kDelete, "team/app", Verdict::kDeny},
      {WithToken("anonymous", "repository:team/app:pull"), Action::kPull, "team/app", Verdict::kLogIn},
      {WithToken("anonymous", "repository:public/a:pull"), Action::kPull, "public/a", Verdict::kAllow},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(absl::StrCat(test.caller.principal.ToString(), test.caller.token_scopes ? " (token)" : "", " ", ActionName(test.action), " ",
                              test.repository));
    const Decision decision = Decide(policy, test.caller, {.action = test.action, .repository = test.repository});
    EXPECT_EQ(decision.verdict, test.want) << decision.reason;
    EXPECT_EQ(decision.reason.empty(), decision.allowed());
  }
}

TEST(Policy, ImmutableTags) {
  const Policy policy = Parsed();
  struct Case {
    const char* who;
    Action action;
    const char* repository;
    const char* changed_tag;
    bool allowed;
  };
  for (const Case& test : std::vector<Case>{
           {"user:alice", Action::kPush, "team/app", "", true},           // a new tag
           {"user:alice", Action::kPush, "team/app", "latest", true},
           {"user:alice", Action::kPush, "team/app", "v1.0", false},
           {"user:alice", Action::kPush, "team/app", "release", false},
           {"user:alice", Action::kPush, "sandbox", "v1.0", true},        // another repository
           {"user:bob", Action::kDelete, "team/app", "v1.0", false},
           {"user:bob", Action::kDelete, "team/app", "latest", true},
           {"user:carol", Action::kPush, "team/app", "v1.0", true},       // administers
           {"user:carol", Action::kDelete, "team/app", "v1.0", true},
       }) {
    SCOPED_TRACE(absl::StrCat(test.who, " ", ActionName(test.action), " ", test.repository, ":", test.changed_tag));
    EXPECT_EQ(Decide(policy, Plain(test.who), {test.action, test.repository, test.changed_tag}).allowed(), test.allowed);
  }
}

TEST(Policy, DeniesByDefault) {
  for (const Action action : {Action::kPull, Action::kPush, Action::kDelete, Action::kListRepositories, Action::kSee}) {
    EXPECT_EQ(Decide(Policy(), Plain("user:alice"), {action, "a"}).verdict, Verdict::kDeny);
    EXPECT_EQ(Decide(Policy(), {}, {action, "a"}).verdict, Verdict::kLogIn);
  }
}

TEST(Policy, GrantsThePartOfScopesThatItAllows) {
  const Policy policy = Parsed();
  struct Case {
    const char* who;
    const char* wanted;
    std::vector<std::string> want;
  };
  for (const Case& test : std::vector<Case>{
           {"user:alice", "repository:team/app:pull,push,delete", {"repository:team/app:pull,push"}},
           {"user:alice", "repository:team/app:*", {"repository:team/app:pull,push"}},
           {"user:alice", "repository:secret:pull repository:base/a:pull,push", {"repository:base/a:pull"}},
           {"user:carol", "repository:secret:*", {"repository:secret:pull,push,delete"}},
           {"user:alice", "registry:catalog:*", {"registry:catalog:*"}},
           {"anonymous", "repository:public/a:pull,push", {"repository:public/a:pull"}},
           {"anonymous", "repository:team/app:pull", {}},
           {"user:alice", "repository(plugin):team/p:pull", {"repository(plugin):team/p:pull"}},
           {"user:carol", "user:root:all registry:other:*", {}},
       }) {
    SCOPED_TRACE(absl::StrCat(test.who, " ", test.wanted));
    const auto wanted = ParseScopes(test.wanted);
    ASSERT_OK(wanted);
    std::vector<std::string> granted;
    for (const Scope& scope : GrantScopes(policy, Plain(test.who).principal, *wanted)) granted.push_back(scope.ToString());
    EXPECT_EQ(granted, test.want);
  }
  EXPECT_TRUE(GrantScopes(Policy(), Principal(), {{"registry", "", "catalog", {"*"}}}).empty());
}

TEST(Policy, Revocation) {
  const Policy policy = Parsed();
  EXPECT_EQ(policy.RevokedBefore(Principal::User("alice")), absl::FromCivil(absl::CivilDay(2023, 11, 14), absl::UTCTimeZone()));
  EXPECT_EQ(policy.RevokedBefore(Principal::User("bob")), absl::InfinitePast());
}

TEST(Policy, Refuses) {
  struct Case {
    const char* text;
    const char* why;
  };
  for (const Case& test : std::vector<Case>{
           {"permit alice pull **", "line 1: \"permit\" begins no rule"},
           {"\nallow alice pull", "line 2: a rule is: allow"},
           {"allow alice fly **", "verb \"fly\""},
           {"allow alice pull, **", "verb"},
           {"allow @nobody pull **", "line 1: there is no group \"nobody\""},
           {"group devs @nobody\nallow @devs pull **", "no group \"nobody\""},
           {"allow role:x pull **", "\"role:x\""},
           {"allow al\"ice pull **", "user's name"},
           {"allow alice pull [", "line 1"},
           {"immutable **", "immutable PATTERN"},
           {"immutable ** [", "line 1"},
           {"group devs", "group NAME"},
           {"revoke alice before yesterday", "no time"},
           {"revoke alice", "revoke WHO"},
       }) {
    EXPECT_THAT(Policy::Parse(test.text), StatusIs(absl::StatusCode::kInvalidArgument, test.why)) << test.text;
  }
}

TEST(Policy, GroupsMayHoldEachOther) {
  const Policy policy = Parsed("group a alice @b\ngroup b bob @a\nallow @a pull **");
  EXPECT_TRUE(Decide(policy, Plain("user:bob"), {Action::kPull, "x"}).allowed());
}

TEST(Principal, NamesOfCertificates) {
  EXPECT_EQ((PeerCertificate{"node-1", {}, {}}).ToPrincipal().ToString(), "certificate:node-1");
  EXPECT_EQ((PeerCertificate{"node-1", {"spiffe://a/b"}, {"x"}}).ToPrincipal().ToString(), "certificate:spiffe://a/b");
  EXPECT_EQ((PeerCertificate{"", {}, {"node.example"}}).ToPrincipal().ToString(), "certificate:node.example");
  EXPECT_TRUE((PeerCertificate{}).ToPrincipal().is_anonymous());
  EXPECT_TRUE((PeerCertificate{"a b", {}, {}}).ToPrincipal().is_anonymous());
}

}  // namespace
}  // namespace strata::auth
