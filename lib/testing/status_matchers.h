// EXPECT_OK(x), ASSERT_OK(x), ASSERT_OK_AND_ASSIGN(auto v, x) and the matcher StatusIs(code, message matcher).
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace strata::testing {

inline const absl::Status& ToStatus(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& ToStatus(const absl::StatusOr<T>& status) {
  return status.status();
}

// Matches a Status or StatusOr with this code and a message that contains `text`.
MATCHER_P2(StatusIs, code, text, "") {
  const absl::Status& status = ToStatus(arg);
  *result_listener << "which is " << status.ToString();
  return status.code() == code && status.message().find(text) != absl::string_view::npos;
}

}  // namespace strata::testing

#define EXPECT_OK(expr)                                                       \
  do {                                                                        \
    const auto& strata_expect_ok_ = (expr);                                   \
    EXPECT_TRUE(strata_expect_ok_.ok()) << ::strata::testing::ToStatus(strata_expect_ok_).ToString(); \
  } while (false)
#define ASSERT_OK(expr)                                                       \
  do {                                                                        \
    const auto& strata_assert_ok_ = (expr);                                   \
    ASSERT_TRUE(strata_assert_ok_.ok()) << ::strata::testing::ToStatus(strata_assert_ok_).ToString(); \
  } while (false)
#define STRATA_TEST_CONCAT_INNER_(a, b) a##b
#define STRATA_TEST_CONCAT_(a, b) STRATA_TEST_CONCAT_INNER_(a, b)
#define ASSERT_OK_AND_ASSIGN(lhs, expr) ASSERT_OK_AND_ASSIGN_IMPL_(STRATA_TEST_CONCAT_(strata_or_, __LINE__), lhs, expr)
#define ASSERT_OK_AND_ASSIGN_IMPL_(statusor, lhs, expr)     \
  auto statusor = (expr);                                   \
  ASSERT_TRUE(statusor.ok()) << statusor.status().ToString(); \
  lhs = *std::move(statusor)
