#include <cerrno>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/call_context.h"
#include "lib/base/cancellation.h"
#include "lib/base/status.h"

namespace strata {
namespace {

TEST(Annotate, KeepsCodeAndSaysWhere) {
  const absl::Status status = Annotate(absl::NotFoundError("no such blob"), "reading manifest of app:1");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "reading manifest of app:1: no such blob");
  EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok());
}

TEST(ErrnoStatus, FullDiskIsResourceExhausted) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "write").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrnoStatus(ENOENT, "open").code(), absl::StatusCode::kNotFound);
}

TEST(Cancellation, RunsCallbacksOnceAndAtOnceWhenLate) {
  Cancellation cancellation;
  int calls = 0;
  auto first = cancellation.OnCancel([&] { ++calls; });
  { auto dropped = cancellation.OnCancel([&] { calls += 100; }); }
  cancellation.Cancel();
  cancellation.Cancel();
  EXPECT_EQ(calls, 1);
  auto late = cancellation.OnCancel([&] { ++calls; });
  EXPECT_EQ(calls, 2);
  CallContext context;
  context.cancellation = &cancellation;
  EXPECT_EQ(context.Check().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace strata
