// Counts the rows that are read, so that a test can say what a call costs without a clock. testonly.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/store/engine/key_value.h"

namespace strata::store {

class CountingKeyValue final : public KeyValueStore {
 public:
  explicit CountingKeyValue(std::unique_ptr<KeyValueStore> inner) : inner_(std::move(inner)) {}

  // Rows that were got or passed by a cursor since the last call, outside transactions.
  int64_t TakeRowsRead() { return rows_read_.exchange(0); }

  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key) override {
    ++rows_read_;
    return inner_->Get(table, key);
  }
  std::unique_ptr<Cursor> Scan(Table table, absl::string_view prefix, absl::string_view start) override {
    return std::make_unique<CountingCursor>(rows_read_, inner_->Scan(table, prefix, start));
  }
  std::unique_ptr<Transaction> Begin() override { return inner_->Begin(); }
  std::unique_ptr<Reader> Snapshot() override { return inner_->Snapshot(); }
  absl::Status Checkpoint(const std::string& path) override { return inner_->Checkpoint(path); }
  std::vector<std::pair<std::string, int64_t>> Figures() override { return inner_->Figures(); }
  absl::StatusOr<int64_t> ReadCounter(absl::string_view key) override {
    ++rows_read_;
    return inner_->ReadCounter(key);
  }

 private:
  class CountingCursor final : public Cursor {
   public:
    CountingCursor(std::atomic<int64_t>& rows_read, std::unique_ptr<Cursor> inner) : rows_read_(rows_read), inner_(std::move(inner)) {
      ++rows_read_;
    }
    bool valid() const override { return inner_->valid(); }
    void Next() override {
      ++rows_read_;
      inner_->Next();
    }
    absl::string_view key() const override { return inner_->key(); }
    absl::string_view value() const override { return inner_->value(); }
    absl::Status status() const override { return inner_->status(); }

   private:
    std::atomic<int64_t>& rows_read_;
    const std::unique_ptr<Cursor> inner_;
  };

  std::unique_ptr<KeyValueStore> inner_;
  std::atomic<int64_t> rows_read_{0};
};

}  // namespace strata::store
