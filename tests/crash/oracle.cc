#include "tests/crash/oracle.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "tests/crash/verifier.h"

namespace strata::crash {

namespace {

constexpr absl::Duration kProgressEvery = absl::Seconds(10);
constexpr absl::Duration kReadyLimit = absl::Seconds(60);
constexpr absl::Duration kPoll = absl::Milliseconds(1);
constexpr absl::Duration kTinyLifetime = absl::Milliseconds(1500);
constexpr absl::Duration kCollectPause = absl::Milliseconds(30);
constexpr unsigned kRoundLimitSeconds = 300;
constexpr int kCollectEvery = 6;
constexpr const char* kCommitPoints[] = {"any",
                                         "any",
                                         "upload.started",
                                         "upload.extent_created",
                                         "upload.synced",
                                         "upload.recorded",
                                         "upload.committed",
                                         "manifest.committed",
                                         "manifest.deleted",
                                         "gc.rows_removed",
                                         "gc.rows_synced",
                                         "gc.extent_removed"};

bool IsOfTheStoresOwn(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted: return true;
    default: return false;
  }
}

}  // namespace

Oracle::Oracle(const OracleOptions& options)
    : options_(options), content_(options.contents), model_(options.threads), random_(options.seed) {}

absl::Status Oracle::Run() {
  const std::string mount = Path("disk");
  if (::mkdir(mount.c_str(), 0700) != 0) return ErrnoStatus(errno, "make " + mount);
  STRATA_ASSIGN_OR_RETURN(disk_, LossyDisk::Mount(options_.lossfs, mount, options_.rules, Path("lossfs.log")));
  started_ = absl::Now();
  next_progress_ = started_ + kProgressEvery;
  while (absl::Now() - started_ < options_.duration && !model_.has_failed()) {
    // A store that hangs is a failure too.
    ::alarm(kRoundLimitSeconds);
    STRATA_RETURN_IF_ERROR(Round());
  }
  ::alarm(0);
  return absl::OkStatus();
}

Oracle::Death Oracle::ChooseDeath() {
  if (rounds_ % kCollectEvery == 0) return Death::kCollect;
  const uint64_t percent = Below(100);
  if (percent < 25) return Death::kKill;
  if (percent < 50) return Death::kPowerCut;
  if (percent < 72) return Death::kArmedPowerCut;
  if (percent < 82) return Death::kCommitPoint;
  if (percent < 92) return Death::kCommitPointPowerCut;
  if (percent < 96) return Death::kStopThenPowerCut;
  return Death::kFailedSync;
}

absl::Status Oracle::Round() {
  ++rounds_;
  const Death death = ChooseDeath();
  is_dying_ = must_stop_ = false;
  // What the round before may have collected is still unknown when the store of this one keeps everything.
  if (death == Death::kCollect) model_.SetTinyGrace(true);
  STRATA_RETURN_IF_ERROR(StartStore(death));
  const Stores stores = StoresOf(*client_, [this, death](const absl::Status& status) { return Explains(death, status); });
  Verifier(model_, content_, stores).CheckEverything();
  if (death != Death::kCollect) model_.SetTinyGrace(false);
  if (model_.has_failed()) return absl::OkStatus();
  STRATA_RETURN_IF_ERROR(Arm(death));

  std::vector<std::thread> threads;
  working_ = options_.threads;
  const int most_steps = options_.threads == 1 ? static_cast<int>(5 + Below(200)) : INT32_MAX;
  for (int i = 0; i < options_.threads; ++i) {
    threads.emplace_back([this, &stores, i, most_steps, seed = random_()] {
      Worker worker(model_, content_, stores, i, seed);
      for (int step = 0; step < most_steps && !must_stop_ && worker.Step(); ++step) {
      }
      --working_;
    });
  }
  // Not the store's own timer, which would also collect while facts are compared.
  std::thread collecting;
  if (death == Death::kCollect) {
    collecting = std::thread([this] {
      for (; !must_stop_; absl::SleepFor(kCollectPause)) {
        const absl::Status status = client_->CollectGarbage(CallContext()).status();
        if (!status.ok()) model_.Fail("collection", status.ToString());
      }
    });
  }
  Work(death);
  absl::Status died;
  if (death == Death::kCollect) {
    must_stop_ = true;
    collecting.join();
    for (std::thread& thread : threads) thread.join();
    if (!model_.has_failed()) {
      absl::SleepFor(kTinyLifetime * 2);
      Verifier(model_, content_, stores).CollectAndCheckEverything([this] { return CountExtents(); });
    }
    died = Die(death);
  } else {
    died = Die(death);
    for (std::thread& thread : threads) thread.join();
  }
  ++deaths_[death];
  client_.reset();
  store_.reset();
  if (disk_ != nullptr) STRATA_RETURN_IF_ERROR(Disk("on"));
  MaybePrintProgress();
  return died;
}

absl::Status Oracle::StartStore(Death death) {
  const bool stops = death == Death::kCommitPoint || death == Death::kCommitPointPowerCut;
  const std::string socket = absl::StrCat("unix:", Path(absl::StrCat("s", rounds_)));
  Process::Options options;
  options.command = {stops ? options_.stopping_store : options_.store,
                     "--listen", socket, "--data", Path("disk/data"), "--admin-listen", "",
                     "--descriptor-socket", Path(absl::StrCat("d", rounds_)), "--drain", "1s", "--log-level", "warning"};
  if (death == Death::kCollect) {
    const std::string lifetime = absl::FormatDuration(kTinyLifetime);
    for (const std::string& word : {std::string("--gc-grace"), std::string("300ms"), std::string("--upload-ttl"), lifetime,
                                    std::string("--gc-interval"), std::string("1h")}) {
      options.command.push_back(word);
    }
  }
  if (stops) {
    const std::string point = kCommitPoints[Below(std::size(kCommitPoints))];
    options.environment = {absl::StrCat("STRATA_STOP_AT=", point, ":", 1 + Below(point == "any" ? 60 : 8), ":", Path("count"))};
    ::unlink(Path("count").c_str());
  }
  options.log_path = Path("store.log");
  STRATA_ASSIGN_OR_RETURN(store_, Process::Start(options));
  client_ = blobstore::StoreClient::Connect(socket);
  const absl::Time deadline = absl::Now() + kReadyLimit;
  while (true) {
    // A client that has tried too early waits up to a second before it tries again.
    if (::access(socket.substr(5).c_str(), F_OK) == 0 && client_->Ping(CallContext()).ok()) return absl::OkStatus();
    if (store_->HasEnded() || absl::Now() > deadline) {
      model_.Fail("the store", absl::StrCat("does not start any more; it said why in ", Path("store.log")));
      return absl::OkStatus();
    }
    absl::SleepFor(kPoll);
  }
}

absl::Status Oracle::Disk(const std::string& command) {
  STRATA_ASSIGN_OR_RETURN(const std::string answer, disk_->Command(command));
  return answer == "ok" ? absl::OkStatus() : absl::InternalError(absl::StrCat("lossfs: ", command, ": ", answer));
}

absl::Status Oracle::Arm(Death death) {
  // Mostly early: each of the first changes is a place of its own.
  const uint64_t count = 1 + Below(Below(2) == 0 ? 100 : 3000);
  if (death == Death::kArmedPowerCut) return Disk(absl::StrCat("arm ", count, " ", random_() >> 1));
  if (death == Death::kCommitPoint || death == Death::kCommitPointPowerCut) {
    const UniqueFd file(::open(Path("count").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    return file.is_valid() ? absl::OkStatus() : ErrnoStatus(errno, Path("count"));
  }
  if (death == Death::kFailedSync) return Disk(absl::StrCat("fail-sync ", 1 + count / 10));
  return absl::OkStatus();
}

void Oracle::Work(Death death) {
  const absl::Duration longest = Below(3) == 0 ? absl::Seconds(3) : absl::Milliseconds(600);
  const absl::Time until = absl::Now() + absl::Milliseconds(20) + longest * (static_cast<double>(Below(1000)) / 1000);
  while (MayGoOn(death, until)) absl::SleepFor(kPoll);
}

bool Oracle::MayGoOn(Death death, absl::Time until) {
  if (working_ == 0 || model_.has_failed()) return false;
  switch (death) {
    case Death::kArmedPowerCut: {
      const auto is_on = disk_->Command("is-on");
      return is_on.ok() && *is_on == "yes" && absl::Now() < until + absl::Seconds(5);
    }
    case Death::kCommitPoint:
    case Death::kCommitPointPowerCut: return !store_->IsStopped() && absl::Now() < until + absl::Seconds(5);
    default: return options_.threads == 1 || absl::Now() < until;
  }
}

absl::Status Oracle::CutPower() { return Disk(absl::StrCat("cut ", random_() >> 1)); }

absl::Status Oracle::Die(Death death) {
  is_dying_ = true;
  switch (death) {
    case Death::kKill:
    case Death::kCommitPoint: break;
    case Death::kArmedPowerCut:  // also when it has not come by itself
    case Death::kPowerCut:
    case Death::kCommitPointPowerCut: STRATA_RETURN_IF_ERROR(CutPower()); break;
    case Death::kStopThenPowerCut:
      store_->Signal(SIGTERM);
      if (!store_->Wait(absl::Seconds(60)).ok()) model_.Fail("the store", "does not end within a minute of SIGTERM");
      STRATA_RETURN_IF_ERROR(CutPower());
      break;
    case Death::kFailedSync:
    case Death::kCollect:
      STRATA_RETURN_IF_ERROR(Disk("fail-sync 0"));
      if (Below(2) == 0) STRATA_RETURN_IF_ERROR(CutPower());
      break;
  }
  store_->Kill();
  return absl::OkStatus();
}

bool Oracle::Explains(Death death, const absl::Status& status) {
  if (is_dying_) return true;
  if (!IsOfTheStoresOwn(status)) return false;
  if (death == Death::kFailedSync) return true;
  if (death != Death::kArmedPowerCut) return false;
  const auto is_on = disk_->Command("is-on");
  if (!is_on.ok() || *is_on == "yes") return false;
  is_dying_ = true;
  return true;
}

size_t Oracle::CountExtents() const {
  size_t count = 0;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator entry(Path("disk/data/extents"), error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_regular_file(error)) ++count;
  }
  return count;
}

void Oracle::KeepData(const std::string& folder) const {
  std::error_code error;
  std::filesystem::copy(Path("disk/data"), folder, std::filesystem::copy_options::recursive, error);
  if (error) std::fprintf(stderr, "the store's folder could not be kept: %s\n", error.message().c_str());
}

std::string Oracle::Summary() const {
  static constexpr std::pair<Death, const char*> kNames[] = {
      {Death::kKill, "killed"},
      {Death::kPowerCut, "power cut"},
      {Death::kArmedPowerCut, "power cut between two changes"},
      {Death::kCommitPoint, "killed at a commit point"},
      {Death::kCommitPointPowerCut, "power cut at a commit point"},
      {Death::kStopThenPowerCut, "stopped, then power cut"},
      {Death::kFailedSync, "failed sync"},
      {Death::kCollect, "collected and counted"}};
  std::string text = absl::StrCat(model_.operations(), " changes, ", model_.checked(), " facts checked, ", rounds_, " rounds:");
  for (const auto& [death, name] : kNames) {
    const auto found = deaths_.find(death);
    absl::StrAppend(&text, " ", found == deaths_.end() ? 0 : found->second, " ", name, death == Death::kCollect ? "" : ",");
  }
  return text;
}

void Oracle::MaybePrintProgress() {
  if (absl::Now() < next_progress_) return;
  next_progress_ += kProgressEvery;
  std::printf("%5d s  %s\n", static_cast<int>(absl::ToInt64Seconds(absl::Now() - started_)), Summary().c_str());
  std::fflush(stdout);
}

}  // namespace strata::crash
