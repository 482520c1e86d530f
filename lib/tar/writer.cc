#include "lib/tar/writer.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/tar/header_block.h"
#include "lib/tar/pax_records.h"

namespace strata::tar {
namespace {

char TypeFlag(EntryType type) {
  switch (type) {
    case EntryType::kFile: return '0';
    case EntryType::kHardLink: return '1';
    case EntryType::kSymlink: return '2';
    case EntryType::kCharDevice: return '3';
    case EntryType::kBlockDevice: return '4';
    case EntryType::kDirectory: return '5';
    case EntryType::kFifo: return '6';
  }
  return '0';
}

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isascii(static_cast<unsigned char>(c)); });
}

void PutText(char* block, Field field, absl::string_view text) {
  std::memcpy(block + field.offset, text.data(), std::min(text.size(), field.size));
}

// What a reader without pax sees of a name that ustar cannot hold.
std::string StandIn(absl::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kName.size)) {
    out.push_back(absl::ascii_isascii(static_cast<unsigned char>(c)) ? c : '_');
  }
  return out;
}

// Puts `name` into the name field, or splits it at a slash over prefix and name; false when it does not fit.
bool PutName(char* block, absl::string_view name) {
  if (!IsAscii(name)) return false;
  if (name.size() <= kName.size) {
    PutText(block, kName, name);
    return true;
  }
  if (name.size() > kPrefix.size + 1 + kName.size) return false;
  // The last slash that leaves the prefix small enough; the name after it must not be empty.
  size_t slash = name.rfind('/', std::min(kPrefix.size, name.size() - 2));
  if (slash == absl::string_view::npos || slash == 0 || name.size() - slash - 1 > kName.size) return false;
  PutText(block, kPrefix, name.substr(0, slash));
  PutText(block, kName, name.substr(slash + 1));
  return true;
}

absl::Status CheckNames(const Entry& entry) {
  const absl::string_view nul("\0", 1);
  const bool is_link = entry.type == EntryType::kHardLink || entry.type == EntryType::kSymlink;
  for (const std::string* text : {&entry.name, &entry.link_name, &entry.user_name, &entry.group_name}) {
    if (absl::StrContains(*text, nul)) {
      return absl::InvalidArgumentError(absl::StrCat("tar: a name with a NUL byte: \"", absl::CHexEscape(*text), "\""));
    }
  }
  if (entry.name.empty() && entry.type != EntryType::kDirectory) return absl::InvalidArgumentError("tar: an entry without a name");
  if (is_link && entry.link_name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("tar: the link \"", absl::CHexEscape(entry.name), "\" has no target"));
  }
  if (entry.type != EntryType::kFile && entry.size != 0) {
    return absl::InvalidArgumentError(absl::StrCat("tar: \"", absl::CHexEscape(entry.name), "\" is a ", EntryTypeName(entry.type), " and cannot have content"));
  }
  for (const auto& [name, value] : entry.xattrs) {
    if (name.empty() || absl::StrContains(name, "=") || absl::StrContains(name, nul)) {
      return absl::InvalidArgumentError(absl::StrCat("tar: \"", absl::CHexEscape(entry.name), "\" has the extended attribute \"",
                                                     absl::CHexEscape(name), "\", whose name a tar archive cannot hold"));
    }
  }
  return absl::OkStatus();
}

// Fills the header block; what does not fit goes to `pax`.
void PutEntry(const Entry& entry, bool sub_second_mtime, char* block, PaxRecords& pax) {
  const std::string name = entry.type == EntryType::kDirectory ? absl::StrCat(entry.name, "/") : entry.name;
  if (!PutName(block, name)) {
    pax["path"] = name;
    PutText(block, kName, StandIn(name));
  }
  if (entry.type == EntryType::kHardLink || entry.type == EntryType::kSymlink) {
    if (IsAscii(entry.link_name) && entry.link_name.size() <= kLinkName.size) {
      PutText(block, kLinkName, entry.link_name);
    } else {
      pax["linkpath"] = entry.link_name;
      PutText(block, kLinkName, StandIn(entry.link_name));
    }
  }
  const auto owner_name = [&](const std::string& value, Field field, const char* keyword) {
    if (IsAscii(value) && value.size() < field.size) {
      PutText(block, field, value);
    } else {
      pax[keyword] = value;
    }
  };
  owner_name(entry.user_name, kUserName, "uname");
  owner_name(entry.group_name, kGroupName, "gname");
  const auto number = [&](uint64_t value, Field field, const char* keyword) {
    if (PutOctal(block, field, value)) return;
    PutOctal(block, field, 0);
    pax[keyword] = absl::StrCat(value);
  };
  number(entry.mode & 07777, kMode, "mode");
  number(entry.uid, kUid, "uid");
  number(entry.gid, kGid, "gid");
  number(entry.size, kSize, "size");
  const bool is_device = entry.type == EntryType::kCharDevice || entry.type == EntryType::kBlockDevice;
  number(is_device ? entry.dev_major : 0, kDevMajor, "SCHILY.devmajor");
  number(is_device ? entry.dev_minor : 0, kDevMinor, "SCHILY.devminor");

  const int64_t seconds = absl::ToUnixSeconds(entry.mtime);  // rounds down
  const bool has_fraction = sub_second_mtime && absl::FromUnixSeconds(seconds) != entry.mtime;
  const bool fits = seconds >= 0 && PutOctal(block, kMtime, static_cast<uint64_t>(seconds));
  if (!fits) PutOctal(block, kMtime, 0);
  if (!fits || has_fraction) pax["mtime"] = FormatPaxTime(has_fraction ? entry.mtime : absl::FromUnixSeconds(seconds));

  for (const auto& [xattr, value] : entry.xattrs) pax[absl::StrCat(kXattrPrefix, xattr)] = value;
  block[kTypeFlag.offset] = TypeFlag(entry.type);
  std::memcpy(block + kMagic.offset, kUstarMagic.data(), kUstarMagic.size());
}

}  // namespace

Writer::Writer(ByteSink& sink, const WriterOptions& options)
    : sink_(sink), options_(options), buffer_(new char[kStreamChunkBytes]) {}

absl::Status Writer::Flush() {
  const size_t n = buffered_;
  buffered_ = 0;
  return n == 0 ? absl::OkStatus() : sink_.Write(absl::string_view(buffer_.get(), n));
}

absl::Status Writer::Append(absl::string_view data) {
  if (data.size() > kStreamChunkBytes - buffered_) {
    STRATA_RETURN_IF_ERROR(Flush());
    if (data.size() >= kStreamChunkBytes) return sink_.Write(data);
  }
  std::memcpy(buffer_.get() + buffered_, data.data(), data.size());
  buffered_ += data.size();
  return absl::OkStatus();
}

absl::Status Writer::AppendZeros(uint64_t count) {
  static constexpr char kZeros[2 * kBlockBytes] = {};
  return Append(absl::string_view(kZeros, count));
}

absl::Status Writer::WritePaxHeader(absl::string_view name, absl::string_view records) {
  char block[kBlockBytes] = {};
  const size_t slash = name.rfind('/');
  const absl::string_view base = slash == absl::string_view::npos ? name : name.substr(slash + 1);
  PutText(block, kName, StandIn(absl::StrCat("PaxHeaders/", base)));
  PutOctal(block, kMode, 0644);
  PutOctal(block, kUid, 0);
  PutOctal(block, kGid, 0);
  PutOctal(block, kMtime, 0);
  PutOctal(block, kDevMajor, 0);
  PutOctal(block, kDevMinor, 0);
  if (!PutOctal(block, kSize, records.size())) return absl::InvalidArgumentError("tar: extended attributes of more than 8 GiB");
  block[kTypeFlag.offset] = 'x';
  std::memcpy(block + kMagic.offset, kUstarMagic.data(), kUstarMagic.size());
  PutChecksum(block);
  STRATA_RETURN_IF_ERROR(Append(absl::string_view(block, kBlockBytes)));
  STRATA_RETURN_IF_ERROR(Append(records));
  return AppendZeros(PaddingOf(records.size()));
}

absl::Status Writer::WriteHeader(const Entry& entry) {
  if (content_left_ > 0) {
    return absl::FailedPreconditionError(absl::StrCat("tar: the last entry lacks ", content_left_, " bytes of its content"));
  }
  STRATA_RETURN_IF_ERROR(CheckNames(entry));
  STRATA_RETURN_IF_ERROR(AppendZeros(padding_left_));
  char block[kBlockBytes] = {};
  PaxRecords pax;
  PutEntry(entry, options_.sub_second_mtime, block, pax);
  if (!pax.empty()) STRATA_RETURN_IF_ERROR(WritePaxHeader(entry.name, FormatPaxRecords(pax)));
  PutChecksum(block);
  content_left_ = entry.size;
  padding_left_ = PaddingOf(entry.size);
  return Append(absl::string_view(block, kBlockBytes));
}

absl::Status Writer::WriteContent(absl::string_view data) {
  if (data.size() > content_left_) {
    return absl::InvalidArgumentError(absl::StrCat("tar: content is ", data.size() - content_left_, " bytes longer than its header says"));
  }
  content_left_ -= data.size();
  return Append(data);
}

absl::Status Writer::WriteEntry(const Entry& entry, ByteSource& content) {
  STRATA_RETURN_IF_ERROR(WriteHeader(entry));
  // Straight into the buffer: layers are many small files, and a copy each would show.
  while (content_left_ > 0) {
    if (buffered_ == kStreamChunkBytes) STRATA_RETURN_IF_ERROR(Flush());
    const size_t want = static_cast<size_t>(std::min<uint64_t>(kStreamChunkBytes - buffered_, content_left_));
    STRATA_ASSIGN_OR_RETURN(const size_t n, content.Read(buffer_.get() + buffered_, want));
    if (n == 0) {
      return absl::AbortedError(absl::StrCat("\"", absl::CHexEscape(entry.name), "\" became ", content_left_, " bytes shorter while it was read"));
    }
    buffered_ += n;
    content_left_ -= n;
  }
  char extra = 0;
  if (entry.type != EntryType::kFile) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(const size_t more, content.Read(&extra, 1));
  if (more == 0) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("\"", absl::CHexEscape(entry.name), "\" grew while it was read"));
}

absl::Status Writer::Finish() {
  if (content_left_ > 0) {
    return absl::FailedPreconditionError(absl::StrCat("tar: the last entry lacks ", content_left_, " bytes of its content"));
  }
  STRATA_RETURN_IF_ERROR(AppendZeros(padding_left_));
  STRATA_RETURN_IF_ERROR(AppendZeros(2 * kBlockBytes));
  return Flush();
}

}  // namespace strata::tar
