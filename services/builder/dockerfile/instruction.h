// Dockerfile instructions as values: what the parser understood, before any variable is expanded.
//
// "Word" in a comment below means text that still holds its quotes, escapes and variables: pass it to ExpandWord (expand.h)
// with the escape character of the file before use, also when it came from a JSON array. Everything else is final.
// Value types; thread-compatible.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/builder/dockerfile/mount.h"
#include "services/builder/dockerfile/source_range.h"

namespace strata::dockerfile {

// What every instruction has.
struct InstructionBase {
  SourceRange range;     // its lines, here-documents included
  std::string original;  // the text on one line, continuations joined, without here-document bodies; for history
};

// <<NAME. The content ends with a line feed unless it is empty.
struct Heredoc {
  std::string name;
  std::string content;      // `<<-` already applied: leading tabs are gone
  bool expand = true;       // false when the name was quoted: take the content literally
  bool strip_tabs = false;  // it was `<<-`
};

// The command of RUN, CMD, ENTRYPOINT and HEALTHCHECK: JSON form is argv; shell form is one string for the SHELL.
struct Command {
  bool is_shell = false;
  std::vector<std::string> args;  // shell form: at most one element; `CMD []` has none
};

struct KeyValue {
  std::string key;    // a word
  std::string value;  // a word
};

struct From : InstructionBase {
  std::string image;     // a word: stage name, image reference or "scratch"; global ARGs only
  std::string platform;  // a word, "" when absent; global ARGs only
  std::string name;      // the name after AS in lower case, "" when absent
};

struct ArgEntry {
  std::string name;                          // a word
  std::optional<std::string> default_value;  // a word
};

// Each entry's default sees the entries before it.
struct Arg : InstructionBase {
  std::vector<ArgEntry> args;
};

enum class NetworkMode { kDefault, kNone, kHost };
enum class SecurityMode { kSandbox, kInsecure };

struct Run : InstructionBase {
  Command command;
  std::vector<Heredoc> heredocs;  // shell form only
  bool is_heredoc_only = false;   // the command is nothing but one here-document
  std::vector<Mount> mounts;
  NetworkMode network = NetworkMode::kDefault;
  SecurityMode security = SecurityMode::kSandbox;
  std::vector<std::string> devices;  // --device values as written
};

struct Cmd : InstructionBase {
  Command command;
};

struct Entrypoint : InstructionBase {
  Command command;
};

// All values are expanded with the environment before the instruction.
struct Label : InstructionBase {
  std::vector<KeyValue> labels;
};

struct Maintainer : InstructionBase {
  std::string author;
};

struct Expose : InstructionBase {
  std::vector<std::string> ports;  // words for ExpandWords: one may become several
};

// All values are expanded with the environment before the instruction.
struct Env : InstructionBase {
  std::vector<KeyValue> variables;
};

// A file given in the Dockerfile itself: `COPY <<app.conf /etc/`.
struct HeredocSource {
  std::string name;     // a word when `expand`
  std::string content;  // expand it with ExpandHeredoc when `expand`
  bool expand = true;
};

// What COPY and ADD share.
struct FileTransfer : InstructionBase {
  std::vector<std::string> sources;  // words
  std::vector<HeredocSource> heredocs;
  std::string destination;  // a word
  std::string chown;        // a word, "" when absent
  std::string chmod;        // a word, "" when absent
  bool link = false;
  std::vector<std::string> excludes;  // words
};

struct Copy : FileTransfer {
  std::string from;  // stage name, stage number, image or named context; never holds a variable
  bool parents = false;
};

struct Add : FileTransfer {
  std::string checksum;  // a word, "" when absent
  std::optional<bool> keep_git_dir;
  std::optional<bool> unpack;
};

struct Volume : InstructionBase {
  std::vector<std::string> paths;  // words
};

struct User : InstructionBase {
  std::string user;  // a word
};

struct Workdir : InstructionBase {
  std::string path;  // a word
};

// Parse `trigger` with ParseInstruction when the image becomes somebody's base; it is known to parse.
struct Onbuild : InstructionBase {
  std::string trigger;  // with its here-document bodies
};

struct Stopsignal : InstructionBase {
  std::string signal;  // a word; check the expanded text with ParseSignal (signal.h)
};

struct Healthcheck : InstructionBase {
  bool is_none = false;  // disables an inherited check
  Command command;
  absl::Duration interval;  // zero: inherit
  absl::Duration timeout;
  absl::Duration start_period;
  absl::Duration start_interval;
  int retries = 0;
};

struct Shell : InstructionBase {
  std::vector<std::string> args;  // at least one
};

using Instruction = std::variant<From, Arg, Run, Cmd, Entrypoint, Label, Maintainer, Expose, Env, Add, Copy, Volume, User,
                                 Workdir, Onbuild, Stopsignal, Healthcheck, Shell>;

// "FROM", "RUN", ...
absl::string_view Keyword(const Instruction& instruction);
const InstructionBase& Base(const Instruction& instruction);

// The one string the SHELL gets for a shell-form RUN: the body of a lone here-document, else the command followed by its
// here-documents in shell syntax.
std::string ShellText(const Run& run);

// True when the lone here-document starts with "#!": write ShellText() to an executable file and run that instead.
bool IsScript(const Run& run);

}  // namespace strata::dockerfile
