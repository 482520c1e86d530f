#include "services/store/engine/rocks_log.h"

#include <cstdarg>
#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/log/log.h"
#include "rocksdb/env.h"

namespace strata::store {

namespace {

constexpr int kLinesAMinute = 20;

class RocksLog final : public rocksdb::Logger {
 public:
  RocksLog() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}

  using rocksdb::Logger::Logv;
  // Lines without a level are the header of a log: nobody's business here.
  void Logv(const char*, va_list) override {}
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel() || level == rocksdb::InfoLogLevel::HEADER_LEVEL || !TakeTurn()) return;
    char text[1024];
    const int size = std::vsnprintf(text, sizeof text, format, arguments);
    if (size <= 0) return;
    const log::Field remark("remark", absl::StripAsciiWhitespace(absl::string_view(text)));
    if (level >= rocksdb::InfoLogLevel::ERROR_LEVEL) {
      log::Error("metadata", {remark});
    } else {
      log::Warning("metadata", {remark});
    }
  }

 private:
  bool TakeTurn() {
    const absl::Time now = absl::Now();
    MutexLock lock(mutex_);
    if (now - minute_ >= absl::Minutes(1)) {
      minute_ = now;
      lines_ = 0;
    }
    return lines_++ < kLinesAMinute;
  }

  Mutex mutex_;
  absl::Time minute_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int lines_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> NewRocksLog() { return std::make_shared<RocksLog>(); }

}  // namespace strata::store
