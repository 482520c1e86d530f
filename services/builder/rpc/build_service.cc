#include "services/builder/rpc/build_service.h"

#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"
#include "lib/log/log.h"
#include "lib/rpc/status.h"
#include "services/builder/images/image_transfer.h"
#include "services/builder/rpc/build_stream.h"
#include "services/builder/rpc/client_context.h"
#include "services/builder/rpc/credentials.h"
#include "services/builder/rpc/push_names.h"
#include "services/builder/rpc/stream_progress.h"
#include "services/builder/source/image_source.h"

namespace strata::rpc {

namespace {

constexpr size_t kMaxDockerfileBytes = 16 * 1024 * 1024;
constexpr int kMaxTags = 64;
constexpr int kMaxBuildArgs = 1000;
constexpr int64_t kMaxEpoch = 253'402'300'799;  // 9999-12-31, the last day that dates in image configs can name
constexpr size_t kMaxLoggedBytes = 500;

// Environments and paths end at a NUL; what comes after it would silently be lost.
template <typename Pairs>
absl::Status CheckPairs(const Pairs& pairs, absl::string_view what) {
  for (const auto& pair : pairs) {
    const std::string shown = absl::CHexEscape(pair.name().substr(0, 80));
    if (pair.name().empty()) return absl::InvalidArgumentError(absl::StrCat("a ", what, " has no name; write NAME=VALUE"));
    if (absl::StrContains(pair.name(), '\0') || absl::StrContains(pair.value(), '\0')) {
      return absl::InvalidArgumentError(absl::StrCat(what, " \"", shown, "\" holds a NUL byte, which it cannot; leave it out"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<build::BuildSpec> ToSpec(const builder::v1::BuildStart& start) {
  if (start.dockerfile().size() > kMaxDockerfileBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the Dockerfile is longer than ", kMaxDockerfileBytes, " bytes"));
  }
  if (start.tags_size() > kMaxTags || start.build_args_size() > kMaxBuildArgs || start.labels_size() > kMaxBuildArgs) {
    return absl::InvalidArgumentError("too many tags, build arguments or labels");
  }
  STRATA_RETURN_IF_ERROR(CheckPairs(start.build_args(), "build argument"));
  STRATA_RETURN_IF_ERROR(CheckPairs(start.labels(), "label"));
  if (start.has_source_date_epoch() && (start.source_date_epoch() < 0 || start.source_date_epoch() > kMaxEpoch)) {
    return absl::InvalidArgumentError(
        absl::StrCat("SOURCE_DATE_EPOCH is ", start.source_date_epoch(), "; want seconds since 1970, at most ", kMaxEpoch));
  }
  build::BuildSpec spec;
  spec.dockerfile = start.dockerfile();
  if (!start.dockerfile_name().empty()) spec.dockerfile_name = start.dockerfile_name();
  spec.tags.assign(start.tags().begin(), start.tags().end());
  spec.target = start.target();
  for (const auto& arg : start.build_args()) spec.build_args[arg.name()] = arg.value();
  for (const auto& label : start.labels()) spec.labels[label.name()] = label.value();
  spec.platforms.assign(start.platforms().begin(), start.platforms().end());
  spec.no_cache = start.no_cache();
  spec.has_context = !start.no_context();
  spec.format = start.format() == builder::v1::IMAGE_FORMAT_DOCKER ? exporter::Format::kDocker : exporter::Format::kOci;
  if (start.has_source_date_epoch()) spec.source_date_epoch = absl::FromUnixSeconds(start.source_date_epoch());
  return spec;
}

builder::v1::BuildResponse ToResponse(const build::BuildOutcome& outcome) {
  builder::v1::BuildResponse response;
  auto& result = *response.mutable_result();
  result.set_digest(outcome.image.digest.ToString());
  result.set_media_type(outcome.image.media_type);
  result.set_size_bytes(outcome.image.size_bytes);
  result.set_config_digest(outcome.image.config_digest.ToString());
  for (const std::string& name : outcome.names) result.add_names(name);
  for (const std::string& reference : outcome.pull_references) result.add_pull_references(reference);
  result.set_layers(outcome.image.layers);
  result.set_compressed_bytes(outcome.image.compressed_bytes);
  const int64_t elapsed_ns = absl::ToInt64Nanoseconds(outcome.elapsed);
  result.mutable_elapsed()->set_seconds(elapsed_ns / 1'000'000'000);
  result.mutable_elapsed()->set_nanos(static_cast<int32_t>(elapsed_ns % 1'000'000'000));
  result.set_steps_cached(outcome.steps_cached);
  result.set_steps_run(outcome.steps_run);
  return response;
}

// A stream that is answered at once.
class RefusedStream final : public grpc::ServerBidiReactor<builder::v1::BuildRequest, builder::v1::BuildResponse> {
 public:
  explicit RefusedStream(int limit) {
    Finish(ToGrpc(absl::ResourceExhaustedError(absl::StrCat("this builder is busy with ", limit, " builds; try again later"))));
  }
  void OnDone() override { delete this; }
};

// Hands the client's messages to its context until there are no more.
absl::Status ReadMessages(BuildStream& stream, ClientContext& client) {
  builder::v1::BuildRequest request;
  while (stream.Read(request)) {
    switch (request.part_case()) {
      case builder::v1::BuildRequest::kContextEntries:
        STRATA_RETURN_IF_ERROR(client.OnEntries(request.context_entries()));
        break;
      case builder::v1::BuildRequest::kContextEnd:
        STRATA_RETURN_IF_ERROR(client.OnListingEnd());
        break;
      case builder::v1::BuildRequest::kFileData:
        STRATA_RETURN_IF_ERROR(client.OnFileData(request.file_data()));
        break;
      default:
        return absl::InvalidArgumentError("the client sent a message that does not belong here");
    }
  }
  return absl::OkStatus();
}

}  // namespace

BuildServiceImpl::~BuildServiceImpl() {
  MutexLock lock(mutex_);
  while (running_ > 0) ended_.Wait(mutex_);
}

grpc::ServerBidiReactor<builder::v1::BuildRequest, builder::v1::BuildResponse>* BuildServiceImpl::Build(
    grpc::CallbackServerContext* server_context) {
  {
    MutexLock lock(mutex_);
    if (running_ >= parts_.max_streams) return new RefusedStream(parts_.max_streams);
    ++running_;
  }
  auto* stream = new BuildStream(*server_context, parts_.stream);
  // The thread owns the stream: gRPC lets go of it first, since the thread waits for that.
  std::thread([this, stream] {
    Serve(*stream);
    stream->WaitUntilDone();
    delete stream;
    MutexLock lock(mutex_);
    --running_;
    ended_.SignalAll();
  }).detach();
  return stream;
}

void BuildServiceImpl::Serve(BuildStream& stream) {
  builder::v1::BuildRequest request;
  if (!stream.Read(request, parts_.stream.start_limit) || !request.has_start()) {
    stream.End(ToGrpc(absl::InvalidArgumentError("the first message of a build must be its start")));
    return;
  }
  const std::string tags = absl::StrJoin(request.start().tags(), ",").substr(0, kMaxLoggedBytes);
  log::Info("build started", {{"tags", tags}, {"target", request.start().target().substr(0, kMaxLoggedBytes)}});
  const absl::Time start = parts_.clock.Now();
  const auto outcome = RunBuild(request.start(), stream);
  const absl::Duration elapsed = parts_.clock.Now() - start;
  if (outcome.ok()) {
    log::Info("build done", {{"tags", tags}, {"digest", outcome->image.digest.ToString()}, {"elapsed", elapsed},
                             {"cached", outcome->steps_cached}, {"run", outcome->steps_run}});
  } else {
    log::Info("build failed", {{"tags", tags}, {"error", outcome.status()}, {"elapsed", elapsed}});
  }
  if (const absl::Status trimmed = parts_.files.Trim(); !trimmed.ok()) log::Warning("trimming the context cache", {{"error", trimmed}});
}

// Ends the stream when the build ended, and returns when the reader did.
absl::StatusOr<build::BuildOutcome> BuildServiceImpl::RunBuild(const builder::v1::BuildStart& start, BuildStream& stream) {
  StreamProgress progress(stream, parts_.clock);
  ClientContext client(stream, parts_.files, progress);
  CallContext context;
  context.cancellation = &stream.cancellation();

  absl::Status reading;
  std::thread reader([&] {
    reading = ReadMessages(stream, client);
    client.OnStreamEnd(reading);
    // What a client sends wrong ends its build. One that merely has nothing more to send waits for the result.
    if (!reading.ok()) stream.cancellation().Cancel();
  });
  absl::StatusOr<build::BuildOutcome> outcome = [&]() -> absl::StatusOr<build::BuildOutcome> {
    STRATA_ASSIGN_OR_RETURN(const build::BuildSpec spec, ToSpec(start));
    std::vector<std::string> to_push;
    if (start.push()) {
      STRATA_ASSIGN_OR_RETURN(to_push, NamesToPush(spec.tags, parts_.own_hosts));
    }
    distribution::RegistryClient registry(
        parts_.http, {.insecure_hosts = parts_.insecure_hosts, .credentials = ToCredentialSource(start.credentials())});
    source::ImageSource images(parts_.blobs, parts_.refs, parts_.puller, registry,
                               {.own_hosts = parts_.own_hosts, .default_registry = parts_.default_registry, .pull = start.pull()},
                               progress);
    STRATA_ASSIGN_OR_RETURN(build::BuildOutcome built, parts_.builder.Build(context, spec, images, client, progress));
    images::ImageCatalog catalog(parts_.blobs, parts_.refs, parts_.own_hosts, parts_.default_registry);
    images::ImageTransfer transfer(parts_.blobs, parts_.refs, catalog, parts_.puller, parts_.own_hosts, parts_.default_registry);
    STRATA_RETURN_IF_ERROR(PushNames(context, transfer, registry, to_push, progress));
    STRATA_RETURN_IF_ERROR(stream.Write(ToResponse(built)));
    return built;
  }();
  // What the client did wrong, when it did, is why the build was cancelled, and says more.
  if (absl::IsCancelled(outcome.status()) && !client.failure().ok()) outcome = client.failure();
  stream.End(ToGrpc(outcome.status()));
  reader.join();
  return outcome;
}

}  // namespace strata::rpc
