// The policy: who may do what in which repositories, and the one function that decides.
//
// A text file, a rule a line; "#" begins a comment; the order of lines does not matter. What no line allows is denied.
//
//   group  NAME MEMBER...                      a member is a user, @group, identity:NAME or certificate:NAME
//   allow  WHO VERB[,VERB...] PATTERN...       WHO: a member, anonymous (everybody, logged in or not) or authenticated
//                                              VERB: pull push delete administer; administer holds the other three
//   immutable PATTERN TAG-PATTERN...           such a tag, once it is there, moves and goes only by who may administer
//   revoke WHO before TIME                     tokens of WHO from before TIME (2026-11-24T12:00:00Z) are worth nothing
//
// PATTERN is a glob over repository names: "*" stays within a component, "**" does not ("team/**"; "**" is every repository).
// Immutable once parsed; thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/auth/principal.h"
#include "lib/auth/scope.h"
#include "lib/glob/glob.h"

namespace strata::auth {

inline constexpr size_t kMaxPolicyBytes = 4 * 1024 * 1024;

// A bit each.
enum class Verb : uint8_t { kPull = 1, kPush = 2, kDelete = 4, kAdminister = 8 };
class Verbs {
 public:
  bool Has(Verb verb) const { return (bits_ & static_cast<uint8_t>(verb)) != 0; }
  void Add(Verb verb) { bits_ |= static_cast<uint8_t>(verb); }
  void Add(Verbs other) { bits_ |= other.bits_; }
  void AddAll() { bits_ = 15; }
  bool is_empty() const { return bits_ == 0; }
  bool operator==(const Verbs&) const = default;

 private:
  uint8_t bits_ = 0;
};

class Policy {
 public:
  // Denies everything to everybody.
  Policy() = default;
  // kInvalidArgument: the message begins with the number of the line, "line 3: ...".
  static absl::StatusOr<Policy> Parse(absl::string_view text);

  Verbs VerbsOn(const Principal& principal, absl::string_view repository) const;
  bool MayPullSomewhere(const Principal& principal) const;
  bool HasImmutableTags(absl::string_view repository) const;
  bool IsImmutable(absl::string_view repository, absl::string_view tag) const;
  // Tokens of `principal` that were issued earlier are void.
  absl::Time RevokedBefore(const Principal& principal) const;

 private:
  // Whom a rule is about.
  struct Who {
    enum class Kind { kAnonymous, kAuthenticated, kPrincipal, kGroup };
    Kind kind = Kind::kPrincipal;
    Principal principal;
    std::string group;
  };
  struct Rule {
    Who who;
    Verbs verbs;
    std::vector<glob::Pattern> repositories;
  };
  struct ImmutableTags {
    glob::Pattern repository;
    std::vector<glob::Pattern> tags;
  };
  struct Revocation {
    Who who;
    absl::Time before;
  };
  class Reader;

  bool Concerns(const Who& who, const Principal& principal) const;

  std::vector<Rule> rules_;
  std::vector<ImmutableTags> immutable_;
  std::vector<Revocation> revocations_;
  std::map<std::string, std::set<std::string>> groups_;  // name to Principal::ToString() of all members, nested ones included
};

// What a route wants to do.
enum class Action {
  kPing,              // GET /v1/_ping: says nothing to anybody
  kEnter,             // GET /v2/: is this caller known at all; no repository
  kPull,              // read blobs, manifests, tags, referrers
  kPush,              // upload blobs, put manifests, set tags
  kDelete,            // remove blobs, manifests, tags
  kListRepositories,  // the catalog and search; no repository
  kSee,               // have the repository in a listing
};
// "pull", as messages say it.
absl::string_view ActionName(Action action);

struct Question {
  Action action = Action::kEnter;
  absl::string_view repository;
  // For kPush and kDelete: a tag that exists and would point elsewhere, or go.
  absl::string_view changed_tag;
};

// A principal and how far the proof it gave reaches.
struct Caller {
  Principal principal;
  // Set when a token of ours was shown: nothing beyond its scopes.
  std::optional<std::vector<Scope>> token_scopes;
};

struct Decision {
  enum class Verdict {
    kAllow,
    kLogIn,         // nobody in particular may not; somebody might: 401
    kWidenToken,    // the token does not reach so far, another one of the same caller would: 401, insufficient_scope
    kDeny,          // 403
  };
  Verdict verdict = Verdict::kDeny;
  std::string reason;  // for people; empty when allowed

  bool allowed() const { return verdict == Verdict::kAllow; }
};

// The one function that decides. Whether a repository, a blob or a tag exists plays no part, except for changed_tag.
Decision Decide(const Policy& policy, const Caller& caller, const Question& question);

// The scopes that a token for `principal` gets of those it asks for: the part that the policy allows. What is left without any
// action is left out.
std::vector<Scope> GrantScopes(const Policy& policy, const Principal& principal, const std::vector<Scope>& wanted);

}  // namespace strata::auth
