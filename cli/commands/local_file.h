// Files that commands read or write by the name given on the command line; "-" or "" is standard input or output.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/commands/command_line.h"
#include "lib/base/unique_fd.h"
#include "lib/bytes/byte_stream.h"

namespace strata::cli {

class InputFile {
 public:
  // kNotFound: no such file. UsageError: standard input is a terminal.
  static absl::StatusOr<InputFile> Open(const Invocation& invocation, const std::string& path);
  ByteSource& source() { return file_ != nullptr ? *file_ : *standard_; }

 private:
  UniqueFd fd_;
  std::unique_ptr<FdSource> file_;
  ByteSource* standard_ = nullptr;
};

// A file that appears under its name only when it is complete.
class OutputFile {
 public:
  // UsageError: standard output is a terminal.
  static absl::StatusOr<OutputFile> Create(const Invocation& invocation, const std::string& path);
  OutputFile(OutputFile&&) = default;
  ~OutputFile();

  ByteSink& sink() { return file_ != nullptr ? *file_ : *standard_; }
  // Gives the file its name. Without it, nothing is left.
  absl::Status Commit();

 private:
  OutputFile() = default;
  UniqueFd fd_;
  std::string path_;
  std::string partial_path_;
  std::unique_ptr<FdSink> file_;
  ByteSink* standard_ = nullptr;
};

}  // namespace strata::cli
