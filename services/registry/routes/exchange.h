// What every route gets: the request, where the answer goes, and what the registry is made of.
#pragma once

#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/http/request.h"
#include "lib/http/response.h"
#include "services/registry/cache/manifest_cache.h"
#include "services/registry/mirror/mirrors.h"
#include "services/registry/repository/access.h"
#include "services/registry/routes/path.h"

namespace strata::registry {

// Borrowed; outlives every request.
struct Services {
  blobstore::BlobStore& blobs;
  blobstore::RefStore& refs;
  AccessControl& access;
  ManifestCache* manifests = nullptr;  // null: every request asks the store
  mirror::Mirrors* mirrors = nullptr;  // null: every repository is ours

  // The same over other stores, without what is kept of ours in memory.
  Services Over(blobstore::BlobStore& other_blobs, blobstore::RefStore& other_refs) const { return {other_blobs, other_refs, access}; }
};

// One request on its way through a route. Lives on the stack of the thread that serves it.
//
// A route answers through `response` and returns OK, or returns a status that the router answers (routes/errors.h). A status that
// comes after the head of the answer went out only reaches the log; the connection is then closed before the body is complete.
struct Exchange {
  const Services& services;
  const http::Request& request;
  http::ResponseWriter& response;
  const Route& route;  // its repository is valid when it has one
  const CallContext& context;

  const auth::Caller& caller;

  // `changed_tag`: a tag that exists and that the request would move or remove.
  absl::Status Authorize(Action action, absl::string_view repository, absl::string_view changed_tag = "") const {
    return services.access.Authorize(caller, {action, repository, changed_tag});
  }
  bool is_head() const { return request.method == "HEAD"; }
};

}  // namespace strata::registry
