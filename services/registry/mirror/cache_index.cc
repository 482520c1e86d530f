#include "services/registry/mirror/cache_index.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/http/headers.h"
#include "lib/json/json.h"

namespace strata::registry::mirror {
namespace {

// Hashed, because names are longer than keys may be.
std::string Key(absl::string_view kind, absl::string_view scope, absl::string_view name) {
  return absl::StrCat("mirror/1/", kind, "/", Digest::Of(absl::StrCat(scope, "\n", name)).hex());
}

json::Value Encode(const ManifestRecord& record) {
  json::Value value = json::Value::object();
  value["digest"] = record.digest.ToString();
  value["mediaType"] = record.media_type;
  value["size"] = record.size_bytes;
  return value;
}

absl::StatusOr<ManifestRecord> DecodeManifest(const json::Value& value) {
  ManifestRecord record;
  STRATA_ASSIGN_OR_RETURN(const std::string digest, json::StringField(value, "digest"));
  STRATA_ASSIGN_OR_RETURN(record.digest, Digest::Parse(digest));
  STRATA_ASSIGN_OR_RETURN(record.media_type, json::StringField(value, "mediaType"));
  STRATA_ASSIGN_OR_RETURN(const int64_t size, json::IntField(value, "size", -1));
  if (size < 0) return absl::InvalidArgumentError("a negative size");
  record.size_bytes = static_cast<uint64_t>(size);
  return record;
}

absl::StatusOr<TagRecord> DecodeTag(absl::string_view text) {
  STRATA_ASSIGN_OR_RETURN(const json::Value value, json::Parse(text));
  TagRecord record;
  STRATA_ASSIGN_OR_RETURN(const int64_t checked, json::IntField(value, "checked"));
  record.checked = absl::FromUnixMillis(checked);
  if (const json::Value* manifest = json::Find(value, "manifest")) {
    STRATA_ASSIGN_OR_RETURN(record.manifest, DecodeManifest(*manifest));
  }
  return record;
}

absl::StatusOr<ManifestRecord> DecodeManifestText(absl::string_view text) {
  STRATA_ASSIGN_OR_RETURN(const json::Value value, json::Parse(text));
  return DecodeManifest(value);
}

// A record that cannot be read is no record: what is fetched in its place replaces it.
template <typename T>
std::optional<T> Readable(absl::StatusOr<T> decoded) {
  if (!decoded.ok()) return std::nullopt;
  return *std::move(decoded);
}

}  // namespace

std::string ScopeOf(const MirrorConfig& mirror, const std::string& upstream_name) {
  return absl::StrCat(mirror.prefix, "\n", mirror.UpstreamText(), "\n", mirror.user, "\n", upstream_name);
}

absl::StatusOr<std::optional<std::string>> CacheIndex::Find(const CallContext& context, const std::string& key) {
  auto value = store_.GetRecord(context, key);
  if (absl::IsNotFound(value.status())) return std::optional<std::string>();
  if (!value.ok()) return value.status();
  return std::optional<std::string>(*std::move(value));
}

absl::StatusOr<std::optional<TagRecord>> CacheIndex::FindTag(const CallContext& context, const std::string& scope, const std::string& tag) {
  STRATA_ASSIGN_OR_RETURN(const auto text, Find(context, Key("tag", scope, tag)));
  return text ? Readable(DecodeTag(*text)) : std::nullopt;
}

absl::StatusOr<std::optional<ManifestRecord>> CacheIndex::FindManifest(const CallContext& context, const std::string& scope,
                                                                       const Digest& digest) {
  STRATA_ASSIGN_OR_RETURN(const auto text, Find(context, Key("manifest", scope, digest.ToString())));
  return text ? Readable(DecodeManifestText(*text)) : std::nullopt;
}

absl::StatusOr<std::optional<uint64_t>> CacheIndex::FindBlob(const CallContext& context, const std::string& scope, const Digest& digest) {
  STRATA_ASSIGN_OR_RETURN(const auto text, Find(context, Key("blob", scope, digest.ToString())));
  return text ? http::ParseDecimal(*text) : std::nullopt;
}

absl::StatusOr<bool> CacheIndex::FindRepository(const CallContext& context, const std::string& scope) {
  STRATA_ASSIGN_OR_RETURN(const auto text, Find(context, Key("repository", scope, "")));
  return text.has_value();
}

absl::Status CacheIndex::PutTag(const CallContext& context, const std::string& scope, const std::string& tag, const TagRecord& record) {
  json::Value value = json::Value::object();
  value["checked"] = absl::ToUnixMillis(record.checked);
  std::vector<Digest> needs;
  if (record.manifest) {
    value["manifest"] = Encode(*record.manifest);
    needs.push_back(record.manifest->digest);
  }
  return store_.PutRecord(context, Key("tag", scope, tag), json::Dump(value), needs);
}

absl::Status CacheIndex::PutManifest(const CallContext& context, const std::string& scope, const ManifestRecord& record) {
  return store_.PutRecord(context, Key("manifest", scope, record.digest.ToString()), json::Dump(Encode(record)), {&record.digest, 1});
}

absl::Status CacheIndex::PutBlob(const CallContext& context, const std::string& scope, const Digest& digest, uint64_t size_bytes) {
  return store_.PutRecord(context, Key("blob", scope, digest.ToString()), absl::StrCat(size_bytes), {&digest, 1});
}

absl::Status CacheIndex::PutRepository(const CallContext& context, const std::string& scope) {
  return store_.PutRecord(context, Key("repository", scope, ""), "1", {});
}

}  // namespace strata::registry::mirror
