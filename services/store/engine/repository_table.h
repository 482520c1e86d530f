// Rows of repositories: one is known from its first blob or manifest until the collector finds that it has neither.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/store/engine/core.h"

namespace strata::store {

// Locks the row shared, making it when it is new: whoever adds a link or a manifest comes in here first.
absl::Status EnterRepository(const Core& core, Transaction& transaction, absl::string_view repository);

// Asks the collector to look whether anything is left, after the grace period; `due_now`: as soon as it runs.
absl::Status ReviewRepository(const Core& core, Transaction& transaction, absl::string_view repository, bool due_now);

// Forgets the repository if it has neither links nor manifests.
absl::Status ForgetRepositoryIfEmpty(Transaction& transaction, absl::string_view repository);

}  // namespace strata::store
