// Hashes what one thread writes in a second thread, so that a push runs at the speed of the slower of the two, not of their sum.
//
//   writer: Acquire() a buffer, fill it, Submit() it, then write its bytes to disk        hasher: Update() in order, give it back
//
// Four buffers of 256 KiB circulate; that is all the memory an upload takes. Belongs to one writing thread; Acquire() and
// Drain() block.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <thread>

#include "lib/base/mutex.h"
#include "lib/bytes/byte_stream.h"
#include "services/store/ingest/content_hasher.h"

namespace strata::store {

class HashPipeline {
 public:
  struct Buffer {
    std::unique_ptr<char[]> bytes;  // kStreamChunkBytes
    size_t size = 0;                // filled
    absl::string_view view() const { return absl::string_view(bytes.get(), size); }
  };

  // Goes on from `hasher`.
  explicit HashPipeline(ContentHasher hasher);
  ~HashPipeline();  // hashes what was submitted, then ends the thread
  HashPipeline(const HashPipeline&) = delete;
  HashPipeline& operator=(const HashPipeline&) = delete;

  Buffer* Acquire();
  // The buffer may still be read until the next Acquire(), not changed.
  void Submit(Buffer* buffer);
  // Waits until all submitted is hashed; the result is valid until the next Submit().
  const ContentHasher& Drain();

 private:
  void Run();

  std::array<Buffer, 4> buffers_;
  ContentHasher hasher_;  // of the thread, except between Drain() and Submit()
  Mutex mutex_;
  CondVar changed_;
  std::deque<Buffer*> free_ ABSL_GUARDED_BY(mutex_);
  std::deque<Buffer*> submitted_ ABSL_GUARDED_BY(mutex_);  // the front one is being hashed
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace strata::store
