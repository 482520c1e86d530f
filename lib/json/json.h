// JSON documents: a strict, size- and depth-limited parser, typed field access that never throws, and a writer.
//
// A thin wrapper over nlohmann::ordered_json: fields keep their order. Include this header in .cc files only; it is slow to
// compile. Thread-compatible.
// Spec: RFC 8259; duplicate keys in one object are refused (two readers could see two different documents).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::json {

using Value = nlohmann::ordered_json;

struct Limits {
  size_t max_bytes = 4 * 1024 * 1024;
  int max_depth = 64;
};

// kInvalidArgument: too long, too deep, not JSON, not UTF-8, or a key twice; the message says which and, where known, at which byte.
absl::StatusOr<Value> Parse(absl::string_view text, const Limits& limits = {});

// Compact text; bytes that are not UTF-8 become U+FFFD.
std::string Dump(const Value& value);
// The same over several lines, indented by two, for people.
std::string DumpPretty(const Value& value);

// The field, or null when `object` is no object or has no such field or the field is JSON null.
const Value* Find(const Value& object, absl::string_view key);

// Typed fields: the default when absent or null; kInvalidArgument, naming the key, when it has another type.
absl::StatusOr<std::string> StringField(const Value& object, absl::string_view key, absl::string_view otherwise = "");
absl::StatusOr<int64_t> IntField(const Value& object, absl::string_view key, int64_t otherwise = 0);
absl::StatusOr<bool> BoolField(const Value& object, absl::string_view key, bool otherwise = false);
absl::StatusOr<std::vector<std::string>> StringListField(const Value& object, absl::string_view key);
// In document order.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> StringMapField(const Value& object, absl::string_view key);
// The keys of an object used as a set, such as "ExposedPorts": {"80/tcp": {}}.
absl::StatusOr<std::vector<std::string>> KeySetField(const Value& object, absl::string_view key);

}  // namespace strata::json
