#include "services/registry/auth/commands.h"

#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/auth/bcrypt.h"
#include "lib/auth/key.h"
#include "lib/auth/principal.h"
#include "lib/base/status.h"
#include "lib/fs/atomic_file.h"

namespace strata::registry {
namespace {

absl::StatusOr<auth::SignatureAlgorithm> AlgorithmOf(const std::string& name) {
  if (name == "ES256") return auth::SignatureAlgorithm::kEs256;
  if (name == "RS256") return auth::SignatureAlgorithm::kRs256;
  if (name == "EdDSA") return auth::SignatureAlgorithm::kEdDsa;
  return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" is none of ES256, RS256 and EdDSA"));
}

absl::Status GenerateKey(const std::vector<std::string>& words) {
  if (words.size() < 2 || words.size() > 3) return absl::InvalidArgumentError("usage: strata-registry keygen FOLDER [ES256|RS256|EdDSA]");
  STRATA_ASSIGN_OR_RETURN(const auto algorithm, AlgorithmOf(words.size() == 3 ? words[2] : "ES256"));
  STRATA_ASSIGN_OR_RETURN(const auth::SigningKey key, auth::SigningKey::Generate(algorithm));
  STRATA_ASSIGN_OR_RETURN(const std::string pem, key.ToPem());
  if (::mkdir(words[1].c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("creating ", words[1]));
  // Names sort by time, and the last one signs.
  const std::string path = absl::StrCat(words[1], "/", absl::FormatTime("%Y-%m-%dT%H-%M-%E3SZ", absl::Now(), absl::UTCTimeZone()), "-",
                                        key.public_key().id().substr(0, 8), ".pem");
  STRATA_RETURN_IF_ERROR(fs::WriteFileAtomically(path, pem, 0600));
  std::printf("%s\n", path.c_str());
  return absl::OkStatus();
}

// The first line of standard input; not shown while it is typed at a terminal.
std::string ReadPassword() {
  termios before;
  const bool is_terminal = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before) == 0;
  if (is_terminal) {
    std::fputs("Password: ", stderr);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  }
  std::string password;
  std::getline(std::cin, password);
  if (is_terminal) {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
    std::fputs("\n", stderr);
  }
  return password;
}

absl::Status PrintUser(const std::vector<std::string>& words) {
  if (words.size() != 2) return absl::InvalidArgumentError("usage: strata-registry htpasswd USER, with the password on standard input");
  if (!auth::IsPlainName(words[1])) return absl::InvalidArgumentError("a user's name has letters, digits and . _ @ + / - only");
  STRATA_ASSIGN_OR_RETURN(const std::string hash, auth::HashPassword(ReadPassword()));
  std::printf("%s:%s\n", words[1].c_str(), hash.c_str());
  return absl::OkStatus();
}

}  // namespace

void AddCommands(config::Parser& parser) {
  parser.SetUsage("[flags] | keygen FOLDER [ALGORITHM] | htpasswd USER");
  parser.AddCommand("keygen FOLDER", "Make a key that signs tokens: ES256 (or RS256, EdDSA)");
  parser.AddCommand("htpasswd USER", "Print a line for --htpasswd; the password comes from standard input");
}

bool IsCommand(absl::string_view word) { return word == "keygen" || word == "htpasswd"; }

int RunCommand(absl::string_view program, const std::vector<std::string>& words) {
  const absl::Status done = words.front() == "keygen" ? GenerateKey(words) : PrintUser(words);
  if (done.ok()) return 0;
  std::fprintf(stderr, "%s: %s\n", std::string(program).c_str(), std::string(done.message()).c_str());
  return absl::IsInvalidArgument(done) ? 2 : 1;
}

}  // namespace strata::registry
