#include "tests/crash/lossfs/file_image.h"

#include <algorithm>
#include <utility>

namespace strata::lossfs {

namespace {

constexpr uint64_t kSectorBytes = 512;
constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kTornBySectorBytes = 16 * 1024;  // larger writes lose pages, so that a cut stays cheap

bool Coin(Random& random) { return random() % 2 == 0; }

void WriteInto(uint64_t offset, absl::string_view data, std::string* image) {
  if (image->size() < offset + data.size()) image->resize(offset + data.size());
  std::copy(data.begin(), data.end(), image->begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace

absl::string_view FileImage::Read(uint64_t offset, uint64_t size) const {
  if (offset >= current_.size()) return "";
  return absl::string_view(current_).substr(offset, size);
}

void FileImage::Write(uint64_t offset, absl::string_view data) {
  if (data.empty()) return;
  WriteInto(offset, data, &current_);
  unsynced_.push_back({.kind = Change::Kind::kWrite, .offset = offset, .data = std::string(data)});
}

void FileImage::Truncate(uint64_t size_bytes) {
  if (size_bytes == current_.size()) return;
  current_.resize(size_bytes);
  unsynced_.push_back({.kind = Change::Kind::kTruncate, .offset = size_bytes});
}

void FileImage::Apply(const Change& change, std::string* image) {
  if (change.is_lost) return;
  if (change.kind == Change::Kind::kTruncate) {
    image->resize(change.offset);
  } else {
    WriteInto(change.offset, change.data, image);
  }
}

void FileImage::Sync() {
  for (const Change& change : unsynced_) Apply(change, &durable_);
  unsynced_.clear();
}

void FileImage::FailSync() {
  for (Change& change : unsynced_) change.is_lost = true;
}

void FileImage::PowerCut(Random& random) {
  switch (random() % 4) {
    case 0: break;
    case 1: SurvivePrefix(random); break;
    case 2: SurviveSubset(random); break;
    case 3: Sync(); break;
  }
  unsynced_.clear();
  current_ = durable_;
}

void FileImage::SurvivePrefix(Random& random) {
  const size_t whole = random() % (unsynced_.size() + 1);
  for (size_t i = 0; i < whole; ++i) Apply(unsynced_[i], &durable_);
  if (whole == unsynced_.size()) return;
  Change torn = std::move(unsynced_[whole]);
  if (torn.kind != Change::Kind::kWrite) return;
  const uint64_t end = torn.offset + random() % torn.data.size();
  const uint64_t sector_end = end / kSectorBytes * kSectorBytes;
  if (sector_end <= torn.offset) return;
  torn.data.resize(sector_end - torn.offset);
  Apply(torn, &durable_);
}

void FileImage::SurviveSubset(Random& random) {
  for (const Change& change : unsynced_) {
    if (change.is_lost) continue;
    if (change.kind == Change::Kind::kTruncate) {
      if (Coin(random)) Apply(change, &durable_);
      continue;
    }
    const uint64_t end = change.offset + change.data.size();
    const uint64_t unit = change.data.size() <= kTornBySectorBytes ? kSectorBytes : kPageBytes;
    for (uint64_t at = change.offset; at < end;) {
      const uint64_t next = std::min(end, (at / unit + 1) * unit);
      const absl::string_view piece = absl::string_view(change.data).substr(at - change.offset, next - at);
      if (Coin(random)) WriteInto(at, piece, &durable_);
      at = next;
    }
    // The size may have been written although the bytes were not.
    if (durable_.size() < end && Coin(random)) durable_.resize(end);
  }
}

}  // namespace strata::lossfs
