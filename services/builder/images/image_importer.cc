#include "services/builder/images/image_importer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/compress/decompressing_source.h"
#include "lib/oci/image_config.h"
#include "lib/tar/reader.h"
#include "services/builder/exporter/image_exporter.h"
#include "services/builder/frontend/changes.h"
#include "services/builder/images/layer_upload.h"

namespace strata::images {

namespace {

constexpr char kDefaultMessage[] = "Imported from a root file system archive";

// What is read of `inner` goes to `copy` too.
class TeeSource final : public ByteSource {
 public:
  TeeSource(ByteSource& inner, ByteSink& copy) : inner_(inner), copy_(copy) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    STRATA_ASSIGN_OR_RETURN(const size_t n, inner_.Read(buffer, size));
    if (n > 0) STRATA_RETURN_IF_ERROR(copy_.Write(absl::string_view(buffer, n)));
    return n;
  }

 private:
  ByteSource& inner_;
  ByteSink& copy_;
};

// Passes the plain tar of `content` on, reading it as a tar on the way.
absl::Status CopyTar(ByteSource& content, ByteSink& out) {
  STRATA_ASSIGN_OR_RETURN(const auto plain, compress::DecompressingSource::Open(content));
  TeeSource tee(*plain, out);
  tar::Reader reader(tee);
  bool has_entries = false;
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<tar::Entry> entry, reader.Next());
    if (!entry) break;
    has_entries = true;
  }
  if (!has_entries) return absl::InvalidArgumentError("it is empty; send a tar of a root file system");
  return reader.DrainSource();
}

absl::StatusOr<oci::ImageConfig> MakeConfig(const ImportSpec& spec) {
  oci::ImageConfig config;
  config.platform = oci::Platform::Host();
  if (!spec.platform.empty()) {
    STRATA_ASSIGN_OR_RETURN(config.platform, oci::Platform::Parse(spec.platform));
  }
  STRATA_RETURN_IF_ERROR(frontend::ApplyChanges(config, spec.changes));
  oci::HistoryEntry entry;
  entry.comment = spec.message.empty() ? kDefaultMessage : spec.message;
  config.history.push_back(std::move(entry));
  return config;
}

}  // namespace

absl::StatusOr<ImportedImage> ImageImporter::Import(const CallContext& context, const ImportSpec& spec, ByteSource& content) {
  if (spec.name.empty()) return absl::InvalidArgumentError("an imported image needs a name; write: strata import FILE NAME[:TAG]");
  STRATA_ASSIGN_OR_RETURN(const oci::Reference reference, oci::Reference::Parse(spec.name));
  if (reference.digest) return absl::InvalidArgumentError(absl::StrCat("\"", spec.name, "\": a name must not have a digest"));
  exporter::ImageContent image;
  STRATA_ASSIGN_OR_RETURN(image.config, MakeConfig(spec));

  auto layer = UploadLayer(context, blobs_, layer_, [&](ByteSink& tar) { return CopyTar(content, tar); });
  if (!layer.ok()) return Annotate(layer.status(), absl::StrCat("importing the archive for ", spec.name));
  layer->created = clock_.Now();
  image.layers = {*layer};

  ImportedImage imported;
  imported.name = {catalog_.RepositoryOf(reference), reference.TagOrLatest(), {}};
  imported.size_bytes = layer->size_bytes;
  exporter::ImageExporter exporter(blobs_, refs_);
  STRATA_ASSIGN_OR_RETURN(const exporter::ExportedImage exported,
                          exporter.Export(context, {image}, {{imported.name.repository, imported.name.tag}}, {}));
  imported.name.digest = exported.digest;
  imported.config = exported.config_digest;
  return imported;
}

}  // namespace strata::images
