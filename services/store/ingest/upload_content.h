// The bytes of one upload while a writer holds it: in memory up to 32 KiB, then in an extent.
//
//            Write past 32 KiB, OpenForOthers
//   kInline ──────────────────────────────────► kExtent        (never back)
//
// What comes through Write() is hashed by a second thread. After OpenForOthers() another process puts the bytes into the extent and
// Adopt() hashes what is there, in the calling thread: the other process is the second one.
//
// Thread-compatible; calls block. After an error call nothing but the destructor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/unique_fd.h"
#include "lib/digest/digest.h"
#include "services/store/engine/core.h"
#include "services/store/engine/rows.h"
#include "services/store/ingest/content_hasher.h"
#include "services/store/ingest/hash_pipeline.h"
#include "services/store/ingest/writer_slots.h"

namespace strata::store {

class UploadContent {
 public:
  // Goes on where `row` is. `core` and `slots` outlive this object. kDataLoss: what the row promises is not there.
  static absl::StatusOr<std::unique_ptr<UploadContent>> Open(const Core& core, WriterSlots& slots, const SessionRow& row);

  // kResourceExhausted: disk full. kUnavailable: too many large uploads at this moment.
  absl::Status Write(absl::string_view data);

  // From now on in an extent, whose descriptor this is. Errors as Write(), and ExtentWriter::OpenForOthers(), which changes nothing.
  absl::StatusOr<UniqueFd> OpenForOthers();
  // As ExtentWriter's, after OpenForOthers().
  absl::StatusOr<uint64_t> Grant() { return extent_->Grant(); }
  absl::Status Adopt(uint64_t count);
  absl::Status Seal() { return extent_->Seal(); }


  // Waits until everything written is hashed and on its way to disk; needed before what follows.
  absl::Status Settle();
  absl::Status Sync();  // of the extent; nothing to do inline
  // The digest of everything; reads it back when it was hashed by another algorithm on arrival.
  absl::StatusOr<Digest> DigestOfAll(DigestAlgorithm algorithm);

  uint64_t size_bytes() const { return size_bytes_; }
  Layout layout() const { return extent_ ? Layout::kExtent : Layout::kInline; }
  const std::string& inline_bytes() const { return inline_bytes_; }
  const ContentHasher& hasher() const { return settled_; }  // as of Settle()

 private:
  UploadContent(const Core& core, WriterSlots& slots, uint64_t id, ContentHasher hasher)
      : core_(core), slots_(slots), id_(id), settled_(std::move(hasher)) {}

  absl::Status WriteInline(absl::string_view data);
  absl::Status WriteToExtent(absl::string_view data);
  absl::Status StartExtent();  // moves the inline bytes there, hashed
  absl::Status StartPipeline();
  absl::Status EmitBuffer();

  const Core& core_;
  WriterSlots& slots_;
  const uint64_t id_;
  uint64_t size_bytes_ = 0;
  ContentHasher settled_;
  size_t inline_hashed_ = 0;  // bytes of inline_bytes_ that settled_ has seen
  std::string inline_bytes_;
  WriterSlots::Slot slot_;
  std::unique_ptr<ExtentWriter> extent_;
  std::unique_ptr<HashPipeline> pipeline_;  // while bytes come to the extent through Write()
  HashPipeline::Buffer* filling_ = nullptr;
};

}  // namespace strata::store
