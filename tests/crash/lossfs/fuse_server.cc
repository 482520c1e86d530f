#include "tests/crash/lossfs/fuse_server.h"

#define FUSE_USE_VERSION 314
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"

namespace strata::lossfs {

namespace {

Volume& VolumeOf(fuse_req_t request) { return *static_cast<Volume*>(fuse_req_userdata(request)); }

fuse_entry_param EntryOf(const struct stat& attributes) {
  fuse_entry_param entry = {};
  entry.ino = attributes.st_ino;
  entry.attr = attributes;
  return entry;
}

void ReplyEntry(fuse_req_t request, int error, const struct stat& attributes) {
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  const fuse_entry_param entry = EntryOf(attributes);
  fuse_reply_entry(request, &entry);
}

bool IsSyncOpen(const fuse_file_info* file) { return (file->flags & (O_SYNC | O_DSYNC)) != 0; }

void DoLookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  struct stat attributes = {};
  const int error = VolumeOf(request).Lookup(parent, name, &attributes);
  ReplyEntry(request, error, attributes);
}

void DoForget(fuse_req_t request, fuse_ino_t node, uint64_t lookups) {
  VolumeOf(request).Forget(node, lookups);
  fuse_reply_none(request);
}

void DoForgetMany(fuse_req_t request, size_t count, fuse_forget_data* forgets) {
  for (size_t i = 0; i < count; ++i) VolumeOf(request).Forget(forgets[i].ino, forgets[i].nlookup);
  fuse_reply_none(request);
}

void DoGetAttributes(fuse_req_t request, fuse_ino_t node, fuse_file_info*) {
  struct stat attributes = {};
  const int error = VolumeOf(request).Stat(node, &attributes);
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    fuse_reply_attr(request, &attributes, 0);
  }
}

void DoSetAttributes(fuse_req_t request, fuse_ino_t node, struct stat* attributes, int which, fuse_file_info* file) {
  Volume& volume = VolumeOf(request);
  int error = 0;
  if ((which & FUSE_SET_ATTR_SIZE) != 0) error = volume.Truncate(node, static_cast<uint64_t>(attributes->st_size));
  if (error == 0 && (which & FUSE_SET_ATTR_MODE) != 0) error = volume.SetMode(node, attributes->st_mode);
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    DoGetAttributes(request, node, file);
  }
}

void DoMakeDirectory(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  struct stat attributes = {};
  const int error = VolumeOf(request).MakeDirectory(parent, name, mode, &attributes);
  ReplyEntry(request, error, attributes);
}

void DoUnlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_reply_err(request, VolumeOf(request).Unlink(parent, name));
}

void DoRemoveDirectory(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_reply_err(request, VolumeOf(request).RemoveDirectory(parent, name));
}

void DoRename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
              unsigned flags) {
  if ((flags & ~static_cast<unsigned>(RENAME_NOREPLACE)) != 0) {
    fuse_reply_err(request, EINVAL);
    return;
  }
  fuse_reply_err(request, VolumeOf(request).Rename(parent, name, new_parent, new_name, (flags & RENAME_NOREPLACE) != 0));
}

void DoLink(fuse_req_t request, fuse_ino_t node, fuse_ino_t parent, const char* name) {
  struct stat attributes = {};
  const int error = VolumeOf(request).Link(node, parent, name, &attributes);
  ReplyEntry(request, error, attributes);
}

void DoCreate(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* file) {
  struct stat attributes = {};
  const int error = VolumeOf(request).MakeFile(parent, name, mode, &attributes);
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  const fuse_entry_param entry = EntryOf(attributes);
  fuse_reply_create(request, &entry, file);
}

// O_TRUNC arrives as an attribute change of its own.
void DoOpen(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) {
  struct stat attributes = {};
  const int error = VolumeOf(request).Stat(node, &attributes);
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    fuse_reply_open(request, file);
  }
}

void DoClose(fuse_req_t request, fuse_ino_t, fuse_file_info*) { fuse_reply_err(request, 0); }

void DoRead(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, fuse_file_info*) {
  std::string bytes;
  const int error = VolumeOf(request).Read(node, static_cast<uint64_t>(offset), size, &bytes);
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    fuse_reply_buf(request, bytes.data(), bytes.size());
  }
}

void DoWrite(fuse_req_t request, fuse_ino_t node, const char* data, size_t size, off_t offset, fuse_file_info* file) {
  const int error =
      VolumeOf(request).Write(node, static_cast<uint64_t>(offset), absl::string_view(data, size), IsSyncOpen(file));
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    fuse_reply_write(request, size);
  }
}

void DoSync(fuse_req_t request, fuse_ino_t node, int, fuse_file_info*) {
  fuse_reply_err(request, VolumeOf(request).SyncFile(node));
}

void DoSyncDirectory(fuse_req_t request, fuse_ino_t node, int, fuse_file_info*) {
  fuse_reply_err(request, VolumeOf(request).SyncDirectory(node));
}

void DoReadDirectory(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, fuse_file_info*) {
  std::vector<std::pair<std::string, struct stat>> entries;
  const int error = VolumeOf(request).List(node, &entries);
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  std::vector<char> buffer(size);
  size_t used = 0;
  for (size_t i = static_cast<size_t>(offset); i < entries.size(); ++i) {
    const auto& [name, attributes] = entries[i];
    const size_t wanted = fuse_add_direntry(request, buffer.data() + used, size - used, name.c_str(), &attributes,
                                            static_cast<off_t>(i + 1));
    if (wanted > size - used) break;
    used += wanted;
  }
  fuse_reply_buf(request, buffer.data(), used);
}

void DoStatVolume(fuse_req_t request, fuse_ino_t) {
  const VolumeFigures figures = VolumeOf(request).Figures();
  struct statvfs out = {};
  out.f_bsize = out.f_frsize = 4096;
  out.f_blocks = figures.total_bytes / 4096;
  out.f_bfree = out.f_bavail = figures.used_bytes > figures.total_bytes ? 0 : (figures.total_bytes - figures.used_bytes) / 4096;
  out.f_files = out.f_ffree = out.f_favail = 1 << 20;
  out.f_namemax = 255;
  fuse_reply_statfs(request, &out);
}

void DoAllocate(fuse_req_t request, fuse_ino_t node, int mode, off_t offset, off_t length, fuse_file_info*) {
  Volume& volume = VolumeOf(request);
  const uint64_t at = static_cast<uint64_t>(offset);
  const uint64_t size = static_cast<uint64_t>(length);
  switch (mode) {
    case 0: fuse_reply_err(request, volume.Zero(node, at, size, false)); return;
    // Blocks behind the end are no bytes of the file.
    case FALLOC_FL_KEEP_SIZE: fuse_reply_err(request, volume.is_on() ? 0 : EIO); return;
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE: fuse_reply_err(request, volume.Zero(node, at, size, true)); return;
    default: fuse_reply_err(request, EOPNOTSUPP); return;
  }
}

void DoInit(void*, fuse_conn_info* connection) { connection->max_write = 1 << 20; }

fuse_lowlevel_ops Operations() {
  fuse_lowlevel_ops operations = {};
  operations.init = DoInit;
  operations.lookup = DoLookup;
  operations.forget = DoForget;
  operations.forget_multi = DoForgetMany;
  operations.getattr = DoGetAttributes;
  operations.setattr = DoSetAttributes;
  operations.mkdir = DoMakeDirectory;
  operations.unlink = DoUnlink;
  operations.rmdir = DoRemoveDirectory;
  operations.rename = DoRename;
  operations.link = DoLink;
  operations.create = DoCreate;
  operations.open = DoOpen;
  operations.release = DoClose;
  operations.read = DoRead;
  operations.write = DoWrite;
  operations.fsync = DoSync;
  operations.readdir = DoReadDirectory;
  operations.fsyncdir = DoSyncDirectory;
  operations.statfs = DoStatVolume;
  operations.fallocate = DoAllocate;
  return operations;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FuseServer>> FuseServer::Mount(const std::string& mount_point, Volume& volume) {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("/dev/fuse: ", std::strerror(errno), "; load the kernel's fuse module, or give this container the device"));
  }
  std::string program = "lossfs";
  std::string option = "-ofsname=lossfs,subtype=lossfs";
  char* arguments[] = {program.data(), option.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(2, arguments);
  const fuse_lowlevel_ops operations = Operations();
  fuse_session* session = fuse_session_new(&args, &operations, sizeof operations, &volume);
  fuse_opt_free_args(&args);
  if (session == nullptr) return absl::InternalError("libfuse could not make a session");
  if (fuse_session_mount(session, mount_point.c_str()) != 0) {
    const int error = errno;
    fuse_session_destroy(session);
    return absl::FailedPreconditionError(absl::StrCat("cannot mount a FUSE file system at ", mount_point, ": ",
                                                      std::strerror(error), "; this needs root and the right to mount"));
  }
  return std::unique_ptr<FuseServer>(new FuseServer(session, mount_point));
}

FuseServer::FuseServer(fuse_session* session, std::string mount_point)
    : session_(session), mount_point_(std::move(mount_point)) {
  thread_ = std::thread([this] {
    fuse_loop_config* config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(config, 8);
    fuse_session_loop_mt(session_, config);
    fuse_loop_cfg_destroy(config);
  });
}

FuseServer::~FuseServer() {
  fuse_session_exit(session_);
  // Ends the threads' reads, also when programs have files open still.
  ::umount2(mount_point_.c_str(), MNT_DETACH | MNT_FORCE);
  thread_.join();
  fuse_session_unmount(session_);
  fuse_session_destroy(session_);
}

}  // namespace strata::lossfs
