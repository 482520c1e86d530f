#include "services/builder/executor/runtime.h"

#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/bytes/byte_stream.h"
#include "lib/json/json.h"

namespace strata::executor {
namespace {

constexpr size_t kMaxLogBytes = 1024 * 1024;

std::string FindProgram(absl::string_view name) {
  for (const char* folder : {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}) {
    std::string path = absl::StrCat(folder, "/", name);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

bool LooksLikeCrun(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return absl::StrContains(slash == absl::string_view::npos ? path : path.substr(slash + 1), "crun");
}

}  // namespace

std::string Runtime::Description() const { return absl::StrCat(path, " with ", CgroupLayoutName(cgroups)); }

std::string Runtime::LogPath(const std::string& bundle) { return absl::StrCat(bundle, "/log"); }

SandboxCommand Runtime::RunCommand(const std::string& state_root, const std::string& bundle, const std::string& id) const {
  SandboxCommand command;
  command.args = {path, "--root", state_root, "--log", LogPath(bundle), "--log-format", "json"};
  if (cgroups == CgroupLayout::kNone) {
    // runc cannot do without cgroups, but in rootless mode it goes on when it may not write them.
    command.args.insert(command.args.end(), {is_crun ? "--cgroup-manager=disabled" : "--rootless=true"});
  } else if (is_crun) {
    command.args.push_back("--cgroup-manager=cgroupfs");
  }
  command.args.insert(command.args.end(), {"run", "--bundle", bundle, id});
  command.working_dir = bundle;
  command.hide_unified_cgroup = hide_unified_cgroup;
  return command;
}

SandboxCommand Runtime::DeleteCommand(const std::string& state_root, const std::string& id) const {
  SandboxCommand command;
  command.args = {path, "--root", state_root};
  if (is_crun) command.args.push_back(cgroups == CgroupLayout::kNone ? "--cgroup-manager=disabled" : "--cgroup-manager=cgroupfs");
  command.args.insert(command.args.end(), {"delete", "--force", id});
  command.hide_unified_cgroup = hide_unified_cgroup;
  return command;
}

std::vector<Runtime> RuntimeCandidates(const std::string& wanted, CgroupLayout layout) {
  std::string crun = FindProgram("crun");
  std::string runc = FindProgram("runc");
  if (!wanted.empty()) {
    crun = LooksLikeCrun(wanted) ? wanted : "";
    runc = LooksLikeCrun(wanted) ? "" : wanted;
  }
  const bool hybrid = layout == CgroupLayout::kHybrid;
  std::vector<Runtime> candidates;
  for (const CgroupLayout cgroups : {layout, CgroupLayout::kNone}) {
    if (!crun.empty()) candidates.push_back({.path = crun, .is_crun = true, .cgroups = cgroups, .hide_unified_cgroup = hybrid});
    if (!runc.empty()) candidates.push_back({.path = runc, .is_crun = false, .cgroups = cgroups, .hide_unified_cgroup = false});
    if (layout == CgroupLayout::kNone) break;
  }
  return candidates;
}

std::string LastRuntimeError(const std::string& log_path) {
  const UniqueFd fd(::open(log_path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.is_valid()) return "";
  FdSource source(fd.get());
  const auto text = ReadAll(source, kMaxLogBytes);
  if (!text.ok()) return "";
  std::string last;
  for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipWhitespace())) {
    const auto entry = json::Parse(line);
    if (!entry.ok()) continue;
    const auto level = json::StringField(*entry, "level");
    const auto message = json::StringField(*entry, "msg");
    if (level.ok() && message.ok() && (*level == "error" || *level == "fatal")) last = *message;
  }
  return last;
}

}  // namespace strata::executor
