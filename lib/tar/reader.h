// Reads tar archives of any dialect in use, from a stream, without trusting them.
//
// Understands V7, ustar, pax (local and global headers, SCHILY.xattr.*), GNU long names and base-256 numbers, star prefixes.
// Refuses sparse files, multi-volume archives and types it does not know, by name, rather than produce wrong content.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/bytes/byte_stream.h"
#include "lib/tar/entry.h"
#include "lib/tar/pax_records.h"

namespace strata::tar {

struct ReaderLimits {
  size_t max_name_bytes = 4096;            // of a name and of a link name: PATH_MAX
  size_t max_pax_bytes = 1024 * 1024;      // of one extended header, and of all global records together
  uint64_t max_entries = 10'000'000;
};

// Thread-compatible. Memory: 256 KiB and the extended headers of one entry.
class Reader {
 public:
  // `source` must outlive this object. It is read ahead: after the end of the archive, some or all of what follows is consumed.
  explicit Reader(ByteSource& source, const ReaderLimits& limits = {});

  // The next entry, after skipping what is left of the content of the last one; nullopt at the end of the archive.
  // kInvalidArgument: not a tar archive, damaged or cut short. kUnimplemented: a sparse file, a part of a multi-volume archive or
  // an unknown type. kResourceExhausted: a limit is passed. Errors name the entry and its offset; they are sticky.
  absl::StatusOr<std::optional<Entry>> Next();

  // The content of the entry that Next() gave last; valid until the next call of Next(). kInvalidArgument when it is cut short.
  ByteSource& content() { return content_; }
  // Reads what follows the archive (padding) to the end of the source, so that whoever hashes the source has seen all of it.
  absl::Status DrainSource();

 private:
  class Content final : public ByteSource {
   public:
    explicit Content(Reader& reader) : reader_(reader) {}
    absl::StatusOr<size_t> Read(char* buffer, size_t size) override { return reader_.ReadContent(buffer, size); }

   private:
    Reader& reader_;
  };
  // What the headers before an entry's own said about it.
  struct Pending {
    PaxRecords pax;
    std::string long_name;
    std::string long_link;
    bool any = false;
  };

  absl::StatusOr<std::optional<Entry>> ReadEntry();
  absl::StatusOr<std::optional<Entry>> ParseEntry(const char* block, Pending pending);
  absl::Status ReadMetaEntry(const char* block, char type, Pending& pending);
  absl::Status ApplyPax(const PaxRecords& records, Entry& entry) const;
  absl::StatusOr<size_t> ReadContent(char* buffer, size_t size);
  absl::Status SkipContent();

  absl::StatusOr<bool> FillBlock();  // true: block() is the next header; false: the source ended before its first byte
  const char* block() const { return buffer_.get() + begin_; }
  absl::StatusOr<size_t> ReadRaw(char* buffer, size_t size);  // buffered first, then the source
  absl::Status SkipRaw(uint64_t bytes);
  absl::Status Invalid(absl::string_view what) const;

  ByteSource& source_;
  const ReaderLimits limits_;
  Content content_{*this};
  std::unique_ptr<char[]> buffer_;
  size_t begin_ = 0;  // unread bytes are [begin_, end_) of buffer_
  size_t end_ = 0;
  uint64_t offset_ = 0;        // of block begin_ in the archive, for messages
  uint64_t content_left_ = 0;
  uint64_t padding_left_ = 0;
  uint64_t entries_ = 0;
  PaxRecords global_;
  bool ended_ = false;
  absl::Status failure_;
};

}  // namespace strata::tar
