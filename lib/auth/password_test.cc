#include <time.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "lib/auth/bcrypt.h"
#include "lib/auth/htpasswd.h"
#include "lib/auth/password_checker.h"
#include "lib/testing/fake_clock.h"
#include "lib/testing/status_matchers.h"

namespace strata::auth {
namespace {

using testing::FakeClock;
using testing::StatusIs;

double CpuSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::string Hash(absl::string_view password, int cost = kMinBcryptCost) {
  auto hash = HashPassword(password, cost);
  EXPECT_OK(hash);
  return *std::move(hash);
}

TEST(Bcrypt, KnownHashOfEachPrefix) {
  // From the test vectors of OpenBSD's implementation.
  const std::string rest = "$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
  for (const char* prefix : {"$2y", "$2a", "$2b"}) {
    EXPECT_OK(CheckBcryptHash(prefix + rest));
    EXPECT_TRUE(PasswordMatches("U*U", prefix + rest)) << prefix;
    EXPECT_FALSE(PasswordMatches("U*V", prefix + rest)) << prefix;
  }
}

TEST(Bcrypt, NeverCutsAPassword) {
  const std::string longest(kMaxPasswordBytes, 'x');
  const std::string hash = Hash(longest);
  EXPECT_TRUE(PasswordMatches(longest, hash));
  EXPECT_FALSE(PasswordMatches(longest + "y", hash));
  EXPECT_FALSE(PasswordMatches(absl::string_view("x\0y", 3), Hash("x")));
  EXPECT_THAT(HashPassword(longest + "y"), StatusIs(absl::StatusCode::kInvalidArgument, "72"));
  EXPECT_THAT(HashPassword(""), StatusIs(absl::StatusCode::kInvalidArgument, "empty"));
}

TEST(Htpasswd, ReadsAndRefuses) {
  const std::string hash = Hash("x");
  ASSERT_OK_AND_ASSIGN(const Users users, ParseHtpasswd(absl::StrCat("# people\n\nalice:", hash, "\r\nbob@example.com:", hash)));
  EXPECT_EQ(users.size(), 2u);
  EXPECT_EQ(users.at("alice"), hash);
  struct Case {
    std::string text;
    const char* why;
  };
  for (const Case& test : std::vector<Case>{
           {"alice", "line 1"},
           {"\nalice:$apr1$abc$def", "line 2: user \"alice\": the hash is MD5"},
           {"alice:{SHA}abc", "SHA-1"},
           {"alice:$6$abc$def", "SHA-512"},
           {"alice:secret", "plain text"},
           {"alice:$2y$10$short", "not complete"},
           {absl::StrCat("alice:$2y$31$", hash.substr(7)), "cost"},
           {absl::StrCat("a b:", hash), "names have"},
           {absl::StrCat("alice:", hash, "\nalice:", hash), "second time"},
       }) {
    const auto parsed = ParseHtpasswd(test.text);
    EXPECT_THAT(parsed, StatusIs(absl::StatusCode::kInvalidArgument, test.why)) << test.text;
    EXPECT_EQ(parsed.status().message().find("secret"), absl::string_view::npos);
  }
}

class PasswordCheckerTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  PasswordChecker checker_{clock_, {}};
  Users users_ = {{"alice", Hash("wonderland")}};

  absl::Status Check(absl::string_view password, absl::string_view peer = "10.0.0.1", absl::string_view user = "alice") {
    return checker_.Check(users_, peer, user, password);
  }
};

TEST_F(PasswordCheckerTest, RightWrongAndUnknown) {
  EXPECT_OK(Check("wonderland"));
  const absl::Status wrong = Check("wonder");
  EXPECT_THAT(wrong, StatusIs(absl::StatusCode::kUnauthenticated, "wrong"));
  EXPECT_EQ(Check("wonderland", "10.0.0.1", "mallory"), wrong);
  EXPECT_EQ(Check("wonderland", "10.0.0.1", ""), wrong);
}

TEST_F(PasswordCheckerTest, UnknownUserCostsWhatAWrongPasswordCosts) {
  users_ = {{"alice", Hash("x", 9)}};
  double begin = CpuSeconds();
  EXPECT_FALSE(Check("wrong").ok());
  const double wrong = CpuSeconds() - begin;
  begin = CpuSeconds();
  EXPECT_FALSE(Check("wrong", "10.0.0.1", "mallory").ok());
  const double unknown = CpuSeconds() - begin;
  EXPECT_GT(unknown, wrong / 3);
  EXPECT_LT(unknown, wrong * 3);
}

TEST_F(PasswordCheckerTest, RemembersForAWhileAndForgetsWithTheHash) {
  users_ = {{"alice", Hash("wonderland", 10)}};
  EXPECT_OK(Check("wonderland"));
  const double begin = CpuSeconds();
  for (int i = 0; i < 1000; ++i) EXPECT_OK(Check("wonderland"));
  EXPECT_LT(CpuSeconds() - begin, 1.0);  // without the cache: about 50 s
  users_["alice"] = Hash("new");
  EXPECT_FALSE(Check("wonderland").ok());
  EXPECT_OK(Check("new"));
}

TEST_F(PasswordCheckerTest, GuessingWaitsLongerAndLonger) {
  for (int i = 0; i < 6; ++i) EXPECT_THAT(Check("guess"), StatusIs(absl::StatusCode::kUnauthenticated, "")) << i;
  EXPECT_THAT(Check("guess"), StatusIs(absl::StatusCode::kResourceExhausted, "try again in 1 s"));
  EXPECT_THAT(Check("wonderland"), StatusIs(absl::StatusCode::kResourceExhausted, "failed logins"));  // nor does a lucky guess help
  EXPECT_OK(Check("wonderland", "10.0.0.2"));  // the user elsewhere is not locked out
  clock_.Advance(absl::Seconds(1));
  EXPECT_FALSE(Check("guess").ok());
  EXPECT_THAT(Check("guess"), StatusIs(absl::StatusCode::kResourceExhausted, "try again in 2 s"));
  clock_.Advance(absl::Minutes(16));
  EXPECT_OK(Check("wonderland"));
}

TEST_F(PasswordCheckerTest, OnePeerWithManyUserNames) {
  int asked = 0;
  while (asked < 100 && !absl::IsResourceExhausted(Check("guess", "10.0.0.1", absl::StrCat("user", asked)))) ++asked;
  EXPECT_EQ(asked, 51);
}

TEST(PasswordChecker, ManyAtOnceAreTurnedAway) {
  FakeClock clock;
  PasswordChecker checker(clock, {.concurrency = 1, .queue = 1});
  const Users users = {{"alice", Hash("right", 12)}};
  std::vector<absl::Status> answers(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < answers.size(); ++i) {
    threads.emplace_back([&, i] { answers[i] = checker.Check(users, absl::StrCat(i), "alice", absl::StrCat("wrong", i)); });
  }
  for (std::thread& thread : threads) thread.join();
  int busy = 0;
  for (const absl::Status& answer : answers) busy += absl::IsResourceExhausted(answer) ? 1 : 0;
  EXPECT_GE(busy, 1);
  EXPECT_LT(busy, 8);
}

TEST(FailureLimiter, KeepsItsSize) {
  FakeClock clock;
  FailureLimiter limiter(clock, {.free_failures = 0, .max_keys = 10});
  for (int i = 0; i < 1000; ++i) {
    clock.Advance(absl::Milliseconds(1));
    limiter.Fail(absl::StrCat(i));
  }
  EXPECT_GT(limiter.Wait("999"), absl::ZeroDuration());
  EXPECT_EQ(limiter.Wait("0"), absl::ZeroDuration());
}

}  // namespace
}  // namespace strata::auth
