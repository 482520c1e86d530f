// Rows of upload sessions, shared by whoever starts, writes and ends them; and who is writing which session right now.
#pragma once

#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "services/store/engine/core.h"
#include "services/store/engine/rows.h"

namespace strata::store {

absl::Status NoSuchUpload(absl::string_view upload_id);

// kNotFound: no such session, or one of another repository.
absl::StatusOr<SessionRow> FindSession(Reader& reader, absl::string_view repository, absl::string_view upload_id);
// The same, locked exclusively.
absl::StatusOr<SessionRow> LockSession(Transaction& transaction, absl::string_view repository, absl::string_view upload_id);

// Puts the row of a session that the caller has locked, and its place in the order of last writes; `before`: the row it replaces.
absl::Status PutSessionRows(Transaction& transaction, absl::string_view upload_id, const SessionRow* before, const SessionRow& row);
// Removes a session that the caller has locked, with its inline bytes; the caller decides about its extent.
absl::Status RemoveSessionRows(const Core& core, Transaction& transaction, absl::string_view upload_id, const SessionRow& row);

// One writer a session. Thread-safe.
class SessionClaims {
 public:
  class Claim {
   public:
    Claim(SessionClaims* owner, std::string upload_id) : owner_(owner), upload_id_(std::move(upload_id)) {}
    Claim(Claim&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), upload_id_(std::move(other.upload_id_)) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() { Release(); }
    void Release();

   private:
    SessionClaims* owner_;
    std::string upload_id_;
  };

  // kAborted: somebody holds it. This object outlives the claim.
  absl::StatusOr<Claim> Take(absl::string_view upload_id);
  bool IsTaken(absl::string_view upload_id) const;

 private:
  mutable Mutex mutex_;
  absl::flat_hash_set<std::string> taken_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::store
