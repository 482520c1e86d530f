#include "services/registry/routes/registry_fixture.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace strata::registry {
namespace {

Answer ParseHead(absl::string_view head) {
  Answer answer;
  const std::vector<absl::string_view> lines = absl::StrSplit(head, "\r\n", absl::SkipEmpty());
  if (lines.empty()) return answer;
  EXPECT_TRUE(absl::SimpleAtoi(lines[0].substr(9, 3), &answer.status)) << lines[0];
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(lines[i], absl::MaxSplits(':', 1));
    answer.headers.Add(field.first, absl::StripAsciiWhitespace(field.second));
  }
  return answer;
}

}  // namespace

std::string Answer::ErrorCode() const {
  const auto document = json::Parse(body);
  if (!document.ok()) return "";
  const json::Value* errors = json::Find(*document, "errors");
  if (errors == nullptr || !errors->is_array() || errors->empty()) return "";
  return json::StringField(errors->front(), "code").value_or("");
}

void RegistryFixture::SetUp() {
  store_ = std::make_unique<blobstore::MemoryStore>(clock_);
  AccessControl& access = access_ == nullptr ? asking_authorizer_ : *access_;
  Services services{blobs(), *store_, access};
  router_ = std::make_unique<Router>(std::move(services), clock_, [this](const RequestRecord& record) {
    MutexLock lock(mutex_);
    records_.push_back(record);
    recorded_.SignalAll();
  });
  ASSERT_OK_AND_ASSIGN(server_, http::Server::Start({}, [this](const http::Request& request,
                                                               http::ResponseWriter& response) {
    router_->Handle(request, response);
  }));
}

std::string RegistryFixture::RequestText(absl::string_view method, absl::string_view target,
                                         const http::Headers& headers, absl::string_view body) {
  std::string text = absl::StrCat(method, " ", target, " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
  for (const auto& [name, value] : headers) absl::StrAppend(&text, name, ": ", value, "\r\n");
  const bool is_framed = headers.Has("Content-Length") || headers.Has("Transfer-Encoding");
  if (!is_framed && (!body.empty() || method != "GET")) absl::StrAppend(&text, "Content-Length: ", body.size(), "\r\n");
  return absl::StrCat(text, "\r\n", body);
}

Answer RegistryFixture::Send(absl::string_view method, absl::string_view target, const http::Headers& headers,
                             absl::string_view body) {
  http::SocketForTest socket(port());
  socket.TrySend(RequestText(method, target, headers, body));
  Answer answer = ParseHead(socket.ReadHead());
  answer.body = socket.ReadToEnd();
  return answer;
}

Digest RegistryFixture::PushBlob(absl::string_view repository, absl::string_view content) {
  const Digest digest = Digest::Of(content);
  const Answer answer =
      Send("POST", absl::StrCat("/v2/", repository, "/blobs/uploads/?digest=", digest.ToString()), {}, content);
  EXPECT_EQ(answer.status, 201) << answer.body;
  return digest;
}

std::string RegistryFixture::StartSession(absl::string_view repository) {
  const Answer answer = Send("POST", absl::StrCat("/v2/", repository, "/blobs/uploads/"));
  EXPECT_EQ(answer.status, 202) << answer.body;
  return answer.Header("Location");
}

std::string RegistryFixture::ImageManifest(absl::string_view repository, absl::string_view layer,
                                           absl::string_view extra_fields) {
  const absl::string_view config = R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}})";
  const Digest config_digest = PushBlob(repository, config);
  const Digest layer_digest = PushBlob(repository, layer);
  return absl::StrCat(R"({"schemaVersion":2,"mediaType":")", kManifestType, R"(",)", extra_fields,
                      R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")",
                      config_digest.ToString(), R"(","size":)", config.size(),
                      R"(},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")",
                      layer_digest.ToString(), R"(","size":)", layer.size(), "}]}");
}

Digest RegistryFixture::PushImage(absl::string_view repository, absl::string_view reference, absl::string_view layer) {
  const std::string manifest = ImageManifest(repository, layer);
  const Answer answer = Send("PUT", absl::StrCat("/v2/", repository, "/manifests/", reference),
                             {{"Content-Type", kManifestType}}, manifest);
  EXPECT_EQ(answer.status, 201) << answer.body;
  return Digest::Of(manifest);
}

std::vector<RequestRecord> RegistryFixture::WaitForRecords(size_t count) {
  MutexLock lock(mutex_);
  while (records_.size() < count) recorded_.Wait(mutex_);
  return {records_.begin(), records_.begin() + static_cast<ptrdiff_t>(count)};
}

}  // namespace strata::registry
