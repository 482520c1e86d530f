#include "services/store/rpc/maintenance_service.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/rpc/call.h"
#include "lib/rpc/status.h"
#include "lib/rpc/timestamp.h"
#include "proto/strata/store/v1/maintenance.grpc.pb.h"
#include "services/store/maintenance.h"

namespace strata::store {

namespace {

using grpc::ServerContext;
using rpc::ServerCall;
using rpc::SetTimestamp;
using rpc::ToGrpc;

constexpr int kDefaultLimit = 100;
constexpr int kMaxLimit = 1000;
constexpr int64_t kMaxFindings = 10000;
constexpr absl::Duration kBetweenReports = absl::Milliseconds(200);
constexpr absl::Duration kPatience = absl::Minutes(10);  // for one message to be taken

absl::StatusOr<int> ParseLimit(int32_t limit) {
  if (limit < 0) return absl::InvalidArgumentError(absl::StrCat("limit is ", limit, ", below zero"));
  return limit == 0 ? kDefaultLimit : std::min<int>(limit, kMaxLimit);
}

// Sends messages until the client is gone.
template <typename Response>
class Sender {
 public:
  Sender(const ServerCall& call, grpc::ServerWriter<Response>& writer) : call_(call), writer_(writer) {}

  absl::Status Send(const Response& response) {
    const rpc::PeerWait wait(call_, kPatience);
    return writer_.Write(response) ? absl::OkStatus() : absl::CancelledError("the client is gone");
  }
  // Not more often than people can read.
  absl::Status SendProgress(const Response& response) {
    const absl::Time now = absl::Now();
    if (now - last_ < kBetweenReports) return absl::OkStatus();
    last_ = now;
    return Send(response);
  }

 private:
  const ServerCall& call_;
  grpc::ServerWriter<Response>& writer_;
  absl::Time last_ = absl::InfinitePast();
};

class StreamingObserver final : public VerifyObserver {
 public:
  explicit StreamingObserver(Sender<v1::VerifyResponse>& sender) : sender_(sender) {}

  absl::Status OnProgress(const VerifyProgress& progress) override {
    v1::VerifyResponse response;
    v1::VerifyProgress& out = *response.mutable_progress();
    out.set_stage(progress.stage);
    out.set_items(progress.items);
    out.set_total_items(progress.total_items);
    out.set_bytes(progress.bytes);
    out.set_total_bytes(progress.total_bytes);
    return sender_.SendProgress(response);
  }
  absl::Status OnFinding(const Finding& finding) override {
    if (++sent_ > kMaxFindings) return absl::OkStatus();
    v1::VerifyResponse response;
    response.mutable_finding()->set_what(finding.what);
    response.mutable_finding()->set_subject(finding.subject);
    response.mutable_finding()->set_advice(finding.advice);
    return sender_.Send(response);
  }

 private:
  Sender<v1::VerifyResponse>& sender_;
  int64_t sent_ = 0;
};

void ToProto(const ScrubProgress& progress, v1::ScrubStatus& out) {
  out.set_cycle(progress.cycle);
  out.set_is_deep(progress.is_deep);
  if (progress.cycle > 0) SetTimestamp(progress.started, out.mutable_cycle_started());
  if (progress.ended) SetTimestamp(*progress.ended, out.mutable_cycle_ended());
  out.set_blobs_read(progress.blobs);
  out.set_bytes_read(progress.bytes);
  out.set_damaged(progress.damaged);
}

void ToProto(const QuarantinedBlob& blob, v1::QuarantinedBlob& out) {
  out.set_digest(blob.digest.ToString());
  out.set_size_bytes(static_cast<int64_t>(blob.size_bytes));
  SetTimestamp(blob.since, out.mutable_since());
  out.set_reason(blob.reason);
  for (const std::string& repository : blob.repositories) out.add_repositories(repository);
  for (const std::string& name : blob.named_by) out.add_named_by(name);
  out.set_is_cached(blob.is_cached);
}

class MaintenanceService final : public v1::MaintenanceService::Service {
 public:
  MaintenanceService(Maintenance& maintenance, rpc::CallWatcher& watcher) : maintenance_(maintenance), watcher_(watcher) {}

  grpc::Status GetStatus(ServerContext*, const v1::GetStatusRequest*, v1::GetStatusResponse* response) override {
    const auto status = maintenance_.Status();
    if (!status.ok()) return ToGrpc(status.status());
    response->set_disk_total_bytes(status->disk_total_bytes);
    response->set_disk_free_bytes(status->disk_free_bytes);
    response->set_quarantined_blobs(status->quarantined);
    response->set_collector_due(status->collector_due);
    if (status->collector_oldest_due) SetTimestamp(*status->collector_oldest_due, response->mutable_collector_oldest_due());
    response->mutable_scrub()->set_is_enabled(status->scrub_enabled);
    ToProto(status->scrub, *response->mutable_scrub());
    if (status->last_backup) SetTimestamp(*status->last_backup, response->mutable_last_backup());
    return grpc::Status::OK;
  }

  grpc::Status Verify(ServerContext* server, const v1::VerifyRequest* request, grpc::ServerWriter<v1::VerifyResponse>* writer) override {
    const ServerCall call(watcher_, *server);
    Sender<v1::VerifyResponse> sender(call, *writer);
    StreamingObserver observer(sender);
    const auto summary = maintenance_.Verify(call.context(), request->is_deep(), observer);
    if (!summary.ok()) return ToGrpc(summary.status());
    v1::VerifyResponse response;
    v1::VerifySummary& out = *response.mutable_summary();
    out.set_rows(summary->rows);
    out.set_blobs(summary->blobs);
    out.set_bytes_read(summary->bytes_read);
    out.set_findings(summary->findings);
    out.set_quarantined_blobs(summary->quarantined_blobs);
    return ToGrpc(sender.Send(response));
  }

  grpc::Status ListQuarantined(ServerContext*, const v1::ListQuarantinedRequest* request, v1::ListQuarantinedResponse* response) override {
    return ToGrpc(List(*request, *response));
  }

  grpc::Status RecheckBlob(ServerContext* server, const v1::RecheckBlobRequest* request, v1::RecheckBlobResponse* response) override {
    const ServerCall call(watcher_, *server);
    const auto digest = Digest::Parse(request->digest());
    if (!digest.ok()) return ToGrpc(digest.status());
    const auto found = maintenance_.Recheck(call.context(), *digest);
    if (!found.ok()) return ToGrpc(found.status());
    response->set_is_sound(found->verdict != Examination::Verdict::kDamaged);
    response->set_reason(found->reason);
    return grpc::Status::OK;
  }

  grpc::Status Backup(ServerContext* server, const v1::BackupRequest* request, grpc::ServerWriter<v1::BackupResponse>* writer) override {
    const ServerCall call(watcher_, *server);
    Sender<v1::BackupResponse> sender(call, *writer);
    const int keep = request->keep() == 0 ? 1 : request->keep();
    const auto summary = maintenance_.Backup(call.context(), request->name(), keep, [&](const BackupProgress& progress) {
      v1::BackupResponse response;
      v1::BackupProgress& out = *response.mutable_progress();
      out.set_stage(progress.stage);
      out.set_extents(progress.extents);
      out.set_total_extents(progress.total_extents);
      out.set_bytes(progress.bytes);
      out.set_total_bytes(progress.total_bytes);
      return sender.SendProgress(response);
    });
    if (!summary.ok()) return ToGrpc(summary.status());
    v1::BackupResponse response;
    v1::BackupSummary& out = *response.mutable_summary();
    out.set_path(summary->path);
    out.set_extents(summary->extents);
    out.set_extent_bytes(summary->extent_bytes);
    out.set_extents_linked(summary->extents_linked);
    out.set_bytes_copied(summary->bytes_copied);
    out.set_removed_backups(summary->removed_backups);
    return ToGrpc(sender.Send(response));
  }

  grpc::Status ListUploads(ServerContext*, const v1::ListUploadsRequest* request, v1::ListUploadsResponse* response) override {
    const auto limit = ParseLimit(request->limit());
    if (!limit.ok()) return ToGrpc(limit.status());
    const auto page = maintenance_.ListUploads(request->last_upload_id(), *limit);
    if (!page.ok()) return ToGrpc(page.status());
    for (const UploadSession& session : page->items) {
      v1::UploadSession& out = *response->add_uploads();
      out.set_upload_id(session.upload_id);
      out.set_repository(session.repository);
      out.set_offset_bytes(static_cast<int64_t>(session.offset_bytes));
      SetTimestamp(session.started, out.mutable_started());
      SetTimestamp(session.last_write, out.mutable_last_write());
    }
    response->set_has_more(page->has_more);
    return grpc::Status::OK;
  }

 private:
  absl::Status List(const v1::ListQuarantinedRequest& request, v1::ListQuarantinedResponse& response) {
    STRATA_ASSIGN_OR_RETURN(const int limit, ParseLimit(request.limit()));
    std::optional<Digest> last;
    if (!request.last_digest().empty()) {
      STRATA_ASSIGN_OR_RETURN(last, Digest::Parse(request.last_digest()));
    }
    STRATA_ASSIGN_OR_RETURN(const auto page, maintenance_.ListQuarantined(last, limit));
    for (const QuarantinedBlob& blob : page.items) ToProto(blob, *response.add_blobs());
    response.set_has_more(page.has_more);
    return absl::OkStatus();
  }

  Maintenance& maintenance_;
  rpc::CallWatcher& watcher_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewMaintenanceService(Maintenance& maintenance, rpc::CallWatcher& watcher) {
  return std::make_unique<MaintenanceService>(maintenance, watcher);
}

}  // namespace strata::store
