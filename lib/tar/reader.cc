#include "lib/tar/reader.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/tar/header_block.h"

namespace strata::tar {
namespace {

constexpr char kPaxLocal = 'x';
constexpr char kPaxGlobal = 'g';
constexpr char kGnuLongName = 'L';
constexpr char kGnuLongLink = 'K';

bool IsMetaType(char type) { return type == kPaxLocal || type == kPaxGlobal || type == kGnuLongName || type == kGnuLongLink; }

std::optional<EntryType> TypeOf(char flag) {
  switch (flag) {
    case '0':
    case '\0':
    case '7': return EntryType::kFile;
    case '1': return EntryType::kHardLink;
    case '2': return EntryType::kSymlink;
    case '3': return EntryType::kCharDevice;
    case '4': return EntryType::kBlockDevice;
    case '5': return EntryType::kDirectory;
    case '6': return EntryType::kFifo;
    default: return std::nullopt;
  }
}

std::string Quoted(absl::string_view name) { return absl::StrCat("\"", absl::CHexEscape(name.substr(0, 200)), "\""); }

std::string NameOf(const char* block) {
  const absl::string_view magic(block + kMagic.offset, kMagic.size);
  const std::string name(TextOf(block, kName));
  if (magic != kUstarMagic) return name;  // GNU headers use the place of the prefix for something else
  // star keeps its own mark at the end of the block, where the prefix would otherwise reach.
  const bool is_star = absl::string_view(block + 508, 4) == absl::string_view("tar\0", 4);
  const absl::string_view prefix = TextOf(block, is_star ? Field{kPrefix.offset, 131} : kPrefix);
  return prefix.empty() ? name : absl::StrCat(prefix, "/", name);
}

absl::Status Unsupported(char flag, absl::string_view name) {
  if (flag == 'S') {
    return absl::UnimplementedError(absl::StrCat("tar: ", Quoted(name), " is a sparse file; create the archive without --sparse"));
  }
  if (flag == 'M' || flag == 'V') {
    return absl::UnimplementedError(absl::StrCat("tar: ", Quoted(name), " belongs to a multi-volume archive; create a plain one"));
  }
  return absl::UnimplementedError(
      absl::StrCat("tar: ", Quoted(name), " has the unknown type ", Quoted(absl::string_view(&flag, 1))));
}

// Whether `records` has a value for `keyword`; an empty one counts as none.
const std::string* Lookup(const PaxRecords& records, const char* keyword) {
  const auto at = records.find(keyword);
  return at == records.end() || at->second.empty() ? nullptr : &at->second;
}

}  // namespace

Reader::Reader(ByteSource& source, const ReaderLimits& limits)
    : source_(source), limits_(limits), buffer_(new char[kStreamChunkBytes]) {}

absl::Status Reader::Invalid(absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat("tar: ", what, " (at byte ", offset_, " of the archive)"));
}

absl::StatusOr<bool> Reader::FillBlock() {
  if (end_ - begin_ < kBlockBytes) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  while (end_ - begin_ < kBlockBytes) {
    STRATA_ASSIGN_OR_RETURN(const size_t n, source_.Read(buffer_.get() + end_, kStreamChunkBytes - end_));
    if (n > 0) {
      end_ += n;
      continue;
    }
    if (end_ == begin_) return false;
    return Invalid("the archive is cut short inside a header");
  }
  return true;
}

absl::StatusOr<size_t> Reader::ReadRaw(char* buffer, size_t size) {
  if (begin_ == end_ && size < kStreamChunkBytes) {
    STRATA_ASSIGN_OR_RETURN(end_, source_.Read(buffer_.get(), kStreamChunkBytes));
    begin_ = 0;
  }
  size_t n = std::min(size, end_ - begin_);
  if (n > 0) {
    std::memcpy(buffer, buffer_.get() + begin_, n);
    begin_ += n;
  } else if (size >= kStreamChunkBytes) {
    STRATA_ASSIGN_OR_RETURN(n, source_.Read(buffer, size));
  }
  offset_ += n;
  return n;
}

absl::Status Reader::SkipRaw(uint64_t bytes) {
  while (bytes > 0) {
    if (begin_ == end_) {
      STRATA_ASSIGN_OR_RETURN(end_, source_.Read(buffer_.get(), kStreamChunkBytes));
      begin_ = 0;
      if (end_ == 0) return Invalid("the archive is cut short inside an entry");
    }
    const size_t n = static_cast<size_t>(std::min<uint64_t>(bytes, end_ - begin_));
    begin_ += n;
    offset_ += n;
    bytes -= n;
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> Reader::ReadContent(char* buffer, size_t size) {
  if (content_left_ == 0) return 0;
  STRATA_ASSIGN_OR_RETURN(const size_t n, ReadRaw(buffer, static_cast<size_t>(std::min<uint64_t>(size, content_left_))));
  if (n == 0) return Invalid("the archive is cut short inside a file");
  content_left_ -= n;
  return n;
}

absl::Status Reader::SkipContent() {
  STRATA_RETURN_IF_ERROR(SkipRaw(content_left_));
  STRATA_RETURN_IF_ERROR(SkipRaw(padding_left_));
  content_left_ = padding_left_ = 0;
  return absl::OkStatus();
}

absl::Status Reader::DrainSource() {
  begin_ = end_ = 0;
  content_left_ = padding_left_ = 0;
  ended_ = true;
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const size_t n, source_.Read(buffer_.get(), kStreamChunkBytes));
    if (n == 0) return absl::OkStatus();
  }
}

absl::StatusOr<std::optional<Entry>> Reader::Next() {
  if (!failure_.ok()) return failure_;
  if (ended_) return std::optional<Entry>();
  absl::StatusOr<std::optional<Entry>> entry = ReadEntry();
  if (!entry.ok()) failure_ = entry.status();
  return entry;
}

absl::StatusOr<std::optional<Entry>> Reader::ReadEntry() {
  STRATA_RETURN_IF_ERROR(SkipContent());
  Pending pending;
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const bool filled, FillBlock());
    if (!filled || IsZeroBlock(block())) {
      // Two zero blocks end an archive; many writers leave one or both out, so one or the end of the source serves.
      if (pending.any) return Invalid("the archive is cut short after an extended header");
      ended_ = true;
      return std::optional<Entry>();
    }
    if (!ChecksumMatches(block())) {
      return Invalid(offset_ == 0 ? "this is not a tar archive" : "a header is damaged: its checksum does not match");
    }
    char header[kBlockBytes];
    std::memcpy(header, block(), kBlockBytes);
    begin_ += kBlockBytes;
    const char type = header[kTypeFlag.offset];
    if (!IsMetaType(type)) {
      STRATA_ASSIGN_OR_RETURN(auto entry, ParseEntry(header, std::move(pending)));
      offset_ += kBlockBytes;
      return entry;
    }
    STRATA_RETURN_IF_ERROR(ReadMetaEntry(header, type, pending));
  }
}

absl::Status Reader::ReadMetaEntry(const char* block, char type, Pending& pending) {
  const bool is_pax = type == kPaxLocal || type == kPaxGlobal;
  const std::optional<int64_t> size = NumberOf(block, kSize);
  if (!size.has_value() || *size < 0) return Invalid("an extended header has no valid size");
  const size_t limit = is_pax ? limits_.max_pax_bytes : limits_.max_name_bytes + 1;  // GNU counts the NUL at the end
  if (static_cast<uint64_t>(*size) > limit) {
    return absl::ResourceExhaustedError(
        absl::StrCat("tar: an extended header has ", *size, " bytes; at most ", limit, " are accepted (at byte ", offset_, ")"));
  }
  if (++entries_ > limits_.max_entries) {
    return absl::ResourceExhaustedError(absl::StrCat("tar: more than ", limits_.max_entries, " headers"));
  }
  offset_ += kBlockBytes;
  std::string data(static_cast<size_t>(*size), '\0');
  for (size_t have = 0; have < data.size();) {
    STRATA_ASSIGN_OR_RETURN(const size_t n, ReadRaw(data.data() + have, data.size() - have));
    if (n == 0) return Invalid("the archive is cut short inside an extended header");
    have += n;
  }
  STRATA_RETURN_IF_ERROR(SkipRaw(PaddingOf(data.size())));
  if (type == kPaxGlobal) {
    STRATA_RETURN_IF_ERROR(ParsePaxRecords(data, global_));
    size_t total = 0;
    for (const auto& [keyword, value] : global_) total += keyword.size() + value.size();
    if (total > limits_.max_pax_bytes) return absl::ResourceExhaustedError("tar: too many global extended header records");
    return absl::OkStatus();
  }
  pending.any = true;
  if (type == kPaxLocal) {
    pending.pax.clear();
    return ParsePaxRecords(data, pending.pax);
  }
  data.resize(std::min(data.find('\0'), data.size()));
  (type == kGnuLongName ? pending.long_name : pending.long_link) = std::move(data);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Entry>> Reader::ParseEntry(const char* block, Pending pending) {
  Entry entry;
  entry.name = pending.long_name.empty() ? NameOf(block) : std::move(pending.long_name);
  entry.link_name = pending.long_link.empty() ? std::string(TextOf(block, kLinkName)) : std::move(pending.long_link);
  const char flag = block[kTypeFlag.offset];
  const std::optional<EntryType> type = TypeOf(flag);
  if (!type.has_value()) return Unsupported(flag, entry.name);
  entry.type = *type;

  const auto mode = NumberOf(block, kMode);
  const auto uid = NumberOf(block, kUid);
  const auto gid = NumberOf(block, kGid);
  const auto size = NumberOf(block, kSize);
  const auto mtime = NumberOf(block, kMtime);
  constexpr int64_t kMaxId = std::numeric_limits<uint32_t>::max() - 1;  // -1 means "none" to the kernel
  if (!mode.has_value() || !uid.has_value() || !gid.has_value() || !size.has_value() || *size < 0 || !mtime.has_value()) {
    return Invalid(absl::StrCat("the header of ", Quoted(entry.name), " has a number that is none"));
  }
  entry.mode = static_cast<uint32_t>(*mode & 07777);
  entry.size = static_cast<uint64_t>(*size);
  entry.mtime = absl::FromUnixSeconds(std::clamp<int64_t>(*mtime, -(int64_t{1} << 40), int64_t{1} << 40));
  const absl::string_view magic(block + kMagic.offset, kMagic.size);
  if (magic == kUstarMagic || magic == kGnuMagic) {
    entry.user_name = std::string(TextOf(block, kUserName));
    entry.group_name = std::string(TextOf(block, kGroupName));
    const auto major = NumberOf(block, kDevMajor);
    const auto minor = NumberOf(block, kDevMinor);
    if (entry.type == EntryType::kCharDevice || entry.type == EntryType::kBlockDevice) {
      if (!major.has_value() || !minor.has_value() || *major < 0 || *major > kMaxId || *minor < 0 || *minor > kMaxId) {
        return Invalid(absl::StrCat("the device ", Quoted(entry.name), " has no valid numbers"));
      }
      entry.dev_major = static_cast<uint32_t>(*major);
      entry.dev_minor = static_cast<uint32_t>(*minor);
    }
  }
  // Ids that the header cannot hold stand in pax records, which are applied before this is checked.
  entry.uid = static_cast<uint32_t>(std::clamp<int64_t>(*uid, 0, kMaxId));
  entry.gid = static_cast<uint32_t>(std::clamp<int64_t>(*gid, 0, kMaxId));

  PaxRecords records = global_;
  for (auto& [keyword, value] : pending.pax) records[keyword] = std::move(value);
  STRATA_RETURN_IF_ERROR(ApplyPax(records, entry));
  if ((*uid < 0 || *uid > kMaxId) && Lookup(records, "uid") == nullptr) return Invalid(absl::StrCat(Quoted(entry.name), " has the impossible owner ", *uid));
  if ((*gid < 0 || *gid > kMaxId) && Lookup(records, "gid") == nullptr) return Invalid(absl::StrCat(Quoted(entry.name), " has the impossible group ", *gid));

  if (entry.name.size() > limits_.max_name_bytes || entry.link_name.size() > limits_.max_name_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("tar: the name or link of ", Quoted(entry.name), " is longer than ", limits_.max_name_bytes, " bytes"));
  }
  if (entry.name.empty()) return Invalid("an entry has no name");
  // V7 had no directory type: a name that ends in a slash was one.
  if (entry.type == EntryType::kFile && absl::EndsWith(entry.name, "/")) entry.type = EntryType::kDirectory;
  while (absl::EndsWith(entry.name, "/")) entry.name.pop_back();
  if (entry.type != EntryType::kFile) entry.size = 0;
  if (entry.type != EntryType::kHardLink && entry.type != EntryType::kSymlink) entry.link_name.clear();
  if (++entries_ > limits_.max_entries) {
    return absl::ResourceExhaustedError(absl::StrCat("tar: more than ", limits_.max_entries, " entries"));
  }
  content_left_ = entry.size;
  padding_left_ = PaddingOf(entry.size);
  return std::optional<Entry>(std::move(entry));
}

absl::Status Reader::ApplyPax(const PaxRecords& records, Entry& entry) const {
  const auto bad = [&](const char* keyword) {
    return Invalid(absl::StrCat("the extended header of ", Quoted(entry.name), " has a wrong \"", keyword, "\""));
  };
  const auto text = [&](const char* keyword, std::string& field) {
    const std::string* value = Lookup(records, keyword);
    if (value == nullptr) return true;
    if (absl::StrContains(*value, absl::string_view("\0", 1))) return false;
    field = *value;
    return true;
  };
  const auto number = [&](const char* keyword, uint64_t max, auto& field) {
    const std::string* value = Lookup(records, keyword);
    if (value == nullptr) return true;
    uint64_t parsed = 0;
    if (!absl::SimpleAtoi(*value, &parsed) || parsed > max) return false;
    field = static_cast<std::decay_t<decltype(field)>>(parsed);
    return true;
  };
  constexpr uint64_t kMaxId = std::numeric_limits<uint32_t>::max() - 1;
  if (!text("path", entry.name)) return bad("path");
  if (!text("linkpath", entry.link_name)) return bad("linkpath");
  if (!text("uname", entry.user_name)) return bad("uname");
  if (!text("gname", entry.group_name)) return bad("gname");
  if (!number("uid", kMaxId, entry.uid)) return bad("uid");
  if (!number("gid", kMaxId, entry.gid)) return bad("gid");
  if (!number("size", std::numeric_limits<int64_t>::max() - kBlockBytes, entry.size)) return bad("size");
  if (!number("SCHILY.devmajor", kMaxId, entry.dev_major)) return bad("SCHILY.devmajor");
  if (!number("SCHILY.devminor", kMaxId, entry.dev_minor)) return bad("SCHILY.devminor");
  if (const std::string* value = Lookup(records, "mtime"); value != nullptr) {
    const std::optional<absl::Time> mtime = ParsePaxTime(*value);
    if (!mtime.has_value()) return bad("mtime");
    entry.mtime = *mtime;
  }
  for (const auto& [keyword, value] : records) {
    if (absl::StartsWith(keyword, "GNU.sparse.") && !value.empty()) return Unsupported('S', entry.name);
    if (!absl::StartsWith(keyword, kXattrPrefix)) continue;
    const std::string name = keyword.substr(kXattrPrefix.size());
    if (name.empty() || name.size() > 255 || absl::StrContains(name, absl::string_view("\0", 1))) return bad("SCHILY.xattr");
    entry.xattrs[name] = value;
  }
  return absl::OkStatus();
}

}  // namespace strata::tar
