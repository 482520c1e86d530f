#include "lib/base/status.h"
#include "lib/descriptor/descriptor_server.h"
#include "lib/rpc/call.h"
#include "lib/rpc/status.h"
#include "proto/strata/store/v1/generation.grpc.pb.h"
#include "services/store/engine/generations.h"
#include "services/store/rpc/services.h"

namespace strata::store {

namespace {

class GenerationService final : public v1::GenerationService::Service {
 public:
  GenerationService(const Generations* generations, descriptor::DescriptorServer* descriptors, rpc::CallWatcher& watcher)
      : generations_(generations), descriptors_(descriptors), watcher_(watcher) {}

  grpc::Status OpenGenerations(grpc::ServerContext* server, const v1::OpenGenerationsRequest*,
                               v1::OpenGenerationsResponse* response) override {
    const rpc::ServerCall call(watcher_, *server);
    return rpc::ToGrpc([&]() -> absl::Status {
      if (generations_ == nullptr || descriptors_ == nullptr) {
        return absl::UnavailableError("this store hands out no descriptors; it was started without --descriptor-socket");
      }
      STRATA_ASSIGN_OR_RETURN(UniqueFd counters, generations_->OpenForReading());
      const auto ticket = descriptors_->Offer(std::move(counters));
      if (!ticket.ok()) return absl::UnavailableError(ticket.status().message());
      response->set_socket_path(descriptors_->path());
      response->set_ticket(*ticket);
      return absl::OkStatus();
    }());
  }

 private:
  const Generations* const generations_;  // or null
  descriptor::DescriptorServer* const descriptors_;  // or null
  rpc::CallWatcher& watcher_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewGenerationService(const Generations* generations, descriptor::DescriptorServer* descriptors,
                                                    rpc::CallWatcher& watcher) {
  return std::make_unique<GenerationService>(generations, descriptors, watcher);
}

}  // namespace strata::store
