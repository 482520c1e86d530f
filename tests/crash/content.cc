#include "tests/crash/content.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace strata::crash {

namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;
constexpr size_t kBoundaries[] = {0,        1,        32 * kKiB - 1, 32 * kKiB, 32 * kKiB + 1, 64 * kKiB,
                                  kMiB - 1, kMiB,     kMiB + 1,      2 * kMiB,  3 * kMiB + 7};

uint64_t Mix(uint64_t state) {
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
  state = (state ^ (state >> 27)) * 0x94d049bb133111ebu;
  return state ^ (state >> 31);
}

}  // namespace

ContentLibrary::ContentLibrary(int count) {
  for (int key = 0; key < count; ++key) {
    digests_.push_back(Digest::Of(Make(key), key % 8 == 7 ? DigestAlgorithm::kSha512 : DigestAlgorithm::kSha256));
    keys_[digests_.back().ToString()] = key;
  }
}

size_t ContentLibrary::SizeOf(int key) const {
  if (static_cast<size_t>(key) < std::size(kBoundaries)) return kBoundaries[key];
  const uint64_t random = Mix(static_cast<uint64_t>(key) * 77 + 5);
  const uint64_t size = random >> 16;
  switch (random % 16) {
    case 0:
    case 1:
    case 2: return 1 + size % 2000;
    case 3:
    case 4:
    case 5:
    case 6: return 1 + size % (32 * kKiB);
    case 14: return kMiB + size % (3 * kMiB);
    case 15: return kMiB + size % (8 * kMiB);
    default: return 32 * kKiB + size % (300 * kKiB);
  }
}

std::string ContentLibrary::Make(int key) const {
  std::string content(SizeOf(key), '\0');
  uint64_t state = static_cast<uint64_t>(key) * 0x9e3779b97f4a7c15u + 1;
  for (size_t at = 0; at < content.size(); at += sizeof state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(content.data() + at, &state, std::min(sizeof state, content.size() - at));
  }
  // Without this the shortest ones could be equal.
  if (content.size() > 1 && content.size() < 16) content[0] = static_cast<char>(key);
  return content;
}

std::optional<int> ContentLibrary::KeyOf(const Digest& digest) const {
  const auto found = keys_.find(digest.ToString());
  return found == keys_.end() ? std::nullopt : std::optional<int>(found->second);
}

Digest ContentLibrary::NobodysDigest(uint64_t number) const { return Digest::Of(absl::StrCat("nobody's ", number)); }

}  // namespace strata::crash
