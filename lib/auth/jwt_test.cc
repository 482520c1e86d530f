#include "lib/auth/jwt.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/auth/base64url.h"
#include "lib/auth/jwks.h"
#include "lib/testing/status_matchers.h"

namespace strata::auth {
namespace {

using testing::StatusIs;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
constexpr char kClaims[] = R"({"iss":"us","sub":"user:alice","aud":"registry","exp":1700000300,"nbf":1699999990,"iat":1699999990})";

SigningKey NewKey(SignatureAlgorithm algorithm = SignatureAlgorithm::kEs256) {
  auto key = SigningKey::Generate(algorithm);
  EXPECT_OK(key);
  return *std::move(key);
}

std::string Token(absl::string_view header, absl::string_view payload = kClaims, absl::string_view signature = "sig") {
  return absl::StrCat(Base64UrlEncode(header), ".", Base64UrlEncode(payload), ".", Base64UrlEncode(signature));
}

absl::Status Verify(absl::string_view text, const KeySet& keys, absl::Time now = kNow) {
  const auto token = ParseJwt(text);
  if (!token.ok()) return token.status();
  return VerifyJwt(*token, keys, {.issuer = "us", .audience = "registry", .now = now});
}

TEST(Jwt, SignedByEachAlgorithmVerifiesWithItsOwnKeyAlone) {
  for (const auto algorithm : {SignatureAlgorithm::kEs256, SignatureAlgorithm::kRs256, SignatureAlgorithm::kEdDsa}) {
    SCOPED_TRACE(std::string(AlgorithmName(algorithm)));
    const SigningKey key = NewKey(algorithm);
    ASSERT_OK_AND_ASSIGN(const std::string text, SignJwt(key, kClaims));
    EXPECT_OK(Verify(text, {key.public_key()}));
    EXPECT_OK(Verify(text, {NewKey().public_key(), key.public_key()}));
    EXPECT_THAT(Verify(text, {NewKey(algorithm).public_key()}), StatusIs(absl::StatusCode::kUnauthenticated, "unknown key"));
    // The published form of the key verifies as well, and so does its PEM.
    ASSERT_OK_AND_ASSIGN(const KeySet published, ParseJwks(FormatJwks({key.public_key()})));
    EXPECT_OK(Verify(text, published));
    ASSERT_OK_AND_ASSIGN(const std::string pem, key.ToPem());
    ASSERT_OK_AND_ASSIGN(const SigningKey read, SigningKey::ParsePem(pem));
    EXPECT_EQ(read.public_key().id(), key.public_key().id());
    // A changed byte anywhere.
    for (size_t part = 0; part < 3; ++part) {
      std::vector<std::string> parts = absl::StrSplit(text, '.');
      parts[part][parts[part].size() / 2] ^= 1;
      EXPECT_FALSE(Verify(absl::StrCat(parts[0], ".", parts[1], ".", parts[2]), {key.public_key()}).ok()) << part;
    }
  }
}

TEST(Jwt, ThumbprintOfRfc8037) {
  ASSERT_OK_AND_ASSIGN(const std::string x, Base64UrlDecode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
  ASSERT_OK_AND_ASSIGN(const PublicKey key, PublicKey::FromEd25519(x, ""));
  EXPECT_EQ(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST(Jwt, RefusesForms) {
  struct Case {
    const char* name;
    std::string text;
    const char* why;
  };
  const std::vector<Case> cases = {
      {"none", Token(R"({"alg":"none"})"), "algorithm"},
      {"None", Token(R"({"alg":"nOnE"})"), "algorithm"},
      {"unsigned", absl::StrCat(Base64UrlEncode(R"({"alg":"ES256"})"), ".", Base64UrlEncode(kClaims), "."), "not signed"},
      {"HS256", Token(R"({"alg":"HS256","kid":"x"})"), "algorithm"},
      {"ES384", Token(R"({"alg":"ES384"})"), "algorithm"},
      {"no alg", Token(R"({"kid":"x"})"), "algorithm"},
      {"jwk", Token(R"({"alg":"ES256","jwk":{"kty":"EC"}})"), "jwk"},
      {"jku", Token(R"({"alg":"ES256","jku":"https://evil/jwks"})"), "jku"},
      {"x5u", Token(R"({"alg":"ES256","x5u":"https://evil/c"})"), "x5u"},
      {"x5c", Token(R"({"alg":"RS256","x5c":["MII"]})"), "x5c"},
      {"jwk null", Token(R"({"alg":"ES256","jwk":null})"), "jwk"},
      {"crit", Token(R"({"alg":"ES256","crit":["x"]})"), "crit"},
      {"claim twice", Token(R"({"alg":"ES256"})", R"({"iss":"us","iss":"them","exp":1})"), "payload"},
      {"header twice", Token(R"({"alg":"ES256","alg":"none"})"), "header"},
      {"no exp", Token(R"({"alg":"ES256"})", R"({"iss":"us"})"), "exp"},
      {"exp text", Token(R"({"alg":"ES256"})", R"({"exp":"1"})"), "exp"},
      {"exp huge", Token(R"({"alg":"ES256"})", R"({"exp":1e300})"), "exp"},
      {"aud number", Token(R"({"alg":"ES256"})", R"({"exp":1,"aud":7})"), "aud"},
      {"payload list", Token(R"({"alg":"ES256"})", "[]"), "payload"},
      {"two parts", "a.b", "three parts"},
      {"four parts", "a.b.c.d", "three parts"},
      {"padding", absl::StrCat(Token(R"({"alg":"ES256"})"), "="), "base64url"},
      {"too long", std::string(kMaxJwtBytes + 1, 'a'), "at most"},
      {"empty", "", "three parts"},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.name);
    EXPECT_THAT(ParseJwt(test.text), StatusIs(absl::StatusCode::kInvalidArgument, test.why));
  }
}

TEST(Jwt, RefusesWhatDoesNotHold) {
  const SigningKey key = NewKey();
  const auto verify = [&key](absl::string_view claims) {
    const auto text = SignJwt(key, claims);
    return text.ok() ? Verify(*text, {key.public_key()}) : text.status();
  };
  const auto refused = [](absl::string_view why) { return StatusIs(absl::StatusCode::kUnauthenticated, why); };
  EXPECT_OK(verify(R"({"iss":"us","aud":["other","registry"],"exp":1700000001})"));
  EXPECT_OK(verify(R"({"iss":"us","aud":"registry","exp":1699999980})"));  // within the leeway
  EXPECT_THAT(verify(R"({"iss":"us","aud":"registry","exp":1699999970})"), refused("expired"));
  EXPECT_THAT(verify(R"({"iss":"us","aud":"other","exp":1700000001})"), refused("audience"));
  EXPECT_THAT(verify(R"({"iss":"us","exp":1700000001})"), refused("audience"));
  EXPECT_THAT(verify(R"({"iss":"them","aud":"registry","exp":1700000001})"), refused("issuer"));
  EXPECT_THAT(verify(R"({"iss":"us","aud":"registry","exp":1700009000,"nbf":1700000100})"), refused("not valid yet"));
  EXPECT_THAT(verify(R"({"iss":"us","aud":"registry","exp":1700009000,"iat":1700000100})"), refused("future"));
}

TEST(Jwt, HeaderCannotChooseHowItsKeyVerifies) {
  const SigningKey key = NewKey(SignatureAlgorithm::kRs256);
  const std::string input = absl::StrCat(Base64UrlEncode(absl::StrCat(R"({"alg":"ES256","kid":")", key.public_key().id(), R"("})")), ".",
                                         Base64UrlEncode(kClaims));
  ASSERT_OK_AND_ASSIGN(const std::string signature, key.Sign(input));
  EXPECT_THAT(Verify(absl::StrCat(input, ".", Base64UrlEncode(signature)), {key.public_key()}),
              StatusIs(absl::StatusCode::kUnauthenticated, "signs with RS256"));
}

TEST(Jwt, ClaimsByPath) {
  ASSERT_OK_AND_ASSIGN(const Jwt token, ParseJwt(Token(R"({"alg":"ES256"})", R"({"exp":1,"kubernetes.io":{"namespace":"ci"},"g":["a",2,true]})")));
  const std::vector<std::pair<std::string, std::string>> want = {
      {"exp", "1"}, {"kubernetes.io/namespace", "ci"}, {"g", "a"}, {"g", "2"}, {"g", "true"}};
  EXPECT_EQ(token.claims, want);
}

TEST(Jwks, ReadsWhatIssuersPublish) {
  // An encryption key, a curve and a kind we do not use, and a usable key among them.
  ASSERT_OK_AND_ASSIGN(const KeySet keys, ParseJwks(R"({"keys":[
      {"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-384","x":"AA","y":"AA"},{"kty":"new"},
      {"kty":"EC","crv":"P-256","kid":"1","use":"sig","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
       "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]})"));
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys[0].id(), "1");
}

TEST(Jwks, Refuses) {
  struct Case {
    const char* text;
    const char* why;
  };
  for (const Case& test : std::vector<Case>{
           {"", ""},
           {"[]", "keys"},
           {R"({"keys":{}})", "list"},
           {R"({"keys":[]})", "empty"},
           {R"({"keys":[1]})", "something else"},
           {R"({"keys":[{"kty":"oct","k":"AAAA"}]})", "secret"},
           {R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA","d":"AAAA"}]})", "private"},
           {R"({"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]})", "2048"},
           {R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]})", "32 bytes"},
           {R"({"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"}]})", ""},
           {R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
                        {"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})", "twice"},
       }) {
    SCOPED_TRACE(test.text);
    EXPECT_THAT(ParseJwks(test.text), StatusIs(absl::StatusCode::kInvalidArgument, test.why));
  }
}

TEST(Key, RefusesWeakAndForeignPems) {
  for (const char* pem : {"", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "nonsense"}) {
    EXPECT_THAT(SigningKey::ParsePem(pem), StatusIs(absl::StatusCode::kInvalidArgument, "PEM"));
    EXPECT_THAT(PublicKey::ParsePem(pem), StatusIs(absl::StatusCode::kInvalidArgument, "PEM"));
  }
}

}  // namespace
}  // namespace strata::auth
