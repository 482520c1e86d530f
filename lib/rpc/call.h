// CallContext <-> gRPC's contexts: deadline, cancellation and request id travel with every call.
//
// The request id is the metadata "x-strata-request-id": at most 128 bytes of [A-Za-z0-9._:-], else ignored.
// Include in .cc files of services and clients only: gRPC's headers are slow to compile.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include <atomic>
#include <cstdint>
#include <set>
#include <thread>

#include "lib/base/call_context.h"
#include "lib/base/cancellation.h"
#include "lib/base/mutex.h"

namespace strata::rpc {

inline constexpr char kRequestIdKey[] = "x-strata-request-id";

class ServerCall;

// Looks every 50 ms, in one thread, whether the clients of the running calls have gone or stand still: a synchronous handler is
// told by nobody. Thread-safe. Outlives every ServerCall.
class CallWatcher {
 public:
  CallWatcher() = default;
  ~CallWatcher();
  CallWatcher(const CallWatcher&) = delete;
  CallWatcher& operator=(const CallWatcher&) = delete;

 private:
  friend class ServerCall;
  void Add(ServerCall& call);
  void Remove(ServerCall& call);  // afterwards it is not touched
  void Loop();

  Mutex mutex_;
  CondVar changed_;
  std::set<ServerCall*> calls_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool sleeps_ ABSL_GUARDED_BY(mutex_) = false;  // no calls: waits to be woken
  std::thread thread_ ABSL_GUARDED_BY(mutex_);   // started by the first call
};

// One call in its handler:  rpc::ServerCall call(watcher_, *server_context);  store.OpenBlob(call.context(), ...)
class ServerCall {
 public:
  ServerCall(CallWatcher& watcher, const grpc::ServerContext& server_context);
  ~ServerCall() { watcher_.Remove(*this); }
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;

  const CallContext& context() const { return context_; }

 private:
  friend class CallWatcher;
  friend class PeerWait;
  // Cancels what has gone or stands still.
  void Look();

  CallWatcher& watcher_;
  const grpc::ServerContext& server_context_;
  Cancellation cancellation_;
  CallContext context_;
  mutable std::atomic<int64_t> patience_ends_{0};  // nanoseconds of the steady clock; 0: not waiting for the client
};

// While it lives the handler waits for its client to send or to take a message. When that lasts longer than `patience` the call is
// cancelled, which ends the wait: a client that is alive but stands still must not hold a thread for ever. One at a time a call.
class PeerWait {
 public:
  PeerWait(const ServerCall& call, absl::Duration patience);
  ~PeerWait() { call_.patience_ends_.store(0, std::memory_order_relaxed); }
  PeerWait(const PeerWait&) = delete;
  PeerWait& operator=(const PeerWait&) = delete;

 private:
  const ServerCall& call_;
};

// One call of a client: its ClientContext carries what `context` says, and is cancelled with it. context.cancellation must
// outlive this object.
class ClientCall {
 public:
  explicit ClientCall(const CallContext& context);
  ~ClientCall();

  grpc::ClientContext* operator->() { return &client_context_; }
  grpc::ClientContext* get() { return &client_context_; }

 private:
  grpc::ClientContext client_context_;
  Cancellation::Registration registration_;
};

}  // namespace strata::rpc
