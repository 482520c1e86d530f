#include "services/builder/rpc/image_streams.h"

#include <algorithm>

#include "lib/base/status.h"

namespace strata::rpc {

namespace {

constexpr absl::Duration kReportInterval = absl::Milliseconds(200);

}  // namespace

absl::Status ResponseSink::Write(absl::string_view data) {
  std::string& piece = *response_.mutable_data();
  while (!data.empty()) {
    const size_t n = std::min(data.size(), kContentMessageBytes - piece.size());
    piece.append(data.data(), n);
    data.remove_prefix(n);
    if (piece.size() == kContentMessageBytes) STRATA_RETURN_IF_ERROR(Finish());
  }
  return absl::OkStatus();
}

absl::Status ResponseSink::Finish() {
  if (response_.data().empty()) return absl::OkStatus();
  grpc::WriteOptions options;
  options.set_no_compression();
  if (!writer_.Write(response_, options)) return absl::CancelledError("the client went away");
  response_.mutable_data()->clear();
  return absl::OkStatus();
}

void TransferReporter::Report(const Digest& digest, absl::string_view status, int64_t current_bytes, int64_t total_bytes) {
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  Last& last = last_[digest];
  if (last.status == status && now - last.sent < kReportInterval) return;
  last = {std::string(status), now};
  builder::v1::TransferProgress progress;
  progress.set_digest(digest.ToString());
  progress.set_status(std::string(status));
  progress.set_current_bytes(current_bytes);
  progress.set_total_bytes(total_bytes);
  Send(progress);
}

void TransferReporter::SendResult(const Digest& digest, const std::string& name) {
  builder::v1::TransferProgress progress;
  progress.set_status("done");
  progress.set_result_digest(digest.ToString());
  progress.set_result_name(name);
  MutexLock lock(mutex_);
  Send(progress);
}

}  // namespace strata::rpc
