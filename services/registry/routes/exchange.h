// What every route gets: the request, where the answer goes, and what the registry is made of.
#pragma once

#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/http/request.h"
#include "lib/http/response.h"
#include "services/registry/cache/manifest_cache.h"
#include "services/registry/repository/access.h"
#include "services/registry/routes/path.h"

namespace strata::registry {

// Borrowed; outlives every request.
struct Services {
  blobstore::BlobStore& blobs;
  blobstore::RefStore& refs;
  Authorizer authorize;
  ManifestCache* manifests = nullptr;  // null: every request asks the store
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

  absl::Status Authorize(Action action, absl::string_view repository) const {
    return services.authorize(context.principal, action, repository);
  }
  bool is_head() const { return request.method == "HEAD"; }
};

}  // namespace strata::registry
