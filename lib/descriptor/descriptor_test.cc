// Server, client and tickets together, over a real socket.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/descriptor/descriptor_client.h"
#include "lib/descriptor/descriptor_server.h"
#include "lib/descriptor/ticket_table.h"
#include "lib/descriptor/unix_socket.h"
#include "lib/testing/fake_clock.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::descriptor {
namespace {

using ::strata::testing::FakeClock;
using ::strata::testing::ScratchDir;
using ::strata::testing::StatusIs;

class DescriptorTest : public ::testing::Test {
 protected:
  std::unique_ptr<DescriptorServer> Start(DescriptorServerOptions options = {}) {
    options.path = path_;
    auto server = DescriptorServer::Start(options, clock_);
    EXPECT_OK(server);
    return *std::move(server);
  }
  UniqueFd File(const std::string& content) {
    const std::string path = scratch_.Join(absl::StrCat("file-", ++files_));
    testing::WriteFile(path, content);
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  static std::string Content(const UniqueFd& fd) {
    char buffer[100];
    const ssize_t n = ::pread(fd.get(), buffer, sizeof(buffer), 0);
    return n < 0 ? "unreadable" : std::string(buffer, static_cast<size_t>(n));
  }

  int files_ = 0;
  FakeClock clock_;
  ScratchDir scratch_;
  std::string path_ = scratch_.Join("socket");
  DescriptorClient client_{{}, clock_};
};

TEST_F(DescriptorTest, PassesADescriptorOnce) {
  const auto server = Start();
  ASSERT_OK_AND_ASSIGN(const std::string ticket, server->Offer(File("content")));
  EXPECT_EQ(ticket.size(), kTicketChars);
  ASSERT_OK_AND_ASSIGN(const ReceivedDescriptor received, client_.Redeem(path_, ticket));
  EXPECT_EQ(Content(received.fd), "content");
  EXPECT_TRUE(received.from->IsAlive());
  EXPECT_NE(::fcntl(received.fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_THAT(client_.Redeem(path_, ticket), StatusIs(absl::StatusCode::kNotFound, "no such ticket"));
  EXPECT_EQ(server->outstanding(), 0u);
  EXPECT_TRUE(client_.IsWorthTrying()) << "a wrong ticket says nothing about the socket";
}

TEST_F(DescriptorTest, TicketsDifferAndGoWithTheirOwnDescriptor) {
  const auto server = Start();
  std::set<std::string> tickets;
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK_AND_ASSIGN(const std::string ticket, server->Offer(File(absl::StrCat(i))));
    EXPECT_TRUE(tickets.insert(ticket).second);
    ASSERT_OK_AND_ASSIGN(const ReceivedDescriptor received, client_.Redeem(path_, ticket));
    EXPECT_EQ(Content(received.fd), absl::StrCat(i));
  }
}

TEST_F(DescriptorTest, RefusesWrongTickets) {
  const auto server = Start();
  ASSERT_OK(server->Offer(File("x")));
  EXPECT_THAT(client_.Redeem(path_, std::string(kTicketChars, '0')), StatusIs(absl::StatusCode::kNotFound, ""));
  EXPECT_THAT(client_.Redeem(path_, "short"), StatusIs(absl::StatusCode::kNotFound, ""));
  EXPECT_EQ(server->outstanding(), 1u);
}

TEST_F(DescriptorTest, TicketsExpireAndTheirDescriptorsClose) {
  const auto server = Start();
  ASSERT_OK_AND_ASSIGN(const std::string ticket, server->Offer(File("x")));
  clock_.Advance(absl::Seconds(11));
  EXPECT_THAT(client_.Redeem(path_, ticket), StatusIs(absl::StatusCode::kNotFound, "expired"));
  EXPECT_EQ(server->outstanding(), 0u);
}

TEST_F(DescriptorTest, AFloodOfTicketsIsBoundedAndPasses) {
  DescriptorServerOptions options;
  options.max_tickets = 8;
  const auto server = Start(options);
  for (int i = 0; i < 8; ++i) ASSERT_OK(server->Offer(File("x")));
  EXPECT_THAT(server->Offer(File("x")), StatusIs(absl::StatusCode::kResourceExhausted, "8 descriptors"));
  clock_.Advance(absl::Seconds(11));
  EXPECT_OK(server->Offer(File("x")));
}

TEST_F(DescriptorTest, TheSocketFileIsForItsOwnerOnly) {
  const auto server = Start();
  struct stat info = {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(DescriptorTest, NoServerIsUnavailableAndLeftAloneForAWhile) {
  EXPECT_THAT(client_.Redeem(path_, std::string(kTicketChars, '0')), StatusIs(absl::StatusCode::kUnavailable, ""));
  EXPECT_FALSE(client_.IsWorthTrying());
  clock_.Advance(absl::Seconds(11));
  EXPECT_TRUE(client_.IsWorthTrying());
}

TEST_F(DescriptorTest, ARestartedServerIsFoundAndTheOldConnectionIsDead) {
  auto server = Start();
  ASSERT_OK_AND_ASSIGN(const std::string first, server->Offer(File("before")));
  ASSERT_OK_AND_ASSIGN(const ReceivedDescriptor before, client_.Redeem(path_, first));
  ASSERT_OK_AND_ASSIGN(const std::string lost, server->Offer(File("lost")));
  server.reset();
  EXPECT_FALSE(before.from->IsAlive());
  EXPECT_EQ(Content(before.fd), "before") << "what was handed out stays readable";
  EXPECT_THAT(client_.Redeem(path_, lost), StatusIs(absl::StatusCode::kUnavailable, ""));

  server = Start();
  EXPECT_THAT(client_.Redeem(path_, lost), StatusIs(absl::StatusCode::kNotFound, ""));
  ASSERT_OK_AND_ASSIGN(const std::string second, server->Offer(File("after")));
  ASSERT_OK_AND_ASSIGN(const ReceivedDescriptor after, client_.Redeem(path_, second));
  EXPECT_EQ(Content(after.fd), "after");
  EXPECT_NE(after.from, before.from);
}

TEST_F(DescriptorTest, ReplacesADeadSocketButNeitherALivingOneNorAFile) {
  { ASSERT_OK_AND_ASSIGN(const UniqueFd dead, ListenAt(path_)); }  // closed, but its file stays
  auto server = Start();
  EXPECT_THAT(DescriptorServer::Start({.path = path_}, clock_), StatusIs(absl::StatusCode::kFailedPrecondition, "another process"));
  const std::string file = scratch_.Join("plain");
  testing::WriteFile(file, "precious");
  EXPECT_THAT(DescriptorServer::Start({.path = file}, clock_), StatusIs(absl::StatusCode::kFailedPrecondition, "no socket"));
  EXPECT_EQ(testing::ReadFile(file), "precious");
}

TEST_F(DescriptorTest, PathsMayBeLong) {
  const std::string folder = scratch_.Join(std::string(200, 'd'));
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  path_ = folder + "/socket";
  const auto server = Start();
  ASSERT_OK_AND_ASSIGN(const std::string ticket, server->Offer(File("far")));
  EXPECT_OK(client_.Redeem(path_, ticket));
}

TEST_F(DescriptorTest, APeerThatDoesNotReadIsCutOffAndOthersAreServed) {
  const auto server = Start();
  ASSERT_OK_AND_ASSIGN(const UniqueFd deaf, ConnectTo(path_));
  // Asks without reading until the server gives it up: sending fails then, or finds the socket's buffer full for good.
  ASSERT_EQ(::fcntl(deaf.get(), F_SETFL, 0), 0);  // waits for room
  const std::string question(kTicketChars, '0');
  int asked = 0;
  while (::send(deaf.get(), question.data(), question.size(), MSG_NOSIGNAL) > 0) ASSERT_LT(++asked, 1'000'000);
  ASSERT_OK_AND_ASSIGN(const std::string ticket, server->Offer(File("x")));
  EXPECT_OK(client_.Redeem(path_, ticket));
}

TEST_F(DescriptorTest, NonsenseEndsTheConnection) {
  const auto server = Start();
  ASSERT_OK_AND_ASSIGN(const UniqueFd peer, ConnectTo(path_));
  ASSERT_TRUE(SendMessage(peer.get(), "GET / HTTP/1.1"));
  ASSERT_OK_AND_ASSIGN(const Message answer, ReceiveMessage(peer.get(), absl::Seconds(10)));
  EXPECT_EQ(answer.text, "");
}

TEST_F(DescriptorTest, ConnectionsAreBounded) {
  DescriptorServerOptions options;
  options.max_connections = 2;
  const auto server = Start(options);
  ASSERT_OK_AND_ASSIGN(const UniqueFd first, ConnectTo(path_));
  ASSERT_OK_AND_ASSIGN(UniqueFd second, ConnectTo(path_));
  ASSERT_OK_AND_ASSIGN(const UniqueFd third, ConnectTo(path_));
  ASSERT_OK_AND_ASSIGN(const Message refused, ReceiveMessage(third.get(), absl::Seconds(10)));
  EXPECT_EQ(refused.text, "");
  second.Reset();
  ASSERT_OK_AND_ASSIGN(const std::string ticket, server->Offer(File("x")));
  // The server learns of the free place before it takes a new peer.
  EXPECT_OK(client_.Redeem(path_, ticket));
}

TEST_F(DescriptorTest, ASilentServerIsGivenUp) {
  ASSERT_OK_AND_ASSIGN(const UniqueFd silent, ListenAt(path_));
  DescriptorClient impatient({.timeout = absl::Milliseconds(20)}, clock_);
  EXPECT_THAT(impatient.Redeem(path_, std::string(kTicketChars, '0')), StatusIs(absl::StatusCode::kDeadlineExceeded, ""));
  EXPECT_FALSE(impatient.IsWorthTrying());
}

TEST_F(DescriptorTest, ManyThreadsShareAClient) {
  const auto server = Start();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string name = scratch_.Join(absl::StrCat(t));
        testing::WriteFile(name, absl::StrCat(t * 100 + i));
        auto ticket = server->Offer(UniqueFd(::open(name.c_str(), O_RDONLY | O_CLOEXEC)));
        ASSERT_OK(ticket);
        auto received = client_.Redeem(path_, *ticket);
        ASSERT_OK(received);
        EXPECT_EQ(Content(received->fd), absl::StrCat(t * 100 + i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace strata::descriptor
