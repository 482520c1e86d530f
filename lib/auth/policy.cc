#include "lib/auth/policy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"

namespace strata::auth {
namespace {

constexpr size_t kMaxLineBytes = 64 * 1024;

using Words = std::vector<absl::string_view>;

absl::Status Wrong(absl::string_view why) { return absl::InvalidArgumentError(why); }

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", absl::CHexEscape(text.substr(0, 100)), "\""); }

absl::StatusOr<Verbs> ParseVerbs(absl::string_view text) {
  Verbs verbs;
  for (const absl::string_view name : absl::StrSplit(text, ',')) {
    if (name == "pull") {
      verbs.Add(Verb::kPull);
    } else if (name == "push") {
      verbs.Add(Verb::kPush);
    } else if (name == "delete") {
      verbs.Add(Verb::kDelete);
    } else if (name == "administer") {
      verbs.AddAll();
    } else {
      return Wrong(absl::StrCat("verb ", Quoted(name), " is none of pull, push, delete and administer"));
    }
  }
  return verbs;
}

absl::StatusOr<Principal> ParseMember(absl::string_view text) {
  if (!absl::StrContains(text, ":")) {
    if (IsPlainName(text) && text != "anonymous" && text != "authenticated") return Principal::User(text);
    return Wrong(absl::StrCat(Quoted(text), " cannot be a user's name"));
  }
  auto principal = Principal::Parse(text);
  if (principal.ok()) return principal;
  return Wrong(absl::StrCat(Quoted(text), " is none of USER, @GROUP, identity:NAME and certificate:NAME"));
}

}  // namespace

class Policy::Reader {
 public:
  absl::Status ReadLine(absl::string_view line) {
    if (line.size() > kMaxLineBytes) return Wrong("the line is too long");
    line = line.substr(0, line.find('#'));
    const Words words = absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) return absl::OkStatus();
    if (words[0] == "group") return ReadGroup(words);
    if (words[0] == "allow") return ReadAllow(words);
    if (words[0] == "immutable") return ReadImmutable(words);
    if (words[0] == "revoke") return ReadRevoke(words);
    return Wrong(absl::StrCat(Quoted(words[0]), " begins no rule; group, allow, immutable and revoke do"));
  }

  absl::StatusOr<Policy> Finish() {
    for (const auto& [name, line] : used_groups_) {
      if (!members_.contains(name)) return Wrong(absl::StrCat("line ", line, ": there is no group ", Quoted(name)));
    }
    for (const auto& [name, members] : members_) {
      std::set<std::string> visited;
      Expand(name, policy_.groups_[name], visited);
    }
    return std::move(policy_);
  }

  void NextLine() { ++line_; }
  int line() const { return line_; }

 private:
  absl::StatusOr<Who> ReadWho(absl::string_view word) {
    Who who;
    if (word == "anonymous") {
      who.kind = Who::Kind::kAnonymous;
      return who;
    }
    if (word == "authenticated") {
      who.kind = Who::Kind::kAuthenticated;
      return who;
    }
    if (absl::ConsumePrefix(&word, "@")) {
      who.kind = Who::Kind::kGroup;
      who.group = std::string(word);
      used_groups_.emplace(who.group, line_);
      return who;
    }
    STRATA_ASSIGN_OR_RETURN(who.principal, ParseMember(word));
    return who;
  }

  absl::Status ReadGroup(const Words& words) {
    if (words.size() < 3) return Wrong("a group is: group NAME MEMBER...");
    if (!IsPlainName(words[1])) return Wrong(absl::StrCat(Quoted(words[1]), " cannot be a group's name"));
    std::set<std::string>& members = members_[std::string(words[1])];
    for (size_t i = 2; i < words.size(); ++i) {
      if (words[i].front() == '@') {
        used_groups_.emplace(std::string(words[i].substr(1)), line_);
        members.insert(std::string(words[i]));
        continue;
      }
      STRATA_ASSIGN_OR_RETURN(const Principal member, ParseMember(words[i]));
      members.insert(member.ToString());
    }
    return absl::OkStatus();
  }

  absl::Status ReadAllow(const Words& words) {
    if (words.size() < 4) return Wrong("a rule is: allow WHO VERB,... PATTERN...");
    Rule rule;
    STRATA_ASSIGN_OR_RETURN(rule.who, ReadWho(words[1]));
    STRATA_ASSIGN_OR_RETURN(rule.verbs, ParseVerbs(words[2]));
    for (size_t i = 3; i < words.size(); ++i) {
      STRATA_ASSIGN_OR_RETURN(glob::Pattern pattern, glob::Pattern::Compile(words[i], glob::Syntax::kDoubleStar));
      rule.repositories.push_back(std::move(pattern));
    }
    policy_.rules_.push_back(std::move(rule));
    return absl::OkStatus();
  }

  absl::Status ReadImmutable(const Words& words) {
    if (words.size() < 3) return Wrong("a rule is: immutable PATTERN TAG-PATTERN...");
    STRATA_ASSIGN_OR_RETURN(glob::Pattern repository, glob::Pattern::Compile(words[1], glob::Syntax::kDoubleStar));
    ImmutableTags rule{std::move(repository), {}};
    for (size_t i = 2; i < words.size(); ++i) {
      STRATA_ASSIGN_OR_RETURN(glob::Pattern pattern, glob::Pattern::Compile(words[i]));
      rule.tags.push_back(std::move(pattern));
    }
    policy_.immutable_.push_back(std::move(rule));
    return absl::OkStatus();
  }

  absl::Status ReadRevoke(const Words& words) {
    if (words.size() != 4 || words[2] != "before") return Wrong("a rule is: revoke WHO before TIME");
    Revocation revocation;
    STRATA_ASSIGN_OR_RETURN(revocation.who, ReadWho(words[1]));
    std::string error;
    if (!absl::ParseTime(absl::RFC3339_full, words[3], &revocation.before, &error)) {
      return Wrong(absl::StrCat(Quoted(words[3]), " is no time such as 2026-11-24T12:00:00Z"));
    }
    policy_.revocations_.push_back(std::move(revocation));
    return absl::OkStatus();
  }

  void Expand(const std::string& group, std::set<std::string>& into, std::set<std::string>& visited) const {
    if (!visited.insert(group).second) return;
    for (const std::string& member : members_.at(group)) {
      if (member.front() == '@') {
        Expand(member.substr(1), into, visited);
      } else {
        into.insert(member);
      }
    }
  }

  Policy policy_;
  int line_ = 0;
  std::map<std::string, std::set<std::string>> members_;  // as written, "@group" among them
  std::map<std::string, int> used_groups_;                // and the line that names it first
};

absl::StatusOr<Policy> Policy::Parse(absl::string_view text) {
  if (text.size() > kMaxPolicyBytes) return Wrong(absl::StrCat("a policy of more than ", kMaxPolicyBytes, " bytes"));
  Reader reader;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    reader.NextLine();
    const absl::Status read = reader.ReadLine(line);
    if (!read.ok()) return Annotate(read, absl::StrCat("line ", reader.line()));
  }
  return reader.Finish();
}

bool Policy::Concerns(const Who& who, const Principal& principal) const {
  switch (who.kind) {
    case Who::Kind::kAnonymous: return true;
    case Who::Kind::kAuthenticated: return !principal.is_anonymous();
    case Who::Kind::kPrincipal: return who.principal == principal;
    case Who::Kind::kGroup: {
      const auto group = groups_.find(who.group);
      return group != groups_.end() && group->second.contains(principal.ToString());
    }
  }
  return false;
}

Verbs Policy::VerbsOn(const Principal& principal, absl::string_view repository) const {
  Verbs verbs;
  for (const Rule& rule : rules_) {
    if (!Concerns(rule.who, principal)) continue;
    const bool matches = std::any_of(rule.repositories.begin(), rule.repositories.end(),
                                     [repository](const glob::Pattern& pattern) { return pattern.Matches(repository); });
    if (matches) verbs.Add(rule.verbs);
  }
  return verbs;
}

bool Policy::MayPullSomewhere(const Principal& principal) const {
  return std::any_of(rules_.begin(), rules_.end(),
                     [&](const Rule& rule) { return rule.verbs.Has(Verb::kPull) && Concerns(rule.who, principal); });
}

bool Policy::HasImmutableTags(absl::string_view repository) const {
  return std::any_of(immutable_.begin(), immutable_.end(),
                     [repository](const ImmutableTags& rule) { return rule.repository.Matches(repository); });
}

bool Policy::IsImmutable(absl::string_view repository, absl::string_view tag) const {
  for (const ImmutableTags& rule : immutable_) {
    if (!rule.repository.Matches(repository)) continue;
    for (const glob::Pattern& pattern : rule.tags) {
      if (pattern.Matches(tag)) return true;
    }
  }
  return false;
}

absl::Time Policy::RevokedBefore(const Principal& principal) const {
  absl::Time latest = absl::InfinitePast();
  for (const Revocation& revocation : revocations_) {
    if (Concerns(revocation.who, principal)) latest = std::max(latest, revocation.before);
  }
  return latest;
}

}  // namespace strata::auth
