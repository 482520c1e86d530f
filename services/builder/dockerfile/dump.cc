#include "services/builder/dockerfile/dump.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace strata::dockerfile {
namespace {

std::string Quote(absl::string_view text) { return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\""); }

std::string List(const std::vector<std::string>& words) {
  return absl::StrCat("[", absl::StrJoin(words, ", ", [](std::string* out, const std::string& word) { absl::StrAppend(out, Quote(word)); }),
                      "]");
}

// Collects "name=value" lines; what is empty or default is left out.
class Fields {
 public:
  void Add(absl::string_view name, absl::string_view text) { absl::StrAppend(&out_, "    ", name, " ", text, "\n"); }
  void Text(absl::string_view name, absl::string_view text) {
    if (!text.empty()) Add(name, Quote(text));
  }
  void Words(absl::string_view name, const std::vector<std::string>& words) {
    if (!words.empty()) Add(name, List(words));
  }
  void Flag(absl::string_view name, bool value) {
    if (value) Add(name, "true");
  }
  void Time(absl::string_view name, absl::Duration duration) {
    if (duration != absl::ZeroDuration()) Add(name, absl::FormatDuration(duration));
  }
  void Heredocs(absl::string_view name, absl::string_view content, bool expand, bool strip_tabs) {
    Add("heredoc", absl::StrCat(Quote(name), expand ? "" : " literal", strip_tabs ? " tabs-stripped" : "", " ", Quote(content)));
  }
  void Run(const Command& command) { Add(command.is_shell ? "shell" : "exec", List(command.args)); }
  void Pairs(absl::string_view name, const std::vector<KeyValue>& pairs) {
    for (const KeyValue& pair : pairs) Add(name, absl::StrCat(Quote(pair.key), " = ", Quote(pair.value)));
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string DumpMount(const Mount& mount) {
  std::string out(ToString(mount.type));
  const auto text = [&out](absl::string_view name, absl::string_view value) {
    if (!value.empty()) absl::StrAppend(&out, " ", name, "=", Quote(value));
  };
  const auto number = [&out](absl::string_view name, const std::optional<uint32_t>& value, const char* format) {
    if (value.has_value()) absl::StrAppend(&out, " ", name, "=", *format == 'o' ? absl::StrFormat("0%o", *value) : absl::StrCat(*value));
  };
  text("target", mount.target);
  text("source", mount.source);
  text("from", mount.from);
  text("id", mount.id);
  text("env", mount.env);
  absl::StrAppend(&out, mount.read_only ? " ro" : " rw");
  if (mount.type == MountType::kCache) absl::StrAppend(&out, " ", ToString(mount.sharing));
  number("mode", mount.mode, "o");
  number("uid", mount.uid, "d");
  number("gid", mount.gid, "d");
  if (mount.size_bytes != 0) absl::StrAppend(&out, " size=", mount.size_bytes);
  absl::StrAppend(&out, mount.required ? " required" : "", mount.has_variables ? " variables" : "");
  return out;
}

void Write(const From& from, Fields& out) {
  out.Text("image", from.image);
  out.Text("platform", from.platform);
  out.Text("name", from.name);
}
void Write(const Arg& arg, Fields& out) {
  for (const ArgEntry& entry : arg.args) {
    out.Add("arg", absl::StrCat(Quote(entry.name), entry.default_value.has_value() ? " = " + Quote(*entry.default_value) : ""));
  }
}
void Write(const struct Run& run, Fields& out) {
  out.Run(run.command);
  for (const Heredoc& heredoc : run.heredocs) out.Heredocs(heredoc.name, heredoc.content, heredoc.expand, heredoc.strip_tabs);
  out.Flag("heredoc-only", run.is_heredoc_only);
  out.Flag("script", IsScript(run));
  for (const Mount& mount : run.mounts) out.Add("mount", DumpMount(mount));
  if (run.network != NetworkMode::kDefault) out.Add("network", run.network == NetworkMode::kNone ? "none" : "host");
  if (run.security != SecurityMode::kSandbox) out.Add("security", "insecure");
  out.Words("devices", run.devices);
}
void Write(const Cmd& cmd, Fields& out) { out.Run(cmd.command); }
void Write(const Entrypoint& entrypoint, Fields& out) { out.Run(entrypoint.command); }
void Write(const Label& label, Fields& out) { out.Pairs("label", label.labels); }
void Write(const Maintainer& maintainer, Fields& out) { out.Text("author", maintainer.author); }
void Write(const Expose& expose, Fields& out) { out.Words("ports", expose.ports); }
void Write(const Env& env, Fields& out) { out.Pairs("env", env.variables); }
void Write(const FileTransfer& transfer, Fields& out) {
  out.Words("sources", transfer.sources);
  for (const HeredocSource& heredoc : transfer.heredocs) out.Heredocs(heredoc.name, heredoc.content, heredoc.expand, false);
  out.Text("destination", transfer.destination);
  out.Text("chown", transfer.chown);
  out.Text("chmod", transfer.chmod);
  out.Flag("link", transfer.link);
  out.Words("excludes", transfer.excludes);
}
void Write(const Add& add, Fields& out) {
  Write(static_cast<const FileTransfer&>(add), out);
  out.Text("checksum", add.checksum);
  if (add.keep_git_dir.has_value()) out.Add("keep-git-dir", *add.keep_git_dir ? "true" : "false");
  if (add.unpack.has_value()) out.Add("unpack", *add.unpack ? "true" : "false");
}
void Write(const Copy& copy, Fields& out) {
  Write(static_cast<const FileTransfer&>(copy), out);
  out.Text("from", copy.from);
  out.Flag("parents", copy.parents);
}
void Write(const Volume& volume, Fields& out) { out.Words("paths", volume.paths); }
void Write(const User& user, Fields& out) { out.Text("user", user.user); }
void Write(const Workdir& workdir, Fields& out) { out.Text("path", workdir.path); }
void Write(const Onbuild& onbuild, Fields& out) { out.Text("trigger", onbuild.trigger); }
void Write(const Stopsignal& stopsignal, Fields& out) { out.Text("signal", stopsignal.signal); }
void Write(const Healthcheck& check, Fields& out) {
  if (check.is_none) return out.Flag("none", true);
  out.Run(check.command);
  out.Time("interval", check.interval);
  out.Time("timeout", check.timeout);
  out.Time("start-period", check.start_period);
  out.Time("start-interval", check.start_interval);
  if (check.retries != 0) out.Add("retries", absl::StrCat(check.retries));
}
void Write(const Shell& shell, Fields& out) { out.Add("exec", List(shell.args)); }

std::string DumpRange(const SourceRange& range) { return absl::StrCat(range.first_line, "-", range.last_line); }

}  // namespace

std::string Dump(const Instruction& instruction) {
  Fields fields;
  std::visit([&fields](const auto& typed) { Write(typed, fields); }, instruction);
  return absl::StrCat("  ", DumpRange(Base(instruction).range), " ", Keyword(instruction), "\n    original ",
                      Quote(Base(instruction).original), "\n", fields.Take());
}

std::string Dump(const Dockerfile& file) {
  std::string out;
  const Directives& directives = file.directives;
  if (!directives.syntax.empty()) absl::StrAppend(&out, "syntax ", Quote(directives.syntax), "\n");
  if (directives.escape != '\\') absl::StrAppend(&out, "escape ", std::string(1, directives.escape), "\n");
  if (directives.check.skip_all || !directives.check.skip.empty()) {
    absl::StrAppend(&out, "skip ", directives.check.skip_all ? "all" : List(directives.check.skip), "\n");
  }
  if (directives.check.warnings_are_errors) absl::StrAppend(&out, "warnings are errors\n");
  if (!file.global_args.empty()) absl::StrAppend(&out, "global\n");
  for (const Arg& arg : file.global_args) absl::StrAppend(&out, Dump(Instruction(arg)));
  for (size_t i = 0; i < file.stages.size(); ++i) {
    const Stage& stage = file.stages[i];
    absl::StrAppend(&out, "stage ", i, " ", DumpRange(stage.range));
    if (!stage.name.empty()) absl::StrAppend(&out, " ", stage.name);
    if (!stage.description.empty()) absl::StrAppend(&out, " ", Quote(stage.description));
    absl::StrAppend(&out, "\n", Dump(Instruction(stage.from)));
    for (const Instruction& instruction : stage.instructions) absl::StrAppend(&out, Dump(instruction));
  }
  if (!file.warnings.empty()) absl::StrAppend(&out, "warnings\n");
  for (const Warning& warning : file.warnings) {
    absl::StrAppend(&out, "  ", DumpRange(warning.range), " ", warning.rule, ": ", warning.message, "\n");
  }
  return out;
}

}  // namespace strata::dockerfile
