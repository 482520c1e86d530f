#include "lib/rpc/call.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"

namespace strata::rpc {

namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(50);
constexpr size_t kMaxRequestIdBytes = 128;

int64_t SteadyNanos() { return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1); }

bool IsRequestId(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxRequestIdBytes && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == ':' || c == '-';
  });
}

}  // namespace

CallWatcher::~CallWatcher() {
  std::thread thread;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  changed_.SignalAll();
  if (thread.joinable()) thread.join();
}

void CallWatcher::Add(ServerCall& call) {
  MutexLock lock(mutex_);
  calls_.insert(&call);
  if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
  if (sleeps_) changed_.Signal();
}

void CallWatcher::Remove(ServerCall& call) {
  MutexLock lock(mutex_);
  calls_.erase(&call);
}

void CallWatcher::Loop() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    sleeps_ = calls_.empty();
    if (sleeps_) {
      changed_.Wait(mutex_);
      continue;
    }
    changed_.WaitFor(mutex_, kLookEvery);
    // Callbacks of a Cancellation do not block, so they may run under the lock that keeps the calls alive.
    for (ServerCall* call : calls_) call->Look();
  }
}

ServerCall::ServerCall(CallWatcher& watcher, const grpc::ServerContext& server_context)
    : watcher_(watcher), server_context_(server_context) {
  const auto deadline = server_context.deadline();
  if (deadline != std::chrono::system_clock::time_point::max()) context_.deadline = absl::FromChrono(deadline);
  context_.cancellation = &cancellation_;
  const auto& metadata = server_context.client_metadata();
  const auto id = metadata.find(kRequestIdKey);
  if (id != metadata.end()) {
    const absl::string_view text(id->second.data(), id->second.size());
    if (IsRequestId(text)) context_.request_id = std::string(text);
  }
  watcher_.Add(*this);
}

void ServerCall::Look() {
  if (cancellation_.cancelled()) return;
  const int64_t ends = patience_ends_.load(std::memory_order_relaxed);
  if (ends != 0 && SteadyNanos() > ends) server_context_.TryCancel();
  if (server_context_.IsCancelled()) cancellation_.Cancel();
}

PeerWait::PeerWait(const ServerCall& call, absl::Duration patience) : call_(call) {
  call_.patience_ends_.store(SteadyNanos() + absl::ToInt64Nanoseconds(patience), std::memory_order_relaxed);
}

ClientCall::ClientCall(const CallContext& context) {
  if (context.deadline != absl::InfiniteFuture()) client_context_.set_deadline(absl::ToChronoTime(context.deadline));
  if (IsRequestId(context.request_id)) client_context_.AddMetadata(kRequestIdKey, context.request_id);
  if (context.cancellation != nullptr) {
    registration_ = context.cancellation->OnCancel([this] { client_context_.TryCancel(); });
  }
}

ClientCall::~ClientCall() = default;

}  // namespace strata::rpc
