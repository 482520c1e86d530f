// Command lines and configuration, into the fields of a struct: flags win over the environment, the environment over the file,
// the file over what the field held before.
//
//   config::Parser parser("strata-store", "Keeps the blobs, manifests and cache records of a Strata installation.");
//   parser.Add(&options.listen, {.flag = "listen", .env = "STRATA_STORE_LISTEN", .value_name = "ADDRESS", .help = "Where to serve."});
//   STRATA_ASSIGN_OR_RETURN(config::Parsed parsed, parser.Parse(argc, argv));
//
// Accepts "--flag value", "--flag=value", "-f value", "-fvalue"; for bools "--flag", "--flag=false", "--no-flag", "-ab". "--" ends the
// flags; "-" alone is positional. A list takes one value each time its flag is given; in the environment and the file its values
// are separated by commas. An empty variable counts as not set.
// Errors are kInvalidArgument and begin with the origin: "--gc-grace: ...", "STRATA_STORE_LISTEN: ...", "store.conf:7: ...".
// Thread-compatible.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/config/byte_size.h"
#include "lib/config/value.h"

namespace strata::config {

struct Option {
  std::string flag;             // "gc-grace"; also its key in the file
  char short_flag = 0;          // 't' for "-t"
  std::string env;              // "" = none
  std::string value_name;       // for the help text; "" = after the type
  std::string help;
  std::vector<std::string> one_of = {};  // when not empty, no other value is taken
  bool is_secret = false;       // its value is shown nowhere
};

struct Parsed {
  std::vector<std::string> positional;  // in order; everything from the first one on after StopAtFirstPositional()
  bool wants_help = false;              // --help or -h was given; nothing was set then
  bool wants_version = false;
};

class Parser {
 public:
  using Environment = std::function<const char*(const char*)>;

  // `about` is the first paragraph of the help text.
  Parser(std::string program, std::string about);

  // `target` is a std::string, bool, int64_t, absl::Duration, ByteSize or std::vector<std::string>, outlives the parser and
  // holds the default.
  template <typename T>
  void Add(T* target, Option option) {
    AddValue(ValueOf(target), std::move(option));
  }
  // Offers --config FILE. `default_path` ("" = none) is read when it exists. `env` as for an option.
  void AddConfigFile(std::string env, std::string default_path);
  // What follows the program in the usage line, in place of "[flags]": "[flags] CONTEXT".
  void SetUsage(std::string usage) { usage_ = std::move(usage); }
  // A line in the list of commands of the help text. Which command was given, the caller sees in Parsed::positional.
  void AddCommand(std::string name, std::string summary);
  // A paragraph at the end of the help text.
  void SetEpilogue(std::string text) { epilogue_ = std::move(text); }
  // Flags behind the first positional argument are left to somebody else: a sub-command.
  void StopAtFirstPositional() { stops_at_positional_ = true; }
  // Where variables come from; ::getenv unless set.
  void SetEnvironment(Environment environment) { environment_ = std::move(environment); }

  // argv[0] is skipped.
  absl::StatusOr<Parsed> Parse(int argc, const char* const* argv);
  absl::StatusOr<Parsed> Parse(const std::vector<std::string>& arguments);

  std::string Help() const;
  // "name = value  # origin" lines of all options, secrets hidden; for /debug/config.
  std::string Describe() const;

 private:
  struct Entry {
    Value value;
    Option option;
    std::string default_text;
    std::string origin = "default";
  };
  void AddValue(Value value, Option option);
  Entry* Find(absl::string_view flag);
  Entry* FindShort(char flag);
  absl::Status Set(Entry& entry, absl::string_view origin, absl::string_view text);
  absl::Status SetList(Entry& entry, absl::string_view origin, absl::string_view text);
  absl::Status ApplyFile(const std::string& path, bool must_exist);
  absl::Status ApplyEnvironment();
  absl::Status Unknown(absl::string_view origin, absl::string_view what, absl::string_view name) const;
  friend class Scanner;

  const std::string program_;
  const std::string about_;
  std::string usage_ = "[flags]";
  std::string epilogue_;
  std::vector<Entry> entries_;
  std::vector<std::pair<std::string, std::string>> commands_;
  bool stops_at_positional_ = false;
  bool takes_config_file_ = false;
  std::string config_env_;
  std::string default_config_path_;
  Environment environment_;
};

// For main(): prints help or `version` and exits 0 when asked to; prints "<program>: <error>" and exits 2 when the command line
// is wrong.
std::vector<std::string> ParseOrExit(Parser& parser, absl::string_view program, absl::string_view version, int argc,
                                     const char* const* argv);

}  // namespace strata::config
