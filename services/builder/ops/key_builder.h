// Cache keys: a digest over labelled, length-prefixed fields, so that no two different steps spell the same key.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/digest/hasher.h"

namespace strata::ops {

class KeyBuilder {
 public:
  // `kind` names the record and its version, "run/1": raise the version when what the step does changes.
  explicit KeyBuilder(absl::string_view kind) : kind_(kind) { Add("kind", kind); }

  void Add(absl::string_view label, absl::string_view value) {
    for (const absl::string_view field : {label, value}) hasher_.Update(absl::StrCat(field.size(), ":", field));
  }
  void AddList(absl::string_view label, const std::vector<std::string>& values) {
    Add(label, absl::StrCat(values.size()));
    for (const std::string& value : values) Add(label, value);
  }
  std::string Finish() const { return absl::StrCat(kind_, "/", hasher_.Finish().hex()); }

 private:
  std::string kind_;
  Hasher hasher_;
};

}  // namespace strata::ops
