#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/store/store_commands.h"
#include "cli/exit_code.h"
#include "cli/output/human.h"
#include "cli/output/table.h"
#include "lib/base/status.h"
#include "lib/blobstore/retention.h"
#include "lib/blobstore/store_client.h"
#include "lib/json/json.h"

namespace strata::cli {
namespace {

using blobstore::RetentionReport;
using blobstore::RetentionRule;
using blobstore::RetentionRunOptions;
using blobstore::StoreClient;
using Rules = std::vector<RetentionRule>;

constexpr int64_t kMaxItems = 10'000;  // that the store names in one answer

constexpr char kOrder[] =
    "A tag that a protecting rule matches stays. Else the first rule with tags that matches decides alone.\n"
    "A tag that no rule matches stays. Say first what is to stay, try with --dry-run, then set:\n"
    "  strata store retention set --repositories '**' --tags 'v*' --protect\n"
    "  strata store retention set --repositories 'team/*' --tags 'pr-*' --keep-last 3 --dry-run";

// What a rule is known by: of two with the same patterns the second would never decide anything.
void AddPatterns(CommandLine& line, RetentionRule& rule) {
  line.Add(&rule.repositories,
           {.flag = "repositories", .value_name = "GLOB", .help = "Its repositories: \"*\" stops at \"/\", \"**\" does not. Quote it."});
  line.Add(&rule.tags, {.flag = "tags", .value_name = "GLOB", .help = "Its tags; leave it out in a rule about untagged manifests."});
}

auto SamePatterns(const RetentionRule& rule) {
  return [&rule](const RetentionRule& other) { return other.repositories == rule.repositories && other.tags == rule.tags; };
}

std::string EffectOf(const RetentionRule& rule) {
  if (rule.protect) return rule.tags.empty() ? "protects untagged manifests" : "protects";
  if (rule.tags.empty()) return absl::StrCat("removes untagged manifests after ", absl::FormatDuration(rule.remove_untagged_after));
  std::vector<std::string> kept;
  if (rule.keep_last > 0) kept.push_back(absl::StrCat("the newest ", rule.keep_last));
  if (rule.keep_younger > absl::ZeroDuration()) kept.push_back(absl::StrCat("those of the last ", absl::FormatDuration(rule.keep_younger)));
  return absl::StrCat("keeps ", absl::StrJoin(kept, " and "));
}

json::Value ToJson(const RetentionRule& rule, size_t number) {
  return {{"rule", number},
          {"repositories", rule.repositories},
          {"tags", rule.tags},
          {"protect", rule.protect},
          {"keep_last", rule.keep_last},
          {"keep_younger_seconds", absl::ToInt64Seconds(rule.keep_younger)},
          {"remove_untagged_after_seconds", absl::ToInt64Seconds(rule.remove_untagged_after)}};
}

absl::Status PrintRules(const Invocation& invocation, const Rules& rules) {
  if (invocation.options.json()) {
    json::Value list = json::Value::array();
    for (size_t i = 0; i < rules.size(); ++i) list.push_back(ToJson(rules[i], i + 1));
    return invocation.Print(absl::StrCat(json::DumpPretty(list), "\n"));
  }
  if (rules.empty()) {
    invocation.Tell("There are no retention rules: tags and manifests stay.\n");
    return absl::OkStatus();
  }
  Table table({"RULE", "REPOSITORIES", "TAGS", "EFFECT"});
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string tags = rules[i].tags.empty() ? "-" : CleanLine(rules[i].tags, false);
    table.AddRow({absl::StrCat(i + 1), CleanLine(rules[i].repositories, false), tags, EffectOf(rules[i])});
  }
  return invocation.Print(table.ToString());
}

absl::Status PrintPlanAsJson(const Invocation& invocation, const RetentionReport& plan) {
  json::Value removed = json::Value::array();
  for (const RetentionReport::Item& item : plan.removed) {
    removed.push_back({{"rule", item.rule + 1}, {"repository", item.repository}, {"tag", item.tag}, {"digest", item.digest.ToString()}});
  }
  const json::Value document = {{"removed", std::move(removed)},
                                {"has_more", plan.has_more},
                                {"tags_removed", plan.tags_removed},
                                {"manifests_removed", plan.manifests_removed},
                                {"blobs_freed", plan.blobs_freed},
                                {"bytes_freed", plan.bytes_freed},
                                {"tags_examined", plan.tags_examined},
                                {"manifests_examined", plan.manifests_examined}};
  return invocation.Print(absl::StrCat(json::DumpPretty(document), "\n"));
}

absl::Status PrintPlan(const Invocation& invocation, StoreClient& store, RetentionRunOptions options) {
  options.dry_run = true;
  STRATA_ASSIGN_OR_RETURN(const RetentionReport plan, store.ApplyRetention(invocation.Call(), options));
  if (invocation.options.json()) return PrintPlanAsJson(invocation, plan);
  if (!plan.removed.empty()) {
    Table table({"RULE", "REPOSITORY", "TAG", "DIGEST"});
    for (const RetentionReport::Item& item : plan.removed) {
      table.AddRow({absl::StrCat(item.rule + 1), item.repository, item.tag.empty() ? "<none>" : item.tag, item.digest.ToString()});
    }
    STRATA_RETURN_IF_ERROR(invocation.Print(table.ToString()));
  }
  if (plan.has_more) invocation.Tell(absl::StrCat("Only the first ", plan.removed.size(), " are named; all are counted.\n"));
  return invocation.Print(absl::StrCat("Would remove ", plan.tags_removed, " tags and ", plan.manifests_removed, " manifests; at least ",
                                       HumanSize(plan.bytes_freed), " in ", plan.blobs_freed, " blobs would come free.\n"));
}

// Makes `rules` those of the store, or tells what they would do.
absl::Status Conclude(const Invocation& invocation, StoreClient& store, const Rules& rules, bool is_dry_run) {
  if (is_dry_run) return PrintPlan(invocation, store, {.dry_run = true, .rules = rules, .repository = "", .limit = 0});
  STRATA_RETURN_IF_ERROR(store.SetRetentionRules(invocation.Call(), rules));
  return PrintRules(invocation, rules);
}

absl::Status RunList(Invocation& invocation) {
  CommandLine line(invocation, "store retention ls", "Lists the retention rules in their order.", "");
  line.SetEpilogue(kOrder);
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  const auto store = StoreClient::Connect(invocation.options.store);
  STRATA_ASSIGN_OR_RETURN(const Rules rules, store->GetRetentionRules(invocation.Call()));
  return PrintRules(invocation, rules);
}

// Puts the rule in the place of the one with its patterns, else behind all others; or at `position`, from 1, when that is not 0.
absl::Status Place(const RetentionRule& rule, int64_t position, Rules* rules) {
  const auto old = std::find_if(rules->begin(), rules->end(), SamePatterns(rule));
  size_t index = static_cast<size_t>(old - rules->begin());
  if (old != rules->end()) rules->erase(old);
  if (position > static_cast<int64_t>(rules->size()) + 1) {
    return UsageError(absl::StrCat("--position ", position, " is too far: beside this rule there are ", rules->size()));
  }
  if (position > 0) index = static_cast<size_t>(position - 1);
  rules->insert(rules->begin() + static_cast<ptrdiff_t>(index), rule);
  return absl::OkStatus();
}

absl::Status RunSet(Invocation& invocation) {
  RetentionRule rule;
  int64_t position = 0;
  bool is_dry_run = false;
  CommandLine line(invocation, "store retention set",
                   "Adds a retention rule, or changes the one with these repositories and tags. Say what it does: --protect; or --keep-last, "
                   "--keep-younger or both; or --remove-untagged-after.",
                   "--repositories GLOB [--tags GLOB]");
  AddPatterns(line, rule);
  line.Add(&rule.protect, {.flag = "protect", .help = "These tags stay, whatever other rules say; without --tags: untagged manifests stay."});
  line.Add(&rule.keep_last, {.flag = "keep-last", .help = "The newest N of its tags stay in each repository, older ones go. 0: does not keep."});
  line.Add(&rule.keep_younger, {.flag = "keep-younger", .help = "Its tags of the last DURATION stay, older ones go: 720h. 0: does not keep."});
  line.Add(&rule.remove_untagged_after,
           {.flag = "remove-untagged-after", .help = "Manifests go that had no tag, index or living subject for so long: 168h. 0: does not remove."});
  line.Add(&position, {.flag = "position", .help = "Its place in the order, from 1. 0: that which it has, a new one is the last."});
  line.Add(&is_dry_run, {.flag = "dry-run", .help = "Set nothing; say what the rules would remove if it was set."});
  line.SetEpilogue(kOrder);
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  if (position < 0) return UsageError(absl::StrCat("--position ", position, ": want 1 or more"));
  const absl::Status checked = blobstore::CheckRetentionRule(rule);
  if (!checked.ok()) {
    return UsageError(absl::StrCat("this cannot be a retention rule: ", checked.message(), " (see strata store retention set --help)"));
  }
  const auto store = StoreClient::Connect(invocation.options.store);
  STRATA_ASSIGN_OR_RETURN(Rules rules, store->GetRetentionRules(invocation.Call()));
  STRATA_RETURN_IF_ERROR(Place(rule, position, &rules));
  return Conclude(invocation, *store, rules, is_dry_run);
}

// The rule of that number, or with these patterns when there is no number. kNotFound: there is none.
absl::StatusOr<Rules::iterator> Find(Rules& rules, int64_t number, const RetentionRule& patterns) {
  constexpr char kLook[] = "; strata store retention ls lists them";
  if (number > static_cast<int64_t>(rules.size())) {
    return absl::NotFoundError(absl::StrCat("there is no retention rule ", number, kLook));
  }
  if (number > 0) return rules.begin() + static_cast<ptrdiff_t>(number - 1);
  const auto found = std::find_if(rules.begin(), rules.end(), SamePatterns(patterns));
  if (found != rules.end()) return found;
  return absl::NotFoundError(absl::StrCat("there is no retention rule with repositories \"", patterns.repositories, "\" and ",
                                          patterns.tags.empty() ? "without tags" : absl::StrCat("tags \"", patterns.tags, "\""), kLook));
}

absl::Status RunRemove(Invocation& invocation) {
  RetentionRule patterns;
  bool is_dry_run = false;
  CommandLine line(invocation, "store retention rm",
                   "Removes one retention rule: by its number, as ls shows it, or by its repositories and tags.",
                   "NUMBER | --repositories GLOB [--tags GLOB]");
  AddPatterns(line, patterns);
  line.Add(&is_dry_run, {.flag = "dry-run", .help = "Remove nothing; say what the other rules would remove without it."});
  line.SetEpilogue(kOrder);
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 1));
  if (!operands.has_value()) return absl::OkStatus();
  const bool has_patterns = !patterns.repositories.empty() || !patterns.tags.empty();
  if (has_patterns != operands->empty()) {
    return UsageError("name the rule by its number or by --repositories and --tags (see strata store retention rm --help)");
  }
  int64_t number = 0;
  if (!has_patterns && (!absl::SimpleAtoi(operands->front(), &number) || number < 1)) {
    return UsageError(absl::StrCat("\"", operands->front(), "\" is not the number of a rule; strata store retention ls shows them"));
  }
  const auto store = StoreClient::Connect(invocation.options.store);
  STRATA_ASSIGN_OR_RETURN(Rules rules, store->GetRetentionRules(invocation.Call()));
  STRATA_ASSIGN_OR_RETURN(const auto found, Find(rules, number, patterns));
  rules.erase(found);
  return Conclude(invocation, *store, rules, is_dry_run);
}

absl::Status RunPlan(Invocation& invocation) {
  std::string repository;
  int64_t limit = 1000;
  CommandLine line(invocation, "store retention plan",
                   "Says which tags and manifests the rules would remove if they were applied now, which the store does every "
                   "--retention-interval, and changes nothing. Before a rule is set or removed: set --dry-run, rm --dry-run.",
                   "");
  line.Add(&repository, {.flag = "repository", .value_name = "NAME", .help = "Only this one; all unless given."});
  line.Add(&limit, {.flag = "limit", .help = absl::StrCat("How many to name, 1 to ", kMaxItems, "; all are counted.")});
  line.SetEpilogue(
      "Manifests: those without tags that go, and those that follow their last tag after the grace period. Blobs: those\n"
      "that only these manifests name.");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  if (limit < 1 || limit > kMaxItems) return UsageError(absl::StrCat("--limit ", limit, ": want 1 to ", kMaxItems));
  const auto store = StoreClient::Connect(invocation.options.store);
  return PrintPlan(invocation, *store, {.dry_run = true, .rules = std::nullopt, .repository = repository, .limit = static_cast<int>(limit)});
}

}  // namespace

absl::Status RunStoreRetention(Invocation& invocation) {
  return RunGroup(invocation, "store retention",
                  "Which tags and untagged manifests the store removes by itself. Without rules nothing goes. The later of two changes "
                  "made at the same time wins.",
                  {
                      {"ls", "List the rules.", RunList},
                      {"set", "Add a rule, or change one.", RunSet},
                      {"rm", "Remove a rule.", RunRemove},
                      {"plan", "Say what the rules would remove now.", RunPlan},
                  });
}

}  // namespace strata::cli
