#include "lib/rpc/status.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/support/status.h>

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace strata::rpc {

namespace {

constexpr size_t kMaxMessageBytes = 2048;
// What gRPC's servers answer beyond their quota of threads. No disk is full and no quota of ours used up.
constexpr char kNoThreadLeft[] = "Server Threadpool Exhausted";
constexpr size_t kMaxDetailsBytes = 2048;
// Fields of google.rpc.Status.
constexpr int kCodeField = 1;
constexpr int kDetailsField = 3;

// Never empty: its presence tells our servers' words from gRPC's own.
std::string EncodeDetails(const absl::Status& status) {
  google::protobuf::UnknownFieldSet fields;
  fields.AddVarint(kCodeField, static_cast<uint64_t>(status.code()));
  std::string code_only;
  fields.SerializeToString(&code_only);
  status.ForEachPayload([&](absl::string_view type_url, const absl::Cord& payload) {
    google::protobuf::Any any;
    any.set_type_url(std::string(type_url));
    any.set_value(std::string(payload));
    fields.AddLengthDelimited(kDetailsField, any.SerializeAsString());
  });
  std::string all;
  fields.SerializeToString(&all);
  return all.size() <= kMaxDetailsBytes ? all : code_only;
}

void DecodePayloads(const std::string& details, absl::Status& status) {
  google::protobuf::UnknownFieldSet fields;
  if (!fields.ParseFromString(details)) return;
  for (int i = 0; i < fields.field_count(); ++i) {
    const google::protobuf::UnknownField& field = fields.field(i);
    google::protobuf::Any any;
    if (field.number() != kDetailsField || field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) continue;
    if (any.ParseFromString(field.length_delimited())) status.SetPayload(any.type_url(), absl::Cord(any.value()));
  }
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message(status.message().substr(0, kMaxMessageBytes));
  if (status.message().size() > kMaxMessageBytes) message += "...";
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message, EncodeDetails(status));
}

absl::Status FromGrpc(const grpc::Status& status, absl::string_view peer) {
  if (status.ok()) return absl::OkStatus();
  const bool is_ours = !status.error_details().empty();
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && !is_ours) {
    return absl::UnavailableError(absl::StrCat(peer, " is not reachable: ", status.error_message(), "; is it running?"));
  }
  if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && !is_ours && status.error_message() == kNoThreadLeft) {
    return absl::UnavailableError(absl::StrCat(peer, " serves as many calls as it can already; retry in a moment"));
  }
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && !is_ours) {
    return absl::UnimplementedError(
        absl::StrCat(peer, " does not know this call; is it another service, or an older version? (", status.error_message(), ")"));
  }
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  DecodePayloads(status.error_details(), result);
  return result;
}

}  // namespace strata::rpc
