// What the parts of StoreClient share. For lib/blobstore/store_client*.cc only.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/blobstore/store_client.h"
#include "lib/descriptor/descriptor_client.h"
#include "lib/rpc/call.h"
#include "lib/rpc/status.h"
#include "proto/strata/store/v1/admin.grpc.pb.h"
#include "proto/strata/store/v1/blob.grpc.pb.h"
#include "proto/strata/store/v1/cache.grpc.pb.h"
#include "proto/strata/store/v1/generation.grpc.pb.h"
#include "proto/strata/store/v1/manifest.grpc.pb.h"
#include "proto/strata/store/v1/quota.grpc.pb.h"
#include "proto/strata/store/v1/retention.grpc.pb.h"

namespace strata::blobstore {

struct StoreClient::Stubs {
  std::string peer;  // "store at 127.0.0.1:7071"
  std::unique_ptr<descriptor::DescriptorClient> descriptors;  // null: not wanted
  std::unique_ptr<store::v1::GenerationService::Stub> generations;
  std::unique_ptr<store::v1::BlobService::Stub> blobs;
  std::unique_ptr<store::v1::ManifestService::Stub> manifests;
  std::unique_ptr<store::v1::CacheService::Stub> cache;
  std::unique_ptr<store::v1::AdminService::Stub> admin;
  std::unique_ptr<store::v1::RetentionService::Stub> retention;
  std::unique_ptr<store::v1::QuotaService::Stub> quotas;

  Mutex view_mutex;
  std::shared_ptr<const GenerationView> view ABSL_GUARDED_BY(view_mutex);
  absl::Time next_view ABSL_GUARDED_BY(view_mutex) = absl::InfinitePast();  // when to try again
};

// One unary call:  Call(context, peer, *stubs.blobs, &BlobService::Stub::GetUpload, request, &response)
template <typename Stub, typename Method, typename Request, typename Response>
absl::Status Call(const CallContext& context, const std::string& peer, Stub& stub, Method method, const Request& request,
                  Response* response) {
  STRATA_RETURN_IF_ERROR(context.Check());
  rpc::ClientCall call(context);
  return rpc::FromGrpc((stub.*method)(call.get(), request, response), peer);
}

// Protobuf text must be UTF-8, and every name of ours is ASCII: what is not would fail obscurely in the middle of gRPC.
inline absl::Status CheckText(absl::string_view what, absl::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return absl::InvalidArgumentError(absl::StrCat(what, " is not ASCII"));
  }
  return absl::OkStatus();
}

// A digest in a response; another text means a broken peer.
inline absl::StatusOr<Digest> ReceivedDigest(const std::string& text, const std::string& peer) {
  absl::StatusOr<Digest> digest = Digest::Parse(text);
  if (digest.ok()) return digest;
  return absl::InternalError(absl::StrCat(peer, " answered nonsense: ", digest.status().message()));
}

}  // namespace strata::blobstore
