// Writes tar archives: plain ustar where an entry fits into it, pax extended headers where it does not.
//
// The bytes are a function of the entries and contents alone. Entries are written in the order given. mtime is written in whole
// seconds (rounded down) unless WriterOptions says otherwise, as image layers have it.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/bytes/byte_stream.h"
#include "lib/tar/entry.h"

namespace strata::tar {

struct WriterOptions {
  bool sub_second_mtime = false;  // a pax record for each mtime that has a fraction
};

// Thread-compatible. Buffers 256 KiB. Errors of the sink pass through; after one, discard the writer.
class Writer {
 public:
  // `sink` must outlive this object.
  explicit Writer(ByteSink& sink, const WriterOptions& options = {});

  // Starts the next entry. kFailedPrecondition: the content of the last one is not complete.
  // kInvalidArgument: a name that is empty or contains NUL, or an xattr name with '=' (pax cannot express it).
  absl::Status WriteHeader(const Entry& entry);
  // Content of the entry, `entry.size` bytes in all calls together; kInvalidArgument when it would become more.
  absl::Status WriteContent(absl::string_view data);
  // WriteHeader() and all of `content`; kAborted when that is not exactly `entry.size` bytes.
  absl::Status WriteEntry(const Entry& entry, ByteSource& content);
  // Ends the archive with two zero blocks and passes everything to the sink. Call it exactly once.
  absl::Status Finish();

 private:
  absl::Status WritePaxHeader(absl::string_view name, absl::string_view records);
  absl::Status Append(absl::string_view data);
  absl::Status AppendZeros(uint64_t count);
  absl::Status Flush();

  ByteSink& sink_;
  const WriterOptions options_;
  std::unique_ptr<char[]> buffer_;
  size_t buffered_ = 0;
  uint64_t content_left_ = 0;
  uint64_t padding_left_ = 0;
};

}  // namespace strata::tar
