// crash_oracle: see README.md. Exit codes: 0 no promise was broken, 1 one was, 2 it could not run.
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/crash/oracle.h"

namespace strata::crash {
namespace {

constexpr char kUsage[] =
    "usage: crash_oracle --store=PROGRAM --stopping-store=PROGRAM --lossfs=PROGRAM\n"
    "                    [--seconds=N | --minutes=N] [--seed=N] [--threads=N] [--contents=N] [--rules=strict|ext4]\n";

uint64_t RandomSeed() {
  uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = static_cast<uint64_t>(::getpid());
  return seed % 1'000'000'000;
}

bool Parse(const std::string& argument, OracleOptions* options) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(argument, absl::MaxSplits('=', 1));
  const auto& [name, value] = parts;
  int64_t number = 0;
  const bool is_number = absl::SimpleAtoi(value, &number) && number >= 0;
  if (name == "--store") options->store = value;
  else if (name == "--stopping-store") options->stopping_store = value;
  else if (name == "--lossfs") options->lossfs = value;
  else if (name == "--rules" && (value == "strict" || value == "ext4")) options->rules = value;
  else if (name == "--seconds" && is_number) options->duration = absl::Seconds(number);
  else if (name == "--minutes" && is_number) options->duration = absl::Minutes(number);
  else if (name == "--seed" && is_number) options->seed = static_cast<uint64_t>(number);
  else if (name == "--threads" && number >= 1 && number <= 64) options->threads = static_cast<int>(number);
  else if (name == "--contents" && number >= 20 && number <= 5000) options->contents = static_cast<int>(number);
  else return false;
  return true;
}

void PrintTail(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return;
  std::fseek(file, 0, SEEK_END);
  std::fseek(file, std::max<long>(0, std::ftell(file) - 3000), SEEK_SET);
  std::vector<char> bytes(3000);
  const size_t count = std::fread(bytes.data(), 1, bytes.size(), file);
  std::fclose(file);
  std::printf("\n--- the end of %s ---\n%.*s\n", path.c_str(), static_cast<int>(count), bytes.data());
}

int Main(const std::vector<std::string>& arguments) {
  OracleOptions options;
  options.seed = RandomSeed();
  for (const std::string& argument : arguments) {
    if (Parse(argument, &options)) continue;
    std::fprintf(stderr, "crash_oracle: bad argument \"%s\"\n%s", argument.c_str(), kUsage);
    return 2;
  }
  if (options.store.empty() || options.stopping_store.empty() || options.lossfs.empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  char scratch[] = "/tmp/strata-crash.XXXXXX";  // short enough for a socket
  if (::mkdtemp(scratch) == nullptr) {
    std::perror("crash_oracle: a scratch folder");
    return 2;
  }
  options.scratch = scratch;
  const std::string replay = absl::StrCat("tests/crash/run --seed ", options.seed, " --threads ", options.threads, " --contents ",
                                          options.contents, " --rules ", options.rules);
  std::printf("crash oracle: seed %llu, %d threads, rules %s, %llds; again: %s\n", static_cast<unsigned long long>(options.seed),
              options.threads, options.rules.c_str(), static_cast<long long>(absl::ToInt64Seconds(options.duration)), replay.c_str());
  std::fflush(stdout);
  bool has_failed = false;
  absl::Status status;
  {
    Oracle oracle(options);
    status = oracle.Run();
    has_failed = oracle.has_failed();
    if (has_failed) oracle.KeepData(absl::StrCat(scratch, "/data"));
    std::printf("%s: %s\n", has_failed ? "FAILED" : status.ok() ? "ok" : "could not go on", oracle.Summary().c_str());
  }
  if (!status.ok()) std::printf("crash oracle: %s\n", std::string(status.message()).c_str());
  if (has_failed || !status.ok()) {
    PrintTail(absl::StrCat(scratch, "/store.log"));
    std::printf("the store's folder and log are kept in %s\nagain: %s\n", scratch, replay.c_str());
    return has_failed ? 1 : 2;
  }
  std::error_code ignored;
  std::filesystem::remove_all(scratch, ignored);
  return 0;
}

}  // namespace
}  // namespace strata::crash

int main(int argc, char** argv) { return strata::crash::Main(std::vector<std::string>(argv + 1, argv + argc)); }
