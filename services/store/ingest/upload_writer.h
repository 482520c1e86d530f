// The writer of one upload session: what turns arriving bytes into durable ones, and durable ones into a blob.
//
// Flush:   1. everything hashed, extent written        Commit:  1. as Flush; digest and size compared
//          2. extent and its folder synced                      2. extent and its folder synced
//          3. row (offset, hash state) synced                   3. one synced transaction: blob row (or the row of the same
//          4. answer                                               blob, found), link, session gone
//                                                               4. answer; the bytes of a second copy are removed
// When another process put the bytes into the extent (Direct()), Commit first makes sure that none can write it any more and cuts
// what was never reported; the hash is of what the store itself read in the file.
// Dying anywhere before 3 leaves the session at its last recorded offset; the bytes behind are cut off at the next start.
#pragma once

#include <memory>

#include "lib/blobstore/blob_store.h"
#include "services/store/engine/core.h"
#include "services/store/ingest/session_table.h"
#include "services/store/ingest/upload_content.h"

namespace strata::store {

// `row` is the session as read after it was claimed. `core` outlives the writer.
std::unique_ptr<blobstore::UploadWriter> NewUploadWriter(const Core& core, SessionClaims::Claim claim, std::string upload_id,
                                                         SessionRow row, std::unique_ptr<UploadContent> content);

}  // namespace strata::store
