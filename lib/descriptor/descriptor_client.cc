#include "lib/descriptor/descriptor_client.h"

#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/descriptor/ticket_table.h"
#include "lib/descriptor/unix_socket.h"

namespace strata::descriptor {

bool Connection::IsAlive() const {
  char byte;
  const ssize_t n = ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  // Something to read is an answer on its way to another thread.
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

const Clock& DescriptorClient::DefaultClock() {
  static const SystemClock clock;
  return clock;
}

bool DescriptorClient::IsWorthTrying() const {
  MutexLock lock(mutex_);
  return not_before_ == absl::InfinitePast() || clock_.Now() >= not_before_;
}

void DescriptorClient::LeaveAlone() {
  MutexLock lock(mutex_);
  not_before_ = clock_.Now() + options_.retry_after;
}

absl::StatusOr<std::shared_ptr<const Connection>> DescriptorClient::ConnectionTo(const std::string& path) {
  if (connection_ != nullptr && path_ == path && connection_->IsAlive()) return connection_;
  connection_.reset();
  STRATA_ASSIGN_OR_RETURN(UniqueFd socket, ConnectTo(path));
  path_ = path;
  connection_ = std::make_shared<const Connection>(std::move(socket));
  return connection_;
}

absl::StatusOr<ReceivedDescriptor> DescriptorClient::Redeem(const std::string& path, absl::string_view ticket) {
  if (ticket.size() != kTicketChars) return absl::NotFoundError("that is no ticket");
  MutexLock conversation(conversation_);
  const auto connection = ConnectionTo(path);
  if (!connection.ok()) {
    LeaveAlone();
    return connection.status();
  }
  absl::StatusOr<Message> answer = absl::UnavailableError("the store's descriptor socket is gone or takes no questions");
  if (SendMessage((*connection)->socket(), ticket)) answer = ReceiveMessage((*connection)->socket(), options_.timeout);
  if (answer.ok() && answer->text.empty()) answer = absl::UnavailableError("the store's descriptor socket was closed");
  if (!answer.ok()) {
    // A late answer would be taken for that of the next question.
    connection_.reset();
    LeaveAlone();
    return answer.status();
  }
  if (answer->text == "F" && answer->descriptor.is_valid()) return ReceivedDescriptor{std::move(answer->descriptor), *connection};
  // "F" without a descriptor: this process has no room for one more.
  if (answer->text == "F") return absl::UnavailableError("a descriptor came but could not be taken: too many open files");
  return absl::NotFoundError(absl::StrCat("the server at ", path, " knows no such ticket: it was used or has expired"));
}

}  // namespace strata::descriptor
