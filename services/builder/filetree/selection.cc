#include "services/builder/filetree/selection.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/digest/hasher.h"
#include "lib/fs/beneath.h"
#include "lib/glob/glob.h"
#include "lib/glob/ignore.h"

namespace strata::filetree {

namespace {

constexpr int kMaxLinks = 40;
constexpr int kMaxWalksBehindLinks = 100'000;  // links that lead back up give a glob of n components 2^n paths

std::string Join(absl::string_view folder, absl::string_view name) {
  return folder.empty() ? std::string(name) : absl::StrCat(folder, "/", name);
}

std::string BaseName(absl::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

absl::string_view ParentOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? "" : path.substr(0, slash);
}

// Puts the components of `path` in front of what is still to be walked.
void PushFront(std::deque<std::string>& rest, absl::string_view path) {
  const std::vector<std::string> components = absl::StrSplit(path, '/', absl::SkipEmpty());
  rest.insert(rest.begin(), components.begin(), components.end());
}

// Finds the paths that one source pattern names, links followed.
class Finder {
 public:
  explicit Finder(const FileTree& tree) : tree_(tree) {}

  struct Match {
    Node node;         // links followed
    std::string name;  // as the source names it: the last component before links were followed
    std::string path;  // the same for the whole path
  };

  absl::Status Find(absl::string_view pattern, std::vector<Match>& matches) {
    STRATA_ASSIGN_OR_RETURN(const auto root, tree_.Lookup(""));
    if (!root) return absl::OkStatus();
    std::deque<std::string> rest;
    PushFront(rest, pattern);
    return Walk(*root, "", std::move(rest), 0, matches);
  }

 private:
  // `at` is where the links led; `shown` is the same place as the source names it.
  absl::Status Walk(const Node& at, const std::string& shown, std::deque<std::string> rest, int links,
                    std::vector<Match>& matches) {
    if (links > 0 && ++walks_behind_links_ > kMaxWalksBehindLinks) {
      return absl::InvalidArgumentError("the wildcards of a source lead through too many symbolic links; name the folder they lead to");
    }
    if (rest.empty()) {
      if (has_any_depth_ && !found_.insert(shown).second) return absl::OkStatus();
      matches.push_back({at, BaseName(shown), shown});
      return absl::OkStatus();
    }
    if (!at.is_dir()) return absl::OkStatus();
    const std::string component = std::move(rest.front());
    rest.pop_front();
    if (component == "**") return WalkAnyDepth(at, shown, std::move(rest), links, matches);
    if (!glob::HasWildcard(component)) {
      STRATA_ASSIGN_OR_RETURN(const auto child, tree_.Lookup(Join(at.path, Unescape(component))));
      if (!child) return absl::OkStatus();
      return Enter(*child, Join(shown, Unescape(component)), std::move(rest), links, matches);
    }
    STRATA_ASSIGN_OR_RETURN(const glob::Pattern pattern, glob::Pattern::Compile(component));
    STRATA_ASSIGN_OR_RETURN(const std::vector<Node> children, tree_.List(at.path));
    for (const Node& child : children) {
      const std::string name = BaseName(child.path);
      if (pattern.Matches(name)) STRATA_RETURN_IF_ERROR(Enter(child, Join(shown, name), rest, links, matches));
    }
    return absl::OkStatus();
  }

  absl::Status WalkAnyDepth(const Node& at, const std::string& shown, std::deque<std::string> rest, int links,
                            std::vector<Match>& matches) {
    has_any_depth_ = true;
    // Each "**" goes through a folder once, however many ways the ones before it lead there.
    if (!entered_.emplace(rest.size(), shown).second) return absl::OkStatus();
    STRATA_RETURN_IF_ERROR(Walk(at, shown, rest, links, matches));
    STRATA_ASSIGN_OR_RETURN(const std::vector<Node> children, tree_.List(at.path));
    for (const Node& child : children) {
      if (!child.is_dir()) continue;
      STRATA_RETURN_IF_ERROR(WalkAnyDepth(child, Join(shown, BaseName(child.path)), rest, links, matches));
    }
    return absl::OkStatus();
  }

  absl::Status Enter(const Node& node, const std::string& shown, std::deque<std::string> rest, int links,
                     std::vector<Match>& matches) {
    if (!node.is_symlink()) return Walk(node, shown, std::move(rest), links, matches);
    STRATA_ASSIGN_OR_RETURN(const auto target, FollowLink(node, links));
    if (!target) return absl::OkStatus();
    return Walk(*target, shown, std::move(rest), links + 1, matches);
  }

  // Where a link leads, further links followed; absent when it dangles.
  absl::StatusOr<std::optional<Node>> FollowLink(const Node& link, int links) {
    Node at = link;
    std::deque<std::string> rest;
    while (at.is_symlink() || !rest.empty()) {
      if (at.is_symlink()) {
        if (++links > kMaxLinks) {
          return absl::InvalidArgumentError(absl::StrCat("\"/", link.path, "\": too many levels of symbolic links"));
        }
        PushFront(rest, at.link_target);
        STRATA_ASSIGN_OR_RETURN(const auto from, tree_.Lookup(absl::StartsWith(at.link_target, "/") ? "" : ParentOf(at.path)));
        if (!from) return std::nullopt;
        at = *from;
        continue;
      }
      const std::string component = std::move(rest.front());
      rest.pop_front();
      if (component == ".") continue;
      const std::string next = component == ".." ? std::string(ParentOf(at.path)) : Join(at.path, component);
      STRATA_ASSIGN_OR_RETURN(const auto node, tree_.Lookup(next));
      if (!node) return std::nullopt;
      at = *node;
    }
    return at;
  }

  static std::string Unescape(absl::string_view component) {
    std::string plain;
    for (size_t i = 0; i < component.size(); ++i) {
      if (component[i] == '\\' && i + 1 < component.size()) ++i;
      plain.push_back(component[i]);
    }
    return plain;
  }

  const FileTree& tree_;
  int walks_behind_links_ = 0;
  bool has_any_depth_ = false;                         // a "**" was met
  std::set<std::pair<size_t, std::string>> entered_;   // components left, folder
  std::set<std::string> found_;
};

absl::Status AddContents(const FileTree& tree, const std::string& folder, const std::string& relative_folder,
                         const glob::IgnoreMatcher& excludes, std::vector<Selected>& entries) {
  STRATA_ASSIGN_OR_RETURN(std::vector<Node> children, tree.List(folder));
  for (Node& child : children) {
    const std::string relative = Join(relative_folder, BaseName(child.path));
    const bool is_dir = child.is_dir();
    const bool excluded = excludes.Matches(relative);
    if (excluded && !(is_dir && excludes.MayReinclude(relative))) continue;
    const std::string path = child.path;
    const size_t before = entries.size();
    entries.push_back({std::move(child), relative});
    if (is_dir) STRATA_RETURN_IF_ERROR(AddContents(tree, path, relative, excludes, entries));
    // A folder that was only entered for what may be taken back goes again when nothing was.
    if (excluded && entries.size() == before + 1) entries.pop_back();
  }
  return absl::OkStatus();
}

// --parents: where the kept part of a source path begins ("a/./b/c" keeps "b/c").
std::pair<std::string, std::string> SplitPivot(absl::string_view source) {
  const size_t pivot = source.find("/./", 1);
  if (pivot == absl::string_view::npos) return {"", fs::CleanPath(source)};
  return {fs::CleanPath(source.substr(0, pivot)), fs::CleanPath(source.substr(pivot + 3))};
}

// The folders that lead to a kept path, then the path itself.
absl::Status AddWithParents(const FileTree& tree, const std::string& pivot, const Finder::Match& match,
                            const glob::IgnoreMatcher& excludes, std::vector<Selected>& entries) {
  // The pivot may have wildcards: its components count, not its length.
  size_t start = 0;
  for (size_t left = pivot.empty() ? 0 : 1 + std::count(pivot.begin(), pivot.end(), '/'); left > 0; --left) {
    start = std::min(match.path.size(), match.path.find('/', start)) + 1;
  }
  const std::string kept = start < match.path.size() ? match.path.substr(start) : "";
  const std::string before = start > 0 ? match.path.substr(0, start - 1) : "";
  for (size_t slash = kept.find('/'); slash != std::string::npos; slash = kept.find('/', slash + 1)) {
    const std::string relative = kept.substr(0, slash);
    STRATA_ASSIGN_OR_RETURN(auto folder, Follow(tree, Join(before, relative)));
    if (folder) entries.push_back({*std::move(folder), relative});
  }
  if (excludes.Matches(kept)) return absl::OkStatus();
  if (!kept.empty()) entries.push_back({match.node, kept});
  if (match.node.is_dir()) return AddContents(tree, match.node.path, kept, excludes, entries);
  return absl::OkStatus();
}

void HashField(Hasher& hasher, absl::string_view field) {
  const uint64_t size = field.size();
  hasher.Update(absl::string_view(reinterpret_cast<const char*>(&size), sizeof(size)));
  hasher.Update(field);
}

absl::Status HashNode(const CallContext& context, const FileTree& tree, const Node& node, const graph::CopyAction& action,
                      Hasher& hasher) {
  // A symbolic chmod depends on the mode it starts from.
  const bool mode_counts = action.chmod.empty() || action.chmod.find_first_not_of("01234567") != std::string::npos;
  HashField(hasher, absl::StrCat(node.mode & S_IFMT, " ", mode_counts ? node.mode & 07777 : 0, " ",
                                 action.chown.empty() ? absl::StrCat(node.uid, ":", node.gid) : "", " ",
                                 node.is_regular() ? node.size_bytes : 0, " ", node.device_major, ":", node.device_minor, " ",
                                 node.xattrs.size()));
  HashField(hasher, node.is_symlink() ? node.link_target : "");
  for (const auto& [name, value] : node.xattrs) {
    HashField(hasher, name);
    HashField(hasher, value);
  }
  if (!node.is_regular()) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(const Digest digest, tree.ContentDigest(context, node));
  HashField(hasher, digest.ToString());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<Node>> Follow(const FileTree& tree, absl::string_view path) {
  std::vector<Finder::Match> matches;
  STRATA_RETURN_IF_ERROR(Finder(tree).Find(glob::Escape(path), matches));
  if (matches.empty()) return std::nullopt;
  return matches.front().node;
}

absl::StatusOr<std::vector<SelectedSource>> Select(const FileTree& tree, const graph::CopyAction& action) {
  STRATA_ASSIGN_OR_RETURN(const glob::IgnoreMatcher excludes, glob::IgnoreMatcher::FromPatterns(action.excludes));
  std::vector<SelectedSource> selected;
  for (const std::string& source : action.sources) {
    const auto [pivot, kept] = action.parents ? SplitPivot(source) : std::pair<std::string, std::string>("", source);
    std::vector<Finder::Match> matches;
    STRATA_RETURN_IF_ERROR(Finder(tree).Find(Join(pivot, kept), matches));
    if (matches.empty() && action.missing_is_error && !glob::HasWildcard(source)) {
      return absl::NotFoundError(absl::StrCat("\"/", source, "\": not found"));
    }
    for (const Finder::Match& match : matches) {
      SelectedSource one;
      one.root = match.node;
      if (action.parents) {
        STRATA_RETURN_IF_ERROR(AddWithParents(tree, pivot, match, excludes, one.entries));
      } else if (match.node.is_dir()) {
        STRATA_RETURN_IF_ERROR(AddContents(tree, match.node.path, "", excludes, one.entries));
      } else if (!excludes.Matches(match.name)) {
        one.entries.push_back({match.node, match.name});
      }
      selected.push_back(std::move(one));
    }
  }
  return selected;
}

absl::StatusOr<Digest> SelectionDigest(const CallContext& context, const FileTree& tree,
                                       const std::vector<SelectedSource>& sources, const graph::CopyAction& action) {
  Hasher hasher;
  for (const SelectedSource& source : sources) {
    STRATA_RETURN_IF_ERROR(context.Check());
    // With its count, so that no name can be made to look like the beginning of another source.
    HashField(hasher, absl::StrCat(source.root.is_dir() ? "folder " : "file ", source.entries.size()));
    for (const Selected& entry : source.entries) {
      HashField(hasher, entry.relative);
      STRATA_RETURN_IF_ERROR(HashNode(context, tree, entry.node, action, hasher));
    }
  }
  return hasher.Finish();
}

}  // namespace strata::filetree
