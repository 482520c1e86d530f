#include "services/registry/auth/access_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/auth/jwks.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/fs/dir.h"
#include "lib/log/log.h"

namespace strata::registry {
namespace {

constexpr absl::Duration kLookEvery = absl::Seconds(1);
constexpr size_t kMaxKeyBytes = 64 * 1024;
constexpr size_t kMaxKeys = 64;

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("opening ", path));
  std::string content;
  char buffer[16 * 1024];
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0) return ErrnoStatus(errno, absl::StrCat("reading ", path));
    if (n == 0) return content;
    content.append(buffer, static_cast<size_t>(n));
    if (content.size() > limit) return absl::InvalidArgumentError(absl::StrCat(path, ": larger than ", limit, " bytes"));
  }
}

// Changes whenever the file or one in the folder does.
std::string Fingerprint(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return absl::StrCat("errno ", errno);
  std::string print = absl::StrCat(info.st_dev, " ", info.st_ino, " ", info.st_size, " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec, " ",
                                   info.st_ctim.tv_sec, ".", info.st_ctim.tv_nsec);
  if (!S_ISDIR(info.st_mode)) return print;
  const auto folder = fs::OpenDirectory(path);
  if (!folder.ok()) return print;
  const auto entries = fs::ListDirectory(folder->get());
  if (!entries.ok()) return print;
  for (const fs::DirEntry& entry : *entries) {
    if (absl::EndsWith(entry.name, ".pem")) absl::StrAppend(&print, "\n", entry.name, " ", Fingerprint(absl::StrCat(path, "/", entry.name)));
  }
  return print;
}

absl::Status AddKey(const std::string& path, auth::TokenKeys& keys) {
  STRATA_ASSIGN_OR_RETURN(const std::string pem, ReadFile(path, kMaxKeyBytes));
  auto add = [&keys](auth::PublicKey key) {
    if (auth::FindKey(keys.verifying, key.id()) == nullptr) keys.verifying.push_back(std::move(key));
  };
  if (absl::StrContains(pem, "PRIVATE KEY-----")) {
    auto key = auth::SigningKey::ParsePem(pem);
    if (!key.ok()) return Annotate(key.status(), path);
    add(key->public_key());
    keys.signing.push_back(*std::move(key));
    return absl::OkStatus();
  }
  auto key = auth::PublicKey::ParsePem(pem);
  if (!key.ok()) return Annotate(key.status(), path);
  add(*std::move(key));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<auth::TokenKeys> ReadTokenKeys(const std::string& folder) {
  auto opened = fs::OpenDirectory(folder);
  if (!opened.ok()) return Annotate(opened.status(), absl::StrCat("the folder of token keys ", folder));
  STRATA_ASSIGN_OR_RETURN(const auto entries, fs::ListDirectory(opened->get()));
  auth::TokenKeys keys;
  for (const fs::DirEntry& entry : entries) {
    if (!absl::EndsWith(entry.name, ".pem")) continue;
    if (keys.verifying.size() == kMaxKeys) return absl::InvalidArgumentError(absl::StrCat(folder, " holds more than ", kMaxKeys, " keys"));
    STRATA_RETURN_IF_ERROR(AddKey(absl::StrCat(folder, "/", entry.name), keys));
  }
  if (keys.signing.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no private key in ", folder, "; make one: strata-registry keygen ", folder));
  }
  return keys;
}

AccessFiles::AccessFiles(const AccessFilePaths& paths) : paths_(paths), facts_(std::make_shared<AccessFacts>()) {
  const auto watch = [this](const std::string& path, std::function<absl::Status(AccessFacts&)> read) {
    if (!path.empty()) sources_.push_back({path, "", std::move(read)});
  };
  watch(paths_.htpasswd, [path = paths_.htpasswd](AccessFacts& facts) {
    STRATA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, auth::kMaxHtpasswdBytes));
    auto users = auth::ParseHtpasswd(text);
    if (!users.ok()) return Annotate(users.status(), path);
    facts.users = *std::move(users);
    return absl::OkStatus();
  });
  watch(paths_.policy, [path = paths_.policy](AccessFacts& facts) {
    STRATA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, auth::kMaxPolicyBytes));
    auto policy = auth::Policy::Parse(text);
    if (!policy.ok()) return Annotate(policy.status(), path);
    facts.policy = *std::move(policy);
    return absl::OkStatus();
  });
  watch(paths_.token_keys, [path = paths_.token_keys](AccessFacts& facts) {
    STRATA_ASSIGN_OR_RETURN(facts.keys, ReadTokenKeys(path));
    return absl::OkStatus();
  });
  watch(paths_.trusted_issuers, [this](AccessFacts& facts) { return ReadIssuers(facts); });
}

absl::Status AccessFiles::ReadIssuers(AccessFacts& facts) const {
  STRATA_ASSIGN_OR_RETURN(const std::string text, ReadFile(paths_.trusted_issuers, auth::kMaxIssuersBytes));
  auto issuers = auth::ParseTrustedIssuers(text);
  if (!issuers.ok()) return Annotate(issuers.status(), paths_.trusted_issuers);
  std::map<std::string, auth::KeySet> files;
  for (const auth::TrustedIssuer& issuer : *issuers) {
    if (issuer.jwks_file.empty()) continue;
    STRATA_ASSIGN_OR_RETURN(const std::string jwks, ReadFile(issuer.jwks_file, auth::kMaxJwksBytes));
    auto keys = auth::ParseJwks(jwks);
    if (!keys.ok()) return Annotate(keys.status(), issuer.jwks_file);
    files[issuer.jwks_file] = *std::move(keys);
  }
  facts.issuers = *std::move(issuers);
  facts.issuer_files = std::move(files);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<AccessFiles>> AccessFiles::Open(const AccessFilePaths& paths) {
  std::unique_ptr<AccessFiles> files(new AccessFiles(paths));
  auto facts = std::make_shared<AccessFacts>();
  for (Source& source : files->sources_) {
    source.fingerprint = Fingerprint(source.path);
    STRATA_RETURN_IF_ERROR(source.read(*facts));
  }
  {
    MutexLock lock(files->mutex_);
    files->facts_ = std::move(facts);
  }
  files->Refresh();  // the key files of issuers are known by now
  files->watcher_ = std::thread([raw = files.get()] { raw->Watch(); });
  return files;
}

AccessFiles::~AccessFiles() {
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    stopped_.SignalAll();
  }
  if (watcher_.joinable()) watcher_.join();
}

std::shared_ptr<const AccessFacts> AccessFiles::Facts() const {
  MutexLock lock(mutex_);
  return facts_;
}

bool AccessFiles::Refresh() {
  MutexLock one_at_a_time(refreshing_);
  auto facts = std::make_shared<AccessFacts>(*Facts());
  bool has_changed = false;
  for (Source& source : sources_) {
    std::string fingerprint = Fingerprint(source.path);
    if (source.path == paths_.trusted_issuers) {
      for (const auth::TrustedIssuer& issuer : facts->issuers) {
        if (!issuer.jwks_file.empty()) absl::StrAppend(&fingerprint, "\n", Fingerprint(issuer.jwks_file));
      }
    }
    if (fingerprint == source.fingerprint) continue;
    source.fingerprint = fingerprint;
    const absl::Status read = source.read(*facts);
    if (read.ok()) {
      has_changed = true;
      log::Info("authentication: a changed file is in use", {{"file", source.path}});
    } else {
      log::Error("authentication: a changed file cannot be used; the one before stays in use", {{"file", source.path}, {"error", read}});
    }
  }
  if (!has_changed) return false;
  MutexLock lock(mutex_);
  facts_ = std::move(facts);
  return true;
}

void AccessFiles::Watch() {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (!is_stopping_) stopped_.WaitFor(mutex_, kLookEvery);
      if (is_stopping_) return;
    }
    if (is_requested_.exchange(false)) log::Info("authentication: asked to look at its files");
    Refresh();
  }
}

}  // namespace strata::registry
