#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "lib/metrics/metrics.h"

namespace strata::metrics {

namespace {

double ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  long size = 0;
  long resident = 0;
  const int fields = std::fscanf(file, "%ld %ld", &size, &resident);
  std::fclose(file);
  return fields == 2 ? static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) : 0;
}

double ProcessorSeconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double Entries(const char* folder) {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) ++count;
  return count;
}

}  // namespace

void AddProcessMetrics(Registry& registry) {
  registry.AddCallback("process_resident_memory_bytes", "Resident memory.", ResidentBytes);
  registry.AddCallback("process_cpu_seconds", "User and system processor time so far.", ProcessorSeconds);
  registry.AddCallback("process_open_fds", "Open file descriptors.", [] { return Entries("/proc/self/fd"); });
  registry.AddCallback("process_threads", "Threads.", [] { return Entries("/proc/self/task"); });
}

}  // namespace strata::metrics
