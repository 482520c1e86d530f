// One test a row of the endpoint table in README.md, by real HTTP requests.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/registry/routes/manifests.h"
#include "services/registry/routes/registry_fixture.h"

namespace strata::registry {
namespace {

const char kMissing[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

class EndpointTest : public RegistryFixture {
 protected:
  Answer PutManifest(absl::string_view target, absl::string_view content, absl::string_view type = kManifestType) {
    return Send("PUT", target, {{"Content-Type", std::string(type)}}, content);
  }
};

TEST_F(EndpointTest, Row01Base) {
  for (const char* path : {"/v2/", "/v2"}) {
    SCOPED_TRACE(path);
    const Answer answer = Send("GET", path);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.Header("Docker-Distribution-API-Version"), "registry/2.0");
    EXPECT_EQ(answer.body, "{}");
  }
  EXPECT_EQ(Send("HEAD", "/v2/").status, 200);
}

TEST_F(EndpointTest, Row01BaseChallengesWhomItDoesNotKnow) {
  authorizer_ = [](absl::string_view, Action, absl::string_view) { return absl::UnauthenticatedError("log in first"); };
  const Answer answer = Send("GET", "/v2/");
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.ErrorCode(), "UNAUTHORIZED");
}

TEST_F(EndpointTest, Row02ManifestByTagAndDigest) {
  const std::string manifest = ImageManifest("team/app", "x");
  const std::string digest = Digest::Of(manifest).ToString();
  ASSERT_EQ(PutManifest("/v2/team/app/manifests/1.0", manifest).status, 201);
  for (const std::string& reference : {std::string("1.0"), digest}) {
    for (const char* method : {"GET", "HEAD"}) {
      SCOPED_TRACE(absl::StrCat(method, " ", reference));
      const Answer answer = Send(method, absl::StrCat("/v2/team/app/manifests/", reference));
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(answer.Header("Content-Type"), kManifestType);
      EXPECT_EQ(answer.Header("Content-Length"), absl::StrCat(manifest.size()));
      EXPECT_EQ(answer.Header("Docker-Content-Digest"), digest);
      EXPECT_EQ(answer.Header("ETag"), absl::StrCat("\"", digest, "\""));
      EXPECT_EQ(answer.body, absl::string_view(method) == "GET" ? manifest : "");
    }
  }
}

TEST_F(EndpointTest, Row02ManifestConditional) {
  const std::string digest = PushImage("team/app", "1.0").ToString();
  for (const std::string& tag : {absl::StrCat("\"", digest, "\""), digest, absl::StrCat("W/\"", digest, "\""),
                                 absl::StrCat("\"other\", \"", digest, "\""), std::string("*")}) {
    SCOPED_TRACE(tag);
    const Answer answer = Send("GET", "/v2/team/app/manifests/1.0", {{"If-None-Match", tag}});
    EXPECT_EQ(answer.status, 304);
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.Header("Docker-Content-Digest"), digest);
  }
  EXPECT_EQ(Send("GET", "/v2/team/app/manifests/1.0", {{"If-None-Match", "\"other\""}}).status, 200);
}

TEST_F(EndpointTest, Row02ManifestServedWhateverAcceptSays) {
  PushImage("team/app", "1.0");
  const Answer answer = Send("GET", "/v2/team/app/manifests/1.0",
                             {{"Accept", "application/vnd.docker.distribution.manifest.v2+json"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("Content-Type"), kManifestType);
}

TEST_F(EndpointTest, Row02ManifestUnknown) {
  PushImage("team/app", "1.0");
  for (const char* reference : {"2.0", kMissing, ".INVALID_MANIFEST_NAME"}) {
    SCOPED_TRACE(reference);
    const Answer answer = Send("GET", absl::StrCat("/v2/team/app/manifests/", reference));
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(answer.ErrorCode(), "MANIFEST_UNKNOWN");
  }
  const Answer bad = Send("GET", "/v2/team/app/manifests/sha256:baddigeststring");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.ErrorCode(), "DIGEST_INVALID");
  EXPECT_EQ(Send("GET", "/v2/other/app/manifests/1.0").status, 404);
}

TEST_F(EndpointTest, Row03ManifestPut) {
  const std::string manifest = ImageManifest("team/app", "x");
  const std::string digest = Digest::Of(manifest).ToString();
  const Answer by_tag = PutManifest("/v2/team/app/manifests/1.0", manifest,
                                    absl::StrCat(kManifestType, "; charset=utf-8"));
  EXPECT_EQ(by_tag.status, 201);
  EXPECT_EQ(by_tag.Header("Docker-Content-Digest"), digest);
  EXPECT_EQ(by_tag.Header("OCI-Subject"), "");
  const Answer at_location = Send("GET", by_tag.Header("Location"));
  EXPECT_EQ(at_location.body, manifest);
  EXPECT_EQ(at_location.Header("Content-Type"), kManifestType);
  EXPECT_EQ(PutManifest(absl::StrCat("/v2/team/app/manifests/", digest), manifest).status, 201);
}

TEST_F(EndpointTest, Row03ManifestPutRefusals) {
  const std::string manifest = ImageManifest("team/app", "x");
  const std::string lacking = absl::StrCat(
      R"({"schemaVersion":2,"mediaType":")", kManifestType,
      R"(","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")", kMissing,
      R"(","size":2},"layers":[]})");
  struct Case {
    std::string name, target, content, type;
    int status;
    std::string code;
  };
  const std::vector<Case> cases = {
      {"another digest", absl::StrCat("/v2/team/app/manifests/", kMissing), manifest, kManifestType, 400, "DIGEST_INVALID"},
      {"malformed digest", "/v2/team/app/manifests/sha256:bad", manifest, kManifestType, 400, "DIGEST_INVALID"},
      {"malformed tag", "/v2/team/app/manifests/-x", manifest, kManifestType, 400, "TAG_INVALID"},
      {"not JSON", "/v2/team/app/manifests/1", "no json", kManifestType, 400, "MANIFEST_INVALID"},
      {"another media type", "/v2/team/app/manifests/1", manifest, kIndexMediaType, 400, "MANIFEST_INVALID"},
      {"missing blob", "/v2/team/app/manifests/1", lacking, kManifestType, 400, "MANIFEST_BLOB_UNKNOWN"},
      {"too large", "/v2/team/app/manifests/1", std::string(kMaxManifestBytes + 1, ' '), kManifestType, 413, "SIZE_INVALID"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Answer answer = PutManifest(c.target, c.content, c.type);
    EXPECT_EQ(answer.status, c.status) << answer.body;
    EXPECT_EQ(answer.ErrorCode(), c.code);
  }
  EXPECT_EQ(Send("PUT", "/v2/team/app/manifests/1", {}, manifest).ErrorCode(), "MANIFEST_INVALID");
  EXPECT_EQ(Send("GET", "/v2/team/app/manifests/1").status, 404) << "a refused manifest is not stored";
}

TEST_F(EndpointTest, Row03ManifestTooLargeWhenChunked) {
  std::string body = absl::StrCat(absl::Hex(kMaxManifestBytes + 1), "\r\n", std::string(kMaxManifestBytes + 1, ' '), "\r\n0\r\n\r\n");
  const Answer answer = Send("PUT", "/v2/team/app/manifests/1",
                             {{"Content-Type", kManifestType}, {"Transfer-Encoding", "chunked"}}, body);
  EXPECT_EQ(answer.status, 413);
}

TEST_F(EndpointTest, Row03ManifestWithSubjectThatIsMissing) {
  const std::string manifest = ImageManifest(
      "team/app", "x", absl::StrCat(R"("subject":{"mediaType":")", kManifestType, R"(","digest":")", kMissing, R"(","size":2},)"));
  const Answer answer = PutManifest("/v2/team/app/manifests/1", manifest);
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(answer.Header("OCI-Subject"), kMissing);
}

TEST_F(EndpointTest, Row03bManyTagsAtOnce) {
  const std::string manifest = ImageManifest("team/app", "x");
  const std::string digest = Digest::Of(manifest).ToString();
  std::string target = absl::StrCat("/v2/team/app/manifests/", digest, "?tag=t0");
  for (int i = 1; i < 12; ++i) absl::StrAppend(&target, "&tag=t", i);
  const Answer answer = PutManifest(target, manifest);
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(answer.headers.FindAll("OCI-Tag").size(), 12u);
  EXPECT_EQ(Send("HEAD", "/v2/team/app/manifests/t11").Header("Docker-Content-Digest"), digest);

  EXPECT_EQ(PutManifest(absl::StrCat("/v2/team/app/manifests/", digest, "?tag=-bad"), manifest).ErrorCode(), "TAG_INVALID");
  for (int i = 12; i < 65; ++i) absl::StrAppend(&target, "&tag=t", i);
  EXPECT_EQ(PutManifest(target, manifest).status, 414);
}

TEST_F(EndpointTest, Row04DeleteTagKeepsTheManifest) {
  const std::string digest = PushImage("team/app", "1.0").ToString();
  EXPECT_EQ(Send("DELETE", "/v2/team/app/manifests/1.0").status, 202);
  EXPECT_EQ(Send("GET", "/v2/team/app/manifests/1.0").status, 404);
  EXPECT_EQ(Send("GET", absl::StrCat("/v2/team/app/manifests/", digest)).status, 200);
  EXPECT_EQ(Send("DELETE", "/v2/team/app/manifests/1.0").ErrorCode(), "MANIFEST_UNKNOWN");
}

TEST_F(EndpointTest, Row05DeleteManifestTakesItsTags) {
  const std::string digest = PushImage("team/app", "1.0").ToString();
  PushImage("team/app", "latest");
  EXPECT_EQ(Send("DELETE", absl::StrCat("/v2/team/app/manifests/", digest)).status, 202);
  for (const std::string& reference : {std::string("1.0"), std::string("latest"), digest}) {
    SCOPED_TRACE(reference);
    EXPECT_EQ(Send("GET", absl::StrCat("/v2/team/app/manifests/", reference)).status, 404);
  }
  EXPECT_EQ(Send("DELETE", absl::StrCat("/v2/team/app/manifests/", digest)).status, 404);
}

TEST_F(EndpointTest, Row06Blob) {
  const std::string content = "0123456789";
  const std::string digest = PushBlob("team/app", content).ToString();
  const std::string target = absl::StrCat("/v2/team/app/blobs/", digest);
  for (const char* method : {"GET", "HEAD"}) {
    SCOPED_TRACE(method);
    const Answer answer = Send(method, target);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.Header("Content-Length"), "10");
    EXPECT_EQ(answer.Header("Docker-Content-Digest"), digest);
    EXPECT_EQ(answer.Header("Accept-Ranges"), "bytes");
    EXPECT_EQ(answer.Header("ETag"), absl::StrCat("\"", digest, "\""));
    EXPECT_EQ(answer.Header("Content-Type"), "application/octet-stream");
    EXPECT_TRUE(absl::StrContains(answer.Header("Cache-Control"), "max-age=31536000"));
    EXPECT_EQ(answer.Header("Content-Encoding"), "");
    EXPECT_EQ(answer.body, absl::string_view(method) == "GET" ? content : "");
  }
  EXPECT_EQ(Send("GET", target, {{"If-None-Match", absl::StrCat("\"", digest, "\"")}}).status, 304);
  EXPECT_EQ(Send("GET", target, {{"Accept-Encoding", "zstd, gzip"}}).body, content);
}

TEST_F(EndpointTest, Row06BlobRanges) {
  const std::string target = absl::StrCat("/v2/team/app/blobs/", PushBlob("team/app", "0123456789").ToString());
  struct Case {
    std::string range;
    int status;
    std::string content_range, body;
  };
  const std::vector<Case> cases = {
      {"bytes=0-0", 206, "bytes 0-0/10", "0"},
      {"bytes=2-4", 206, "bytes 2-4/10", "234"},
      {"bytes=7-", 206, "bytes 7-9/10", "789"},
      {"bytes=-3", 206, "bytes 7-9/10", "789"},
      {"bytes=8-100", 206, "bytes 8-9/10", "89"},
      {"bytes=0-", 206, "bytes 0-9/10", "0123456789"},
      {"lines=1-2", 200, "", "0123456789"},
      {"bytes=0-9,0-9", 200, "", "0123456789"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.range);
    const Answer answer = Send("GET", target, {{"Range", c.range}});
    EXPECT_EQ(answer.status, c.status);
    EXPECT_EQ(answer.Header("Content-Range"), c.content_range);
    EXPECT_EQ(answer.body, c.body);
  }
  for (const char* range : {"bytes=10-", "bytes=500-0", "bytes=100-200"}) {
    SCOPED_TRACE(range);
    const Answer answer = Send("GET", target, {{"Range", range}});
    EXPECT_EQ(answer.status, 416);
    EXPECT_EQ(answer.Header("Content-Range"), "bytes */10");
    EXPECT_EQ(answer.ErrorCode(), "RANGE_INVALID");
  }
  EXPECT_EQ(Send("GET", target, {{"Range", "bytes=0-0"}, {"If-Range", "\"other\""}}).status, 200);
}

TEST_F(EndpointTest, Row06BlobManyRanges) {
  const std::string target = absl::StrCat("/v2/team/app/blobs/", PushBlob("team/app", "0123456789").ToString());
  const Answer answer = Send("GET", target, {{"Range", "bytes=0-1,8-"}});
  EXPECT_EQ(answer.status, 206);
  const std::string type = answer.Header("Content-Type");
  ASSERT_TRUE(absl::StartsWith(type, "multipart/byteranges; boundary=")) << type;
  const std::string boundary = type.substr(type.find('=') + 1);
  const std::string want = absl::StrCat(
      "--", boundary, "\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n--", boundary,
      "\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--", boundary, "--\r\n");
  EXPECT_EQ(answer.body, want);
  EXPECT_EQ(answer.Header("Content-Length"), absl::StrCat(want.size()));
}

TEST_F(EndpointTest, Row06BlobIsScopedToItsRepository) {
  const std::string digest = PushBlob("team/app", "secret").ToString();
  const Answer elsewhere = Send("GET", absl::StrCat("/v2/other/app/blobs/", digest));
  EXPECT_EQ(elsewhere.status, 404);
  EXPECT_EQ(elsewhere.ErrorCode(), "BLOB_UNKNOWN");
  EXPECT_EQ(elsewhere.Header("ETag"), "");
  EXPECT_EQ(Send("HEAD", absl::StrCat("/v2/other/app/blobs/", digest)).status, 404);
  EXPECT_EQ(Send("GET", absl::StrCat("/v2/other/app/blobs/", digest), {{"If-None-Match", "*"}}).status, 404);
  EXPECT_EQ(Send("GET", "/v2/team/app/blobs/sha256:bad").ErrorCode(), "DIGEST_INVALID");
}

TEST_F(EndpointTest, Row06LargeBlobComesWhole) {
  std::string content(3 * 1024 * 1024 + 17, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 + (i >> 12));
  const Digest digest = PushBlob("team/app", content);
  EXPECT_EQ(Digest::Of(Send("GET", absl::StrCat("/v2/team/app/blobs/", digest.ToString())).body), digest);
}

TEST_F(EndpointTest, Row07DeleteBlobUnlinksHereOnly) {
  const std::string digest = PushBlob("team/app", "x").ToString();
  PushBlob("other/app", "x");
  EXPECT_EQ(Send("DELETE", absl::StrCat("/v2/team/app/blobs/", digest)).status, 202);
  EXPECT_EQ(Send("GET", absl::StrCat("/v2/team/app/blobs/", digest)).status, 404);
  EXPECT_EQ(Send("GET", absl::StrCat("/v2/other/app/blobs/", digest)).status, 200);
  EXPECT_EQ(Send("DELETE", absl::StrCat("/v2/team/app/blobs/", digest)).ErrorCode(), "BLOB_UNKNOWN");
}

TEST_F(EndpointTest, Row08StartUpload) {
  for (const char* path : {"/v2/team/app/blobs/uploads/", "/v2/team/app/blobs/uploads"}) {
    SCOPED_TRACE(path);
    const Answer answer = Send("POST", path, {{"Content-Type", "application/json"}});
    EXPECT_EQ(answer.status, 202);
    EXPECT_TRUE(absl::StartsWith(answer.Header("Location"), "/v2/team/app/blobs/uploads/"));
    EXPECT_TRUE(absl::EndsWith(answer.Header("Location"), answer.Header("Docker-Upload-UUID")));
    EXPECT_EQ(answer.Header("Range"), "0-0");
    EXPECT_EQ(answer.Header("Content-Length"), "0");
  }
}

TEST_F(EndpointTest, Row08bWholeBlobInThePost) {
  for (const std::string& content : {std::string("all at once"), std::string()}) {
    const std::string digest = Digest::Of(content).ToString();
    const Answer answer = Send("POST", absl::StrCat("/v2/team/app/blobs/uploads/?digest=", digest), {}, content);
    EXPECT_EQ(answer.status, 201) << answer.body;
    EXPECT_EQ(answer.Header("Docker-Content-Digest"), digest);
    EXPECT_EQ(Send("GET", answer.Header("Location")).body, content);
  }
  const Answer wrong = Send("POST", absl::StrCat("/v2/team/app/blobs/uploads/?digest=", kMissing), {}, "x");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.ErrorCode(), "DIGEST_INVALID");
  EXPECT_EQ(Send("POST", "/v2/team/app/blobs/uploads/?digest=md5:abc", {}, "x").ErrorCode(), "DIGEST_INVALID");
}

TEST_F(EndpointTest, Row08bSha512) {
  const std::string digest = Digest::Of("long hash", DigestAlgorithm::kSha512).ToString();
  const Answer answer = Send("POST", absl::StrCat("/v2/team/app/blobs/uploads/?digest=", digest), {}, "long hash");
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(Send("GET", answer.Header("Location")).body, "long hash");
}

TEST_F(EndpointTest, Row08cMountAcrossRepositories) {
  const std::string digest = PushBlob("team/base", "shared").ToString();
  const Answer mounted = Send("POST", absl::StrCat("/v2/team/app/blobs/uploads/?mount=", digest, "&from=team/base"));
  EXPECT_EQ(mounted.status, 201);
  EXPECT_EQ(mounted.Header("Docker-Content-Digest"), digest);
  EXPECT_EQ(Send("GET", mounted.Header("Location")).body, "shared");
}

TEST_F(EndpointTest, Row08cMountThatCannotBeDoneIsAnUpload) {
  const std::string digest = PushBlob("team/base", "shared").ToString();
  const std::string kept_away = PushBlob("secret/base", "kept away").ToString();
  authorizer_ = [](absl::string_view, Action, absl::string_view repository) {
    if (repository == "secret/base") return absl::PermissionDeniedError("no");
    return absl::OkStatus();
  };
  for (const std::string& query :
       {absl::StrCat("mount=", kMissing, "&from=team/base"), absl::StrCat("mount=", digest, "&from=team/other"),
        absl::StrCat("mount=", kept_away, "&from=secret/base"), absl::StrCat("mount=", kept_away),
        absl::StrCat("mount=", digest, "&from=_build"), std::string("mount=nonsense&from=team/base")}) {
    SCOPED_TRACE(query);
    const Answer answer = Send("POST", absl::StrCat("/v2/team/app/blobs/uploads/?", query));
    EXPECT_EQ(answer.status, 202) << answer.body;
    EXPECT_EQ(Send("GET", answer.Header("Location")).status, 204);
  }
}

TEST_F(EndpointTest, Row08dMountFromAnywhere) {
  const std::string digest = PushBlob("team/base", "shared").ToString();
  const Answer answer = Send("POST", absl::StrCat("/v2/team/app/blobs/uploads/?mount=", digest));
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(Send("GET", answer.Header("Location")).body, "shared");
  EXPECT_EQ(Send("POST", absl::StrCat("/v2/team/app/blobs/uploads/?mount=", kMissing)).status, 202);
}

TEST_F(EndpointTest, Row08eDigestAlgorithm) {
  const Answer started = Send("POST", "/v2/team/app/blobs/uploads/?digest-algorithm=sha512");
  EXPECT_EQ(started.status, 202);
  const std::string digest = Digest::Of("x", DigestAlgorithm::kSha512).ToString();
  EXPECT_EQ(Send("PUT", absl::StrCat(started.Header("Location"), "?digest=", digest), {}, "x").status, 201);
  EXPECT_EQ(Send("POST", "/v2/team/app/blobs/uploads/?digest-algorithm=md5").status, 400);
}

TEST_F(EndpointTest, Row09PatchInChunks) {
  const std::string location = StartSession("team/app");
  const Answer first = Send("PATCH", location, {{"Content-Range", "0-3"}}, "0123");
  EXPECT_EQ(first.status, 202) << first.body;
  EXPECT_EQ(first.Header("Range"), "0-3");
  EXPECT_NE(first.Header("Docker-Upload-UUID"), "");
  const Answer second = Send("PATCH", first.Header("Location"), {{"Content-Range", "4-9"}}, "456789");
  EXPECT_EQ(second.Header("Range"), "0-9");
  const std::string digest = Digest::Of("0123456789").ToString();
  EXPECT_EQ(Send("PUT", absl::StrCat(second.Header("Location"), "?digest=", digest)).status, 201);
}

TEST_F(EndpointTest, Row09PatchStreamed) {
  const std::string location = StartSession("team/app");
  const Answer answer = Send("PATCH", location, {{"Transfer-Encoding", "chunked"}}, "4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n");
  EXPECT_EQ(answer.status, 202) << answer.body;
  EXPECT_EQ(answer.Header("Range"), "0-6");
  EXPECT_EQ(Send("PATCH", location, {}, "h").Header("Range"), "0-7");
}

TEST_F(EndpointTest, Row09PatchOutOfOrder) {
  const std::string location = StartSession("team/app");
  ASSERT_EQ(Send("PATCH", location, {}, "0123").status, 202);
  for (const char* range : {"8-9", "0-1"}) {
    SCOPED_TRACE(range);
    const Answer answer = Send("PATCH", location, {{"Content-Range", range}}, "xy");
    EXPECT_EQ(answer.status, 416);
    EXPECT_EQ(answer.ErrorCode(), "RANGE_INVALID");
    EXPECT_EQ(answer.Header("Range"), "0-3");
    EXPECT_EQ(answer.Header("Location"), location);
  }
  EXPECT_EQ(Send("GET", location).Header("Range"), "0-3");
}

TEST_F(EndpointTest, Row09PatchRefusals) {
  const std::string location = StartSession("team/app");
  EXPECT_EQ(Send("PATCH", location, {{"Content-Range", "0-9"}}, "0123").ErrorCode(), "SIZE_INVALID");
  EXPECT_EQ(Send("PATCH", location, {{"Content-Range", "bytes"}}, "0123").ErrorCode(), "BLOB_UPLOAD_INVALID");
  const Answer unknown = Send("PATCH", "/v2/team/app/blobs/uploads/00000000000000000000000000000000", {}, "x");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.ErrorCode(), "BLOB_UPLOAD_UNKNOWN");
  const std::string elsewhere = absl::StrCat("/v2/other/app/blobs/uploads/", location.substr(location.rfind('/') + 1));
  EXPECT_EQ(Send("PATCH", elsewhere, {}, "x").status, 404) << "a session belongs to its repository";
}

TEST_F(EndpointTest, Row09PatchWithAnotherSizeThanItsRange) {
  const std::string location = StartSession("team/app");
  const http::Headers headers = {{"Content-Range", "0-9"}, {"Transfer-Encoding", "chunked"}};
  EXPECT_EQ(Send("PATCH", location, headers, "2\r\nab\r\n0\r\n\r\n").ErrorCode(), "SIZE_INVALID");
}

TEST_F(EndpointTest, Row09ResumesAfterTheClientIsLost) {
  const std::string location = StartSession("team/app");
  ASSERT_EQ(Send("PATCH", location, {}, "0123").status, 202);
  {
    http::SocketForTest lost(port());
    lost.Send(RequestText("PATCH", location, {{"Content-Length", "100"}, {"Content-Range", "4-103"}}, "456"));
  }
  // The registry notices by itself; until then the session is busy.
  Answer status = Send("GET", location);
  Answer next = Send("PATCH", location, {{"Content-Range", "4-9"}}, "456789");
  for (int i = 0; i < 200 && next.status != 202; ++i) {
    status = Send("GET", location);
    ASSERT_EQ(status.status, 204);
    const std::string range = status.Header("Range");
    const size_t held = std::stoul(range.substr(2)) + 1;
    ASSERT_GE(held, 4u);
    ASSERT_LE(held, 7u);
    next = Send("PATCH", location, {{"Content-Range", absl::StrCat(held, "-9")}}, absl::string_view("0123456789").substr(held));
  }
  ASSERT_EQ(next.status, 202) << next.body;
  const std::string digest = Digest::Of("0123456789").ToString();
  EXPECT_EQ(Send("PUT", absl::StrCat(location, "?digest=", digest)).status, 201);
}

TEST_F(EndpointTest, Row10UploadStatus) {
  const std::string location = StartSession("team/app");
  const Answer fresh = Send("GET", location);
  EXPECT_EQ(fresh.status, 204);
  EXPECT_EQ(fresh.Header("Range"), "0-0");
  EXPECT_EQ(fresh.Header("Location"), location);
  Send("PATCH", location, {}, "0123");
  EXPECT_EQ(Send("GET", location).Header("Range"), "0-3");
  EXPECT_EQ(Send("GET", "/v2/team/app/blobs/uploads/nothing").ErrorCode(), "BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(Send("GET", "/v2/team/app/blobs/uploads/a%2Fb").status, 404);
}

TEST_F(EndpointTest, Row11PutWithAndWithoutBody) {
  const std::string digest = Digest::Of("content").ToString();
  const std::string whole = StartSession("team/app");
  const Answer answer = Send("PUT", absl::StrCat(whole, "?digest=", digest), {}, "content");
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(answer.Header("Location"), absl::StrCat("/v2/team/app/blobs/", digest));
  EXPECT_EQ(answer.Header("Docker-Content-Digest"), digest);
  EXPECT_EQ(Send("GET", answer.Header("Location")).body, "content");
  EXPECT_EQ(Send("GET", whole).status, 404) << "the session is over";

  const std::string last_chunk = StartSession("team/app");
  Send("PATCH", last_chunk, {}, "con");
  EXPECT_EQ(Send("PUT", absl::StrCat(last_chunk, "?digest=", digest), {{"Content-Range", "3-6"}}, "tent").status, 201);
}

TEST_F(EndpointTest, Row11PutRefusals) {
  const std::string location = StartSession("team/app");
  EXPECT_EQ(Send("PUT", location, {}, "x").ErrorCode(), "DIGEST_INVALID");
  EXPECT_EQ(Send("PUT", absl::StrCat(location, "?digest=sha256:bad"), {}, "x").ErrorCode(), "DIGEST_INVALID");
  Send("PATCH", location, {}, "0123");
  const std::string digest = Digest::Of("01234567").ToString();
  const Answer out_of_order = Send("PUT", absl::StrCat(location, "?digest=", digest), {{"Content-Range", "0-3"}}, "4567");
  EXPECT_EQ(out_of_order.status, 416);
  EXPECT_EQ(out_of_order.Header("Range"), "0-3");
  const Answer wrong = Send("PUT", absl::StrCat(location, "?digest=", kMissing));
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.ErrorCode(), "DIGEST_INVALID");
  EXPECT_EQ(Send("GET", absl::StrCat("/v2/team/app/blobs/", kMissing)).status, 404);
  EXPECT_EQ(Send("PUT", absl::StrCat("/v2/team/app/blobs/uploads/nothing?digest=", digest)).ErrorCode(), "BLOB_UPLOAD_UNKNOWN");
}

TEST_F(EndpointTest, Row12CancelUpload) {
  const std::string location = StartSession("team/app");
  EXPECT_EQ(Send("DELETE", location).status, 204);
  EXPECT_EQ(Send("GET", location).status, 404);
  EXPECT_EQ(Send("DELETE", location).ErrorCode(), "BLOB_UPLOAD_UNKNOWN");
}

TEST_F(EndpointTest, Row13Tags) {
  const std::string manifest = ImageManifest("team/app", "x");
  for (const char* tag : {"b", "a", "c"}) PutManifest(absl::StrCat("/v2/team/app/manifests/", tag), manifest);
  EXPECT_EQ(Send("GET", "/v2/team/app/tags/list").body, R"({"name":"team/app","tags":["a","b","c"]})");
  const Answer page = Send("GET", "/v2/team/app/tags/list?n=2");
  EXPECT_EQ(page.body, R"({"name":"team/app","tags":["a","b"]})");
  EXPECT_EQ(page.Header("Link"), "</v2/team/app/tags/list?n=2&last=b>; rel=\"next\"");
  const Answer rest = Send("GET", "/v2/team/app/tags/list?n=2&last=b");
  EXPECT_EQ(rest.body, R"({"name":"team/app","tags":["c"]})");
  EXPECT_EQ(rest.Header("Link"), "");
  EXPECT_EQ(Send("GET", "/v2/team/app/tags/list?n=3").Header("Link"), "") << "a full last page is the last page";
  EXPECT_EQ(Send("GET", "/v2/team/app/tags/list?last=a").body, R"({"name":"team/app","tags":["b","c"]})");
}

TEST_F(EndpointTest, Row13TagsAtTheEdges) {
  PushImage("team/app", "a");
  const Answer none = Send("GET", "/v2/team/app/tags/list?n=0");
  EXPECT_EQ(none.body, R"({"name":"team/app","tags":[]})");
  EXPECT_EQ(none.Header("Link"), "");
  EXPECT_EQ(Send("GET", "/v2/team/app/tags/list?n=99999999999999999999").status, 200);
  for (const char* n : {"-1", "x", ""}) {
    SCOPED_TRACE(n);
    const Answer bad = Send("GET", absl::StrCat("/v2/team/app/tags/list?n=", n));
    EXPECT_EQ(bad.status, 400);
    EXPECT_EQ(bad.ErrorCode(), "PAGINATION_NUMBER_INVALID");
  }
  EXPECT_EQ(Send("GET", "/v2/nobody/tags/list").ErrorCode(), "NAME_UNKNOWN");
  Send("DELETE", "/v2/team/app/manifests/a");
  EXPECT_EQ(Send("GET", "/v2/team/app/tags/list").body, R"({"name":"team/app","tags":[]})");
}

TEST_F(EndpointTest, Row14Catalog) {
  EXPECT_EQ(Send("GET", "/v2/_catalog").body, R"({"repositories":[]})");
  for (const char* name : {"b/x", "a", "c"}) PushImage(name, "1");
  EXPECT_EQ(Send("GET", "/v2/_catalog").body, R"({"repositories":["a","b/x","c"]})");
  const Answer page = Send("GET", "/v2/_catalog?n=2");
  EXPECT_EQ(page.body, R"({"repositories":["a","b/x"]})");
  EXPECT_TRUE(absl::StartsWith(page.Header("Link"), "</v2/_catalog?n=2&last=b")) << page.Header("Link");
  EXPECT_EQ(Send("GET", "/v2/_catalog?n=2&last=b/x").body, R"({"repositories":["c"]})");
  EXPECT_EQ(Send("GET", "/v2/_catalog?n=zero").ErrorCode(), "PAGINATION_NUMBER_INVALID");
}

TEST_F(EndpointTest, Row14CatalogShowsOnlyWhatMayBeRead) {
  for (const char* name : {"open/a", "secret/b"}) PushImage(name, "1");
  authorizer_ = [](absl::string_view, Action action, absl::string_view repository) {
    return repository == "secret/b" ? absl::PermissionDeniedError("no") : absl::OkStatus();
  };
  EXPECT_EQ(Send("GET", "/v2/_catalog").body, R"({"repositories":["open/a"]})");
  authorizer_ = [](absl::string_view, Action, absl::string_view) { return absl::PermissionDeniedError("no"); };
  EXPECT_EQ(Send("GET", "/v2/_catalog").ErrorCode(), "DENIED");
}

TEST_F(EndpointTest, Row15Referrers) {
  const Answer empty = Send("GET", absl::StrCat("/v2/nobody/yet/referrers/", kMissing));
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.Header("Content-Type"), kIndexMediaType);
  EXPECT_EQ(empty.body, absl::StrCat(R"({"schemaVersion":2,"mediaType":")", kIndexMediaType, R"(","manifests":[]})"));
  EXPECT_EQ(Send("GET", "/v2/team/app/referrers/sha256:bad").ErrorCode(), "DIGEST_INVALID");

  const std::string subject = PushImage("team/app", "1.0").ToString();
  const std::string referrer = ImageManifest(
      "team/app", "sbom",
      absl::StrCat(R"("artifactType":"application/spdx","annotations":{"k":"v"},"subject":{"mediaType":")", kManifestType,
                   R"(","digest":")", subject, R"(","size":2},)"));
  const std::string digest = Digest::Of(referrer).ToString();
  ASSERT_EQ(PutManifest(absl::StrCat("/v2/team/app/manifests/", digest), referrer).status, 201);
  const std::string want = absl::StrCat(R"([{"mediaType":")", kManifestType, R"(","digest":")", digest, R"(","size":)",
                                        referrer.size(), R"(,"artifactType":"application/spdx","annotations":{"k":"v"}}])");
  const Answer all = Send("GET", absl::StrCat("/v2/team/app/referrers/", subject));
  EXPECT_TRUE(absl::StrContains(all.body, want)) << all.body;
  EXPECT_EQ(all.Header("OCI-Filters-Applied"), "");
  const Answer other = Send("GET", absl::StrCat("/v2/team/app/referrers/", subject, "?artifactType=application/other"));
  EXPECT_EQ(other.Header("OCI-Filters-Applied"), "artifactType");
  EXPECT_TRUE(absl::StrContains(other.body, R"("manifests":[])")) << other.body;
}

TEST_F(EndpointTest, Row15ReferrersInPages) {
  const std::string subject = PushImage("team/app", "1.0").ToString();
  for (const char* layer : {"one", "two", "three"}) {
    const std::string manifest = ImageManifest(
        "team/app", layer, absl::StrCat(R"("subject":{"mediaType":")", kManifestType, R"(","digest":")", subject, R"(","size":2},)"));
    ASSERT_EQ(PutManifest(absl::StrCat("/v2/team/app/manifests/", Digest::Of(manifest).ToString()), manifest).status, 201);
  }
  std::string target = absl::StrCat("/v2/team/app/referrers/", subject, "?n=2");
  size_t descriptors = 0;
  for (int page = 0; page < 2; ++page) {
    const Answer answer = Send("GET", target);
    ASSERT_OK_AND_ASSIGN(const json::Value index, json::Parse(answer.body));
    descriptors += json::Find(index, "manifests")->size();
    const std::string link = answer.Header("Link");
    EXPECT_EQ(link.empty(), page == 1);
    if (!link.empty()) target = link.substr(1, link.find('>') - 1);
  }
  EXPECT_EQ(descriptors, 3u);
}

TEST_F(EndpointTest, Row16Search) {
  EXPECT_EQ(Send("GET", "/v1/_ping").status, 200);
  for (const char* name : {"library/busybox", "team/app", "team/busy-app"}) PushImage(name, "1");
  const Answer answer = Send("GET", "/v1/search?q=busy&n=25");
  EXPECT_EQ(answer.status, 200);
  ASSERT_OK_AND_ASSIGN(const json::Value found, json::Parse(answer.body));
  EXPECT_EQ(found["num_results"], 2);
  EXPECT_EQ(found["query"], "busy");
  EXPECT_EQ(found["results"][0]["name"], "library/busybox");
  EXPECT_EQ(found["results"][0]["is_official"], false);
  ASSERT_OK_AND_ASSIGN(const json::Value one, json::Parse(Send("GET", "/v1/search?q=team&n=1").body));
  EXPECT_EQ(one["results"].size(), 1u);
  EXPECT_EQ(Send("GET", absl::StrCat("/v1/search?q=", std::string(300, 'a'))).status, 400);
}

TEST_F(EndpointTest, Row18Extensions) {
  EXPECT_EQ(Send("GET", "/v2/_oci/ext/discover").body, R"({"extensions":[]})");
}

TEST_F(EndpointTest, NamesThatAreNotValid) {
  for (const char* name : {"_build", "Team/App", "a//b", "a..b", "..%2F.."}) {
    SCOPED_TRACE(name);
    for (const std::string& target : {absl::StrCat("/v2/", name, "/tags/list"), absl::StrCat("/v2/", name, "/manifests/1"),
                                      absl::StrCat("/v2/", name, "/blobs/", kMissing)}) {
      const Answer answer = Send("GET", target);
      EXPECT_EQ(answer.status, 400) << target;
      EXPECT_EQ(answer.ErrorCode(), "NAME_INVALID") << target;
    }
    EXPECT_EQ(Send("POST", absl::StrCat("/v2/", name, "/blobs/uploads/")).ErrorCode(), "NAME_INVALID");
  }
}

TEST_F(EndpointTest, OtherMethodsAndPaths) {
  const Answer post = Send("POST", "/v2/team/app/tags/list");
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.Header("Allow"), "GET, HEAD");
  EXPECT_EQ(post.ErrorCode(), "UNSUPPORTED");
  EXPECT_EQ(Send("GET", "/elsewhere").status, 404);
  EXPECT_EQ(Send("GET", "/v2/team/app/nonsense").status, 404);
}

TEST_F(EndpointTest, EveryRouteAsksForPermission) {
  const std::string digest = PushBlob("team/app", "x").ToString();
  const std::string location = StartSession("team/app");
  PushImage("team/app", "1.0");
  std::vector<Action> asked;
  authorizer_ = [&asked](absl::string_view, Action action, absl::string_view) {
    asked.push_back(action);
    return absl::PermissionDeniedError("not you");
  };
  struct Case {
    std::string method, target;
    Action want;
  };
  const std::vector<Case> cases = {
      {"GET", "/v2/", Action::kEnter},
      {"GET", "/v2/_catalog", Action::kListRepositories},
      {"GET", "/v1/search?q=a", Action::kListRepositories},
      {"GET", "/v2/team/app/tags/list", Action::kPull},
      {"GET", "/v2/team/app/manifests/1.0", Action::kPull},
      {"HEAD", "/v2/team/app/manifests/1.0", Action::kPull},
      {"PUT", "/v2/team/app/manifests/1.0", Action::kPush},
      {"DELETE", "/v2/team/app/manifests/1.0", Action::kDelete},
      {"GET", absl::StrCat("/v2/team/app/blobs/", digest), Action::kPull},
      {"HEAD", absl::StrCat("/v2/team/app/blobs/", digest), Action::kPull},
      {"DELETE", absl::StrCat("/v2/team/app/blobs/", digest), Action::kDelete},
      {"POST", "/v2/team/app/blobs/uploads/", Action::kPush},
      {"GET", location, Action::kPush},
      {"PATCH", location, Action::kPush},
      {"PUT", absl::StrCat(location, "?digest=", digest), Action::kPush},
      {"DELETE", location, Action::kPush},
      {"GET", absl::StrCat("/v2/team/app/referrers/", digest), Action::kPull},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(absl::StrCat(c.method, " ", c.target));
    asked.clear();
    EXPECT_EQ(Send(c.method, c.target).status, 403);
    EXPECT_EQ(asked, std::vector<Action>{c.want});
  }
}

TEST_F(EndpointTest, RequestsAreRecorded) {
  const Answer answer = Send("GET", "/v2/team/app/manifests/1.0", {{"X-Request-Id", "job-17"}, {"User-Agent", "test/1"}});
  EXPECT_EQ(answer.Header("X-Request-Id"), "job-17");
  const std::vector<RequestRecord> records = WaitForRecords(1);
  EXPECT_NE(Send("GET", "/v2/", {{"X-Request-Id", "bad id\""}}).Header("X-Request-Id"), "bad id\"");
  EXPECT_EQ(records[0].method, "GET");
  EXPECT_EQ(records[0].path, "/v2/team/app/manifests/1.0");
  EXPECT_EQ(records[0].http_status, 404);
  EXPECT_EQ(records[0].response_bytes, answer.body.size());
  EXPECT_EQ(records[0].request_id, "job-17");
  EXPECT_EQ(records[0].user_agent, "test/1");
  EXPECT_EQ(records[0].endpoint, Endpoint::kManifest);
  EXPECT_TRUE(absl::IsNotFound(records[0].outcome));
}

}  // namespace
}  // namespace strata::registry
