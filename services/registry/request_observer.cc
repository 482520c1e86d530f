#include "services/registry/request_observer.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "lib/log/log.h"

namespace strata::registry {
namespace {

std::string StatusClassName(size_t status_class) {
  return status_class == 0 ? "other" : absl::StrCat(status_class, "xx");
}

}  // namespace

RequestObserver::RequestObserver(metrics::Registry& metrics)
    : bytes_sent_(metrics.AddCounter("strata_registry_sent_bytes_total", "Content bytes sent to clients.")),
      damaged_(metrics.AddCounter("strata_registry_damaged_content_total",
                                  "Requests that met stored bytes which do not match their digest.")) {
  for (size_t i = 0; i < endpoints_.size(); ++i) {
    const std::string name(i < kEndpoints ? EndpointName(static_cast<Endpoint>(i)) : "none");
    for (size_t status_class = 0; status_class < kStatusClasses; ++status_class) {
      endpoints_[i].requests[status_class] =
          &metrics.AddCounter("strata_registry_requests_total", "Requests answered.",
                              {{"endpoint", name}, {"status", StatusClassName(status_class)}});
    }
    endpoints_[i].seconds = &metrics.AddHistogram("strata_registry_request_seconds",
                                                  "From the request's head to the end of the answer.", {{"endpoint", name}});
  }
}

void RequestObserver::Observe(const RequestRecord& record) {
  const PerEndpoint& endpoint = endpoints_[record.endpoint ? static_cast<size_t>(*record.endpoint) : kEndpoints];
  const int status_class = record.http_status / 100;
  endpoint.requests[status_class < static_cast<int>(kStatusClasses) ? status_class : 0]->Add();
  endpoint.seconds->Observe(record.duration);
  bytes_sent_.Add(record.response_bytes);

  const bool is_damaged = absl::IsDataLoss(record.outcome);
  if (is_damaged) damaged_.Add();
  const auto write = is_damaged || status_class == 5 ? log::Error : log::Info;
  if (record.outcome.ok()) {
    write("request", {{"method", record.method},
                      {"path", record.path},
                      {"status", record.http_status},
                      {"bytes", record.response_bytes},
                      {"duration", record.duration},
                      {"request_id", record.request_id},
                      {"peer", record.peer},
                      {"principal", record.principal},
                      {"user_agent", record.user_agent},
                      {"mirror", record.mirror.empty() ? "-" : record.mirror}});
    return;
  }
  write("request", {{"method", record.method},
                    {"path", record.path},
                    {"status", record.http_status},
                    {"bytes", record.response_bytes},
                    {"duration", record.duration},
                    {"request_id", record.request_id},
                    {"peer", record.peer},
                    {"principal", record.principal},
                    {"user_agent", record.user_agent},
                    {"mirror", record.mirror.empty() ? "-" : record.mirror},
                    {"error", absl::StrCat(absl::StatusCodeToString(record.outcome.code()), ": ", record.outcome.message())}});
}

}  // namespace strata::registry
