// Hands open descriptors to processes of the same host, each for a ticket that is good once. See README.md for the protocol.
//
//   STRATA_ASSIGN_OR_RETURN(auto descriptors, DescriptorServer::Start({.path = "/var/lib/strata/store/descriptors.sock"}, clock));
//   const auto ticket = descriptors->Offer(std::move(fd));   // goes into a gRPC answer, with descriptors->path()
//
// Thread-safe. One thread serves all peers and never waits for one: a peer that does not read its answers is cut off.
// Destroying it cuts every peer off and removes the socket file.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/unique_fd.h"
#include "lib/descriptor/ticket_table.h"

namespace strata::descriptor {

struct DescriptorServerOptions {
  std::string path;  // of the socket file; its folder exists
  size_t max_tickets = 512;
  absl::Duration ticket_life = absl::Seconds(10);
  size_t max_connections = 64;  // more are refused
};

class DescriptorServer {
 public:
  // `clock` outlives the server.
  // kFailedPrecondition: another process listens there, or something that is no socket is in the way.
  static absl::StatusOr<std::unique_ptr<DescriptorServer>> Start(DescriptorServerOptions options, const Clock& clock);
  ~DescriptorServer();

  // The ticket for `fd`, which is kept until then.  kResourceExhausted: too many tickets are out; let the caller use gRPC.
  absl::StatusOr<std::string> Offer(UniqueFd fd) { return tickets_.Add(std::move(fd)); }

  // Closes what the ticket stands for, unless it was fetched already.
  void Withdraw(absl::string_view ticket) { tickets_.Take(ticket).status().IgnoreError(); }

  // Absolute; what a client connects to.
  const std::string& path() const { return options_.path; }
  size_t outstanding() const { return tickets_.size(); }

 private:
  DescriptorServer(DescriptorServerOptions options, const Clock& clock, UniqueFd listener, UniqueFd wake);
  void Main();
  void Accept(std::vector<UniqueFd>& peers);
  bool Answer(int peer);  // false: cut it off

  const DescriptorServerOptions options_;
  TicketTable tickets_;
  const UniqueFd listener_;
  const UniqueFd wake_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace strata::descriptor
