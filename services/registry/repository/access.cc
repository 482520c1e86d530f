#include "services/registry/repository/access.h"

#include <string>

#include "absl/strings/cord.h"

namespace strata::registry {
namespace {

constexpr char kErrorPayload[] = "strata.registry/challenge_error";

}  // namespace

absl::Status WithChallengeError(absl::string_view error, absl::Status status) {
  if (!status.ok()) status.SetPayload(kErrorPayload, absl::Cord(error));
  return status;
}

std::string ChallengeErrorOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorPayload);
  return payload ? std::string(*payload) : "";
}

}  // namespace strata::registry
