// A registry on a port of its own over a store in memory, and requests to it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/blobstore/memory_store.h"
#include "lib/digest/digest.h"
#include "lib/http/headers.h"
#include "lib/http/server.h"
#include "lib/http/socket_for_test.h"
#include "lib/json/json.h"
#include "lib/testing/status_matchers.h"
#include "services/registry/routes/router.h"

namespace strata::registry {

inline constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kIndexMediaType[] = "application/vnd.oci.image.index.v1+json";

struct Answer {
  int status = 0;
  http::Headers headers;
  std::string body;

  // The code of the first entry of an error body; "" when the body is none.
  std::string ErrorCode() const;
  std::string Header(absl::string_view name) const { return std::string(headers.Get(name)); }
};

class RegistryFixture : public ::testing::Test {
 protected:
  void SetUp() override;

  // What the routes take for the blobs of the store.
  virtual blobstore::BlobStore& blobs() { return *store_; }

  // One request on a connection of its own.
  Answer Send(absl::string_view method, absl::string_view target, const http::Headers& headers = {},
              absl::string_view body = "");
  // The bytes of that request; Content-Length is added when `headers` has no framing.
  std::string RequestText(absl::string_view method, absl::string_view target, const http::Headers& headers,
                          absl::string_view body);
  uint16_t port() const { return server_->port(); }

  // Uploads a blob in one request and returns its digest.
  Digest PushBlob(absl::string_view repository, absl::string_view content);
  // Starts an upload session and returns its Location.
  std::string StartSession(absl::string_view repository);
  // Pushes an image of one config and one layer; returns the manifest's digest.
  Digest PushImage(absl::string_view repository, absl::string_view reference, absl::string_view layer = "layer");
  // The manifest of such an image, its blobs pushed.
  std::string ImageManifest(absl::string_view repository, absl::string_view layer,
                            absl::string_view extra_fields = "");

  // The first `count` requests that are over; waits for them, as an answer arrives before its record.
  std::vector<RequestRecord> WaitForRecords(size_t count);

  std::unique_ptr<blobstore::MemoryStore> store_;
  // What the routes ask before they act; tests replace it.
  std::function<absl::Status(absl::string_view principal, Action action, absl::string_view repository)> authorizer_ =
      [](absl::string_view, Action, absl::string_view) { return absl::OkStatus(); };
  // Set before SetUp(): what replaces `authorizer_` altogether.
  AccessControl* access_ = nullptr;

 private:
  class AskingAuthorizer final : public AccessControl {
   public:
    explicit AskingAuthorizer(RegistryFixture& fixture) : fixture_(fixture) {}
    absl::StatusOr<auth::Caller> Authenticate(const CallContext&, const http::Request&) override { return auth::Caller(); }
    absl::Status Authorize(const auth::Caller&, const auth::Question& question) const override {
      return fixture_.authorizer_("", question.action, question.repository);
    }
    bool HasImmutableTags(absl::string_view) const override { return false; }
    bool IsImmutableTag(absl::string_view, absl::string_view) const override { return false; }
    void Challenge(const http::Request&, const std::vector<auth::Scope>&, absl::string_view, http::Headers&) const override {}
    absl::Status ServeToken(const CallContext&, const http::Request&, http::ResponseWriter&) override {
      return absl::NotFoundError("no tokens");
    }

   private:
    RegistryFixture& fixture_;
  };

  AskingAuthorizer asking_authorizer_{*this};
  SystemClock clock_;
  Mutex mutex_;
  CondVar recorded_;
  std::vector<RequestRecord> records_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Router> router_;
  std::unique_ptr<http::Server> server_;  // last: it ends before what its handlers use
};

}  // namespace strata::registry
