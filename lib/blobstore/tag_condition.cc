#include "absl/strings/str_cat.h"
#include "lib/blobstore/ref_store.h"

namespace strata::blobstore {

absl::Status TagCondition::Check(absl::string_view repository, absl::string_view tag, const std::optional<Digest>& now) const {
  const bool holds = is_any() || (is_absent() ? !now : now == digest_);
  if (holds) return absl::OkStatus();
  const std::string wanted = is_absent() ? "and was to be new" : absl::StrCat("not to ", digest_.ToString());
  return absl::AbortedError(absl::StrCat("tag \"", tag, "\" of repository \"", repository, "\" points to ",
                                         now ? now->ToString() : "nothing", ", ", wanted, "; nothing was changed; read it again"));
}

}  // namespace strata::blobstore
