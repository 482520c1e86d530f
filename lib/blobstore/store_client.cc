// StoreClient: connecting; BlobStore without its streams; CacheStore and AdminStore.
#include "lib/blobstore/store_client.h"

#include <grpcpp/channel.h>

#include <algorithm>

#include "lib/blobstore/local_blob.h"
#include "lib/blobstore/store_client_stubs.h"
#include "lib/blobstore/store_client_streams.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/timestamp.h"

namespace strata::blobstore {

namespace v1 = store::v1;

namespace {

constexpr size_t kMaxDigests = 10000;
constexpr size_t kMaxRecordBytes = 1 << 20;

absl::Status CheckCount(size_t count) {
  if (count <= kMaxDigests) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(count, " digests in one call; at most ", kMaxDigests, " are taken"));
}

void SetHeader(absl::string_view repository, absl::string_view upload_id, std::optional<uint64_t> offset_bytes,
               uint64_t incoming_bytes, v1::WriteUploadRequest::Header& header) {
  header.set_repository(std::string(repository));
  header.set_upload_id(std::string(upload_id));
  header.set_offset_bytes(offset_bytes ? static_cast<int64_t>(*offset_bytes) : -1);
  header.set_incoming_bytes(static_cast<int64_t>(std::min<uint64_t>(incoming_bytes, INT64_MAX)));
}

}  // namespace

StoreClient::StoreClient(std::unique_ptr<Stubs> stubs) : stubs_(std::move(stubs)) {}
StoreClient::~StoreClient() = default;

std::unique_ptr<StoreClient> StoreClient::Connect(const std::string& address, const StoreClientOptions& options) {
  const std::shared_ptr<grpc::Channel> channel = rpc::Connect(address);
  auto stubs = std::make_unique<Stubs>();
  stubs->peer = absl::StrCat("store at ", address);
  if (options.use_descriptors) stubs->descriptors = std::make_unique<descriptor::DescriptorClient>();
  stubs->generations = v1::GenerationService::NewStub(channel);
  stubs->blobs = v1::BlobService::NewStub(channel);
  stubs->manifests = v1::ManifestService::NewStub(channel);
  stubs->cache = v1::CacheService::NewStub(channel);
  stubs->admin = v1::AdminService::NewStub(channel);
  stubs->quotas = v1::QuotaService::NewStub(channel);
  stubs->retention = v1::RetentionService::NewStub(channel);
  return std::unique_ptr<StoreClient>(new StoreClient(std::move(stubs)));
}

absl::StatusOr<std::string> StoreClient::StartUpload(const CallContext& context, absl::string_view repository,
                                                     DigestAlgorithm algorithm) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  v1::StartUploadRequest request;
  request.set_repository(std::string(repository));
  request.set_algorithm(std::string(AlgorithmName(algorithm)));
  v1::StartUploadResponse response;
  STRATA_RETURN_IF_ERROR(
      Call(context, stubs_->peer, *stubs_->blobs, &v1::BlobService::Stub::StartUpload, request, &response));
  return std::move(*response.mutable_upload_id());
}

absl::StatusOr<UploadInfo> StoreClient::GetUpload(const CallContext& context, absl::string_view repository,
                                                  absl::string_view upload_id) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the upload id", upload_id));
  v1::GetUploadRequest request;
  request.set_repository(std::string(repository));
  request.set_upload_id(std::string(upload_id));
  v1::GetUploadResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->blobs, &v1::BlobService::Stub::GetUpload, request, &response));
  return UploadInfo{std::string(upload_id), static_cast<uint64_t>(response.offset_bytes()), rpc::ToTime(response.started()),
                    rpc::ToTime(response.last_write())};
}

absl::Status StoreClient::CancelUpload(const CallContext& context, absl::string_view repository, absl::string_view upload_id) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the upload id", upload_id));
  v1::CancelUploadRequest request;
  request.set_repository(std::string(repository));
  request.set_upload_id(std::string(upload_id));
  v1::CancelUploadResponse response;
  return Call(context, stubs_->peer, *stubs_->blobs, &v1::BlobService::Stub::CancelUpload, request, &response);
}

absl::StatusOr<std::unique_ptr<UploadWriter>> StoreClient::OpenUpload(const CallContext& context, absl::string_view repository,
                                                                      absl::string_view upload_id,
                                                                      std::optional<uint64_t> offset_bytes,
                                                                      uint64_t incoming_bytes) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the upload id", upload_id));
  STRATA_RETURN_IF_ERROR(context.Check());
  v1::WriteUploadRequest::Header header;
  SetHeader(repository, upload_id, offset_bytes, incoming_bytes, header);
  return OpenWriteStream(*stubs_->blobs, stubs_->peer, stubs_->descriptors.get(), context, header);
}

absl::Status StoreClient::FinishUpload(const CallContext& context, absl::string_view repository, absl::string_view upload_id,
                                       std::optional<uint64_t> offset_bytes, absl::string_view content, const Digest& digest,
                                       std::optional<uint64_t> size_bytes) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the upload id", upload_id));
  v1::FinishUploadRequest request;
  SetHeader(repository, upload_id, offset_bytes, content.size(), *request.mutable_header());
  request.set_data(std::string(content));
  SetCommit(digest, size_bytes, *request.mutable_commit());
  v1::FinishUploadResponse response;
  return Call(context, stubs_->peer, *stubs_->blobs, &v1::BlobService::Stub::FinishUpload, request, &response);
}

absl::StatusOr<std::unique_ptr<BlobReader>> StoreClient::OpenBlob(const CallContext& context, absl::string_view repository,
                                                                  const Digest& digest, uint64_t offset_bytes,
                                                                  std::optional<uint64_t> length_bytes) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(context.Check());
  v1::ReadBlobRequest request;
  request.set_repository(std::string(repository));
  request.set_digest(digest.ToString());
  request.set_offset_bytes(static_cast<int64_t>(offset_bytes));
  if (stubs_->descriptors != nullptr && stubs_->descriptors->IsWorthTrying()) {
    STRATA_ASSIGN_OR_RETURN(auto reader, OpenLocalBlob(*stubs_->blobs, stubs_->peer, *stubs_->descriptors, context, request,
                                                       length_bytes));
    if (reader != nullptr) return reader;
  }
  return OpenReadStream(*stubs_->blobs, stubs_->peer, context, std::move(request), length_bytes);
}

absl::StatusOr<std::vector<std::optional<uint64_t>>> StoreClient::StatBlobs(const CallContext& context,
                                                                            absl::string_view repository,
                                                                            absl::Span<const Digest> digests) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckCount(digests.size()));
  v1::StatBlobsRequest request;
  request.set_repository(std::string(repository));
  for (const Digest& digest : digests) request.add_digests(digest.ToString());
  v1::StatBlobsResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->blobs, &v1::BlobService::Stub::StatBlobs, request, &response));
  if (static_cast<size_t>(response.blobs_size()) != digests.size()) {
    return absl::InternalError(absl::StrCat(stubs_->peer, " told of ", response.blobs_size(), " blobs, not of ", digests.size()));
  }
  std::vector<std::optional<uint64_t>> sizes;
  sizes.reserve(digests.size());
  for (const v1::StatBlobsResponse::Blob& blob : response.blobs()) {
    sizes.push_back(blob.exists() ? std::optional<uint64_t>(static_cast<uint64_t>(blob.size_bytes())) : std::nullopt);
  }
  return sizes;
}

absl::Status StoreClient::LinkBlobs(const CallContext& context, absl::string_view repository,
                                    absl::string_view from_repository, absl::Span<const Digest> digests) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", from_repository));
  STRATA_RETURN_IF_ERROR(CheckCount(digests.size()));
  v1::LinkBlobsRequest request;
  request.set_repository(std::string(repository));
  request.set_from_repository(std::string(from_repository));
  for (const Digest& digest : digests) request.add_digests(digest.ToString());
  v1::LinkBlobsResponse response;
  return Call(context, stubs_->peer, *stubs_->blobs, &v1::BlobService::Stub::LinkBlobs, request, &response);
}

absl::Status StoreClient::UnlinkBlob(const CallContext& context, absl::string_view repository, const Digest& digest) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", repository));
  v1::UnlinkBlobRequest request;
  request.set_repository(std::string(repository));
  request.set_digest(digest.ToString());
  v1::UnlinkBlobResponse response;
  return Call(context, stubs_->peer, *stubs_->blobs, &v1::BlobService::Stub::UnlinkBlob, request, &response);
}

absl::StatusOr<std::string> StoreClient::GetRecord(const CallContext& context, absl::string_view key) {
  STRATA_RETURN_IF_ERROR(CheckText("the cache key", key));
  v1::GetRecordRequest request;
  request.set_key(std::string(key));
  v1::GetRecordResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->cache, &v1::CacheService::Stub::GetRecord, request, &response));
  return std::move(*response.mutable_value());
}

absl::Status StoreClient::PutRecord(const CallContext& context, absl::string_view key, absl::string_view value,
                                    absl::Span<const Digest> needs) {
  STRATA_RETURN_IF_ERROR(CheckText("the cache key", key));
  STRATA_RETURN_IF_ERROR(CheckCount(needs.size()));
  if (value.size() > kMaxRecordBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a cache record of ", value.size(), " bytes; at most ", kMaxRecordBytes, " are taken"));
  }
  v1::PutRecordRequest request;
  request.set_key(std::string(key));
  request.set_value(std::string(value));
  for (const Digest& digest : needs) request.add_needs(digest.ToString());
  v1::PutRecordResponse response;
  return Call(context, stubs_->peer, *stubs_->cache, &v1::CacheService::Stub::PutRecord, request, &response);
}

absl::StatusOr<PruneReport> StoreClient::PruneRecords(const CallContext& context, absl::Time unused_since, bool is_dry_run) {
  v1::PruneRecordsRequest request;
  request.set_dry_run(is_dry_run);
  rpc::SetTimestamp(unused_since, request.mutable_unused_since());
  v1::PruneRecordsResponse response;
  STRATA_RETURN_IF_ERROR(
      Call(context, stubs_->peer, *stubs_->cache, &v1::CacheService::Stub::PruneRecords, request, &response));
  return PruneReport{response.removed(), response.removed_bytes()};
}

absl::StatusOr<StoreStatistics> StoreClient::GetStatistics(const CallContext& context) {
  v1::GetStatisticsResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->admin, &v1::AdminService::Stub::GetStatistics,
                              v1::GetStatisticsRequest(), &response));
  return StoreStatistics{.blobs = response.blobs(),
                         .blob_bytes = response.blob_bytes(),
                         .repositories = response.repositories(),
                         .manifests = response.manifests(),
                         .tags = response.tags(),
                         .open_uploads = response.open_uploads(),
                         .cache_records = response.cache_records(),
                         .cache_bytes = response.cache_bytes(),
                         .disk_free_bytes = response.disk_free_bytes(),
                         .quarantined_blobs = response.quarantined_blobs(),
                         .quota_refusals = response.quota_refusals()};
}

absl::StatusOr<GarbageReport> StoreClient::CollectGarbage(const CallContext& context, const CollectOptions& options) {
  v1::CollectGarbageRequest request;
  request.set_dry_run(options.dry_run);
  v1::CollectGarbageResponse response;
  STRATA_RETURN_IF_ERROR(
      Call(context, stubs_->peer, *stubs_->admin, &v1::AdminService::Stub::CollectGarbage, request, &response));
  return GarbageReport{.blobs_removed = response.blobs_removed(),
                       .bytes_reclaimed = response.bytes_reclaimed(),
                       .manifests_removed = response.manifests_removed(),
                       .blobs_later = response.blobs_later(),
                       .bytes_later = response.bytes_later(),
                       .objects_examined = response.objects_examined()};
}

}  // namespace strata::blobstore
