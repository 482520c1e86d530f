#include "lib/json/json.h"

#include <algorithm>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::json {

namespace {

// Depth is bounded before parsing so that nothing is built, or torn down by recursion, for a hostile document.
absl::Status CheckDepth(absl::string_view text, int max_depth) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) {
        return absl::InvalidArgumentError(absl::StrCat("JSON nests deeper than ", max_depth, " levels at byte ", i));
      }
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return absl::OkStatus();
}

absl::Status WrongType(absl::string_view key, absl::string_view want) {
  return absl::InvalidArgumentError(absl::StrCat("field \"", key.substr(0, 80), "\" must be ", want));
}

}  // namespace

absl::StatusOr<Value> Parse(absl::string_view text, const Limits& limits) {
  if (text.size() > limits.max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("JSON of ", text.size(), " bytes is longer than the limit of ", limits.max_bytes));
  }
  STRATA_RETURN_IF_ERROR(CheckDepth(text, limits.max_depth));
  std::vector<std::set<std::string>> keys;
  std::string duplicate;
  const auto watch_keys = [&](int, Value::parse_event_t event, Value& parsed) {
    if (event == Value::parse_event_t::object_start) keys.emplace_back();
    if (event == Value::parse_event_t::object_end) keys.pop_back();
    if (event == Value::parse_event_t::key && duplicate.empty()) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) duplicate = key;
    }
    return true;
  };
  Value value = Value::parse(text.begin(), text.end(), watch_keys, /*allow_exceptions=*/false);
  if (value.is_discarded()) return absl::InvalidArgumentError("not a valid JSON document");
  if (!duplicate.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("JSON object has the key \"", duplicate.substr(0, 80), "\" twice"));
  }
  return value;
}

std::string Dump(const Value& value) { return value.dump(-1, ' ', false, Value::error_handler_t::replace); }

std::string DumpPretty(const Value& value) { return value.dump(2, ' ', false, Value::error_handler_t::replace); }

const Value* Find(const Value& object, absl::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(std::string(key));
  if (found == object.end() || found->is_null()) return nullptr;
  return &*found;
}

absl::StatusOr<std::string> StringField(const Value& object, absl::string_view key, absl::string_view otherwise) {
  const Value* field = Find(object, key);
  if (field == nullptr) return std::string(otherwise);
  if (!field->is_string()) return WrongType(key, "a string");
  return field->get<std::string>();
}

absl::StatusOr<int64_t> IntField(const Value& object, absl::string_view key, int64_t otherwise) {
  const Value* field = Find(object, key);
  if (field == nullptr) return otherwise;
  if (field->is_number_unsigned()) {
    const auto number = field->get<uint64_t>();
    if (number > static_cast<uint64_t>(INT64_MAX)) return WrongType(key, "an integer below 2^63");
    return static_cast<int64_t>(number);
  }
  if (!field->is_number_integer()) return WrongType(key, "an integer");
  return field->get<int64_t>();
}

absl::StatusOr<bool> BoolField(const Value& object, absl::string_view key, bool otherwise) {
  const Value* field = Find(object, key);
  if (field == nullptr) return otherwise;
  if (!field->is_boolean()) return WrongType(key, "true or false");
  return field->get<bool>();
}

absl::StatusOr<std::vector<std::string>> StringListField(const Value& object, absl::string_view key) {
  std::vector<std::string> list;
  const Value* field = Find(object, key);
  if (field == nullptr) return list;
  if (!field->is_array()) return WrongType(key, "a list of strings");
  for (const Value& item : *field) {
    if (!item.is_string()) return WrongType(key, "a list of strings");
    list.push_back(item.get<std::string>());
  }
  return list;
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> StringMapField(const Value& object,
                                                                                absl::string_view key) {
  std::vector<std::pair<std::string, std::string>> map;
  const Value* field = Find(object, key);
  if (field == nullptr) return map;
  if (!field->is_object()) return WrongType(key, "an object of strings");
  for (const auto& [name, value] : field->items()) {
    if (!value.is_string()) return WrongType(key, "an object of strings");
    map.emplace_back(name, value.get<std::string>());
  }
  return map;
}

absl::StatusOr<std::vector<std::string>> KeySetField(const Value& object, absl::string_view key) {
  std::vector<std::string> keys;
  const Value* field = Find(object, key);
  if (field == nullptr) return keys;
  if (!field->is_object()) return WrongType(key, "an object");
  for (const auto& [name, value] : field->items()) keys.push_back(name);
  return keys;
}

}  // namespace strata::json
