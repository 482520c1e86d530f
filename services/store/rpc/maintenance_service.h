// strata.store.v1.MaintenanceService over Maintenance: a translator.
#pragma once

#include <memory>

namespace grpc {
class Service;
}
namespace strata::rpc {
class CallWatcher;
}

namespace strata::store {

class Maintenance;

// Both outlive the service. Thread-safe. Owners include <grpcpp/impl/service_type.h>.
std::unique_ptr<grpc::Service> NewMaintenanceService(Maintenance& maintenance, rpc::CallWatcher& watcher);

}  // namespace strata::store
