#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/auth/policy.h"

namespace strata::auth {
namespace {

using Verdict = Decision::Verdict;

Decision Allow() { return {Verdict::kAllow, ""}; }

// What the policy does not allow: somebody unknown may be allowed more once we know them.
Decision Refuse(const Principal& principal, std::string reason) {
  return {principal.is_anonymous() ? Verdict::kLogIn : Verdict::kDeny, std::move(reason)};
}

std::optional<Verb> VerbOf(Action action) {
  switch (action) {
    case Action::kPull:
    case Action::kSee: return Verb::kPull;
    case Action::kPush: return Verb::kPush;
    case Action::kDelete: return Verb::kDelete;
    default: return std::nullopt;
  }
}

bool TokenReaches(const Caller& caller, absl::string_view type, absl::string_view name, absl::string_view action) {
  if (!caller.token_scopes) return true;
  return std::any_of(caller.token_scopes->begin(), caller.token_scopes->end(), [&](const Scope& scope) {
    return scope.type == type && scope.name == name && scope.Has(action);
  });
}

std::string NameForPeople(const Principal& principal) {
  return principal.is_anonymous() ? "an anonymous caller" : principal.ToString();
}

Decision DecideRepository(const Policy& policy, const Caller& caller, const Question& question, Verb verb) {
  const Verbs verbs = policy.VerbsOn(caller.principal, question.repository);
  const absl::string_view action = ActionName(question.action);
  if (!verbs.Has(verb)) {
    return Refuse(caller.principal, absl::StrCat(NameForPeople(caller.principal), " may not ", action, " in ", question.repository));
  }
  // Listings are asked for with a token of another scope.
  if (question.action != Action::kSee && !TokenReaches(caller, "repository", question.repository, action)) {
    return {Verdict::kWidenToken, absl::StrCat("the token does not allow to ", action, " in ", question.repository)};
  }
  const bool freezes = !question.changed_tag.empty() && policy.IsImmutable(question.repository, question.changed_tag);
  if (freezes && !verbs.Has(Verb::kAdminister)) {
    return Refuse(caller.principal, absl::StrCat("tag \"", question.changed_tag, "\" of ", question.repository,
                                                 " exists and is immutable; push under another tag"));
  }
  return Allow();
}

Decision DecideListing(const Policy& policy, const Caller& caller) {
  if (!policy.MayPullSomewhere(caller.principal)) {
    return Refuse(caller.principal, absl::StrCat(NameForPeople(caller.principal), " may not list repositories"));
  }
  if (TokenReaches(caller, "registry", "catalog", "*") || TokenReaches(caller, "registry", "catalog", "search")) return Allow();
  return {Verdict::kWidenToken, "the token does not allow to list repositories"};
}

}  // namespace

absl::string_view ActionName(Action action) {
  switch (action) {
    case Action::kPing: return "ping";
    case Action::kEnter: return "enter";
    case Action::kPull: return "pull";
    case Action::kPush: return "push";
    case Action::kDelete: return "delete";
    case Action::kListRepositories: return "list repositories";
    case Action::kSee: return "see";
  }
  return "";
}

Decision Decide(const Policy& policy, const Caller& caller, const Question& question) {
  switch (question.action) {
    case Action::kPing: return Allow();
    case Action::kEnter:
      // An anonymous token is proof enough of having been to the token server.
      if (!caller.principal.is_anonymous() || caller.token_scopes) return Allow();
      return {Verdict::kLogIn, "authentication is required"};
    case Action::kListRepositories: return DecideListing(policy, caller);
    default: break;
  }
  const std::optional<Verb> verb = VerbOf(question.action);
  if (!verb) return {Verdict::kDeny, "there is no such action"};
  return DecideRepository(policy, caller, question, *verb);
}

std::vector<Scope> GrantScopes(const Policy& policy, const Principal& principal, const std::vector<Scope>& wanted) {
  std::vector<Scope> granted;
  for (const Scope& scope : wanted) {
    Scope grant = scope;
    grant.actions.clear();
    if (scope.type == "repository") {
      const Verbs verbs = policy.VerbsOn(principal, scope.name);
      for (const auto& [name, verb] : {std::pair("pull", Verb::kPull), {"push", Verb::kPush}, {"delete", Verb::kDelete}}) {
        if (scope.Has(name) && verbs.Has(verb)) grant.actions.push_back(name);
      }
    } else if (scope.type == "registry" && scope.name == "catalog" && policy.MayPullSomewhere(principal)) {
      grant.actions = scope.actions;
    }
    if (!grant.actions.empty()) granted.push_back(std::move(grant));
  }
  return granted;
}

}  // namespace strata::auth
