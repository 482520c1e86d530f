#include "services/builder/cache/step_cache.h"

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/json/json.h"
#include "lib/log/log.h"

namespace strata::cache {

namespace {

constexpr int kRecordVersion = 1;

// The document under a key, or absent when there is none that this builder understands.
absl::StatusOr<std::optional<json::Value>> FindRecord(blobstore::CacheStore& store, const CallContext& context,
                                                      absl::string_view key) {
  auto value = store.GetRecord(context, key);
  if (absl::IsNotFound(value.status())) return std::nullopt;
  if (!value.ok()) return Annotate(value.status(), absl::StrCat("reading cache record ", key));
  auto document = json::Parse(*value);
  if (!document.ok()) {
    // A record that cannot be read costs its step, not the build; the step writes it anew.
    log::Warning("damaged cache record", {{"key", key}, {"error", document.status()}});
    return std::nullopt;
  }
  STRATA_ASSIGN_OR_RETURN(const int64_t version, json::IntField(*document, "version"));
  if (version != kRecordVersion) return std::nullopt;
  return *std::move(document);
}

absl::StatusOr<Digest> DigestField(const json::Value& document, absl::string_view key) {
  STRATA_ASSIGN_OR_RETURN(const std::string text, json::StringField(document, key));
  return Digest::Parse(text);
}

}  // namespace

absl::StatusOr<std::optional<snapshot::Layer>> StepCache::FindLayer(const CallContext& context, absl::string_view key) {
  STRATA_ASSIGN_OR_RETURN(const auto document, FindRecord(store_, context, key));
  if (!document) return std::nullopt;
  snapshot::Layer layer;
  STRATA_ASSIGN_OR_RETURN(layer.diff_id, DigestField(*document, "diff_id"));
  STRATA_ASSIGN_OR_RETURN(layer.blob, DigestField(*document, "blob"));
  STRATA_ASSIGN_OR_RETURN(layer.size_bytes, json::IntField(*document, "size"));
  STRATA_ASSIGN_OR_RETURN(layer.media_type, json::StringField(*document, "media_type"));
  STRATA_ASSIGN_OR_RETURN(const int64_t created_ns, json::IntField(*document, "created_ns"));
  layer.created = absl::FromUnixNanos(created_ns);
  return layer;
}

absl::Status StepCache::PutLayer(const CallContext& context, absl::string_view key, const snapshot::Layer& layer) {
  const json::Value document = {{"version", kRecordVersion},
                                {"diff_id", layer.diff_id.ToString()},
                                {"blob", layer.blob.ToString()},
                                {"size", layer.size_bytes},
                                {"media_type", layer.media_type},
                                {"created_ns", absl::ToUnixNanos(layer.created)}};
  return Annotate(store_.PutRecord(context, key, json::Dump(document), {layer.blob}),
                  absl::StrCat("writing cache record ", key));
}

absl::StatusOr<std::optional<Digest>> StepCache::FindContent(const CallContext& context, absl::string_view key) {
  STRATA_ASSIGN_OR_RETURN(const auto document, FindRecord(store_, context, key));
  if (!document) return std::nullopt;
  STRATA_ASSIGN_OR_RETURN(Digest content, DigestField(*document, "content"));
  return content;
}

absl::Status StepCache::PutContent(const CallContext& context, absl::string_view key, const Digest& content) {
  const json::Value document = {{"version", kRecordVersion}, {"content", content.ToString()}};
  return Annotate(store_.PutRecord(context, key, json::Dump(document), {}), absl::StrCat("writing cache record ", key));
}

}  // namespace strata::cache
