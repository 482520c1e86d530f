#include "services/registry/request_observer.h"

#include <string>

#include "lib/testing/status_matchers.h"

namespace strata::registry {
namespace {

using ::testing::HasSubstr;

RequestRecord Record(int http_status, absl::Status outcome = absl::OkStatus()) {
  RequestRecord record;
  record.method = "GET";
  record.path = "/v2/team/app/blobs/x";
  record.endpoint = Endpoint::kBlob;
  record.http_status = http_status;
  record.response_bytes = 1000;
  record.duration = absl::Milliseconds(3);
  record.request_id = "r-1";
  record.outcome = std::move(outcome);
  return record;
}

TEST(RequestObserverTest, CountsByEndpointAndStatus) {
  metrics::Registry metrics;
  RequestObserver observer(metrics);
  observer.Observe(Record(200));
  observer.Observe(Record(206));
  observer.Observe(Record(404, absl::NotFoundError("no such blob")));
  RequestRecord nowhere = Record(404, absl::NotFoundError("nothing there"));
  nowhere.endpoint.reset();
  observer.Observe(nowhere);
  observer.Observe(Record(999));
  const std::string text = metrics.Render();
  EXPECT_THAT(text, HasSubstr("strata_registry_requests_total{endpoint=\"blob\",status=\"2xx\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("strata_registry_requests_total{endpoint=\"blob\",status=\"4xx\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("strata_registry_requests_total{endpoint=\"blob\",status=\"other\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("strata_registry_requests_total{endpoint=\"none\",status=\"4xx\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("strata_registry_sent_bytes_total 5000\n"));
  EXPECT_THAT(text, HasSubstr("strata_registry_request_seconds_count{endpoint=\"blob\"} 4\n"));
}

TEST(RequestObserverTest, CountsDamagedContentAndLogsIt) {
  metrics::Registry metrics;
  RequestObserver observer(metrics);
  ::testing::internal::CaptureStderr();
  observer.Observe(Record(200, absl::DataLossError("block 7 does not match its checksum")));
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(metrics.Render(), HasSubstr("strata_registry_damaged_content_total 1\n"));
  EXPECT_THAT(line, HasSubstr("level=error"));
  EXPECT_THAT(line, HasSubstr("block 7"));
}

TEST(RequestObserverTest, LogsOneLineARequest) {
  metrics::Registry metrics;
  RequestObserver observer(metrics);
  ::testing::internal::CaptureStderr();
  observer.Observe(Record(200));
  const std::string line = ::testing::internal::GetCapturedStderr();
  for (const char* part : {"level=info", "method=GET", "path=/v2/team/app/blobs/x", "status=200", "bytes=1000", "request_id=r-1"}) {
    EXPECT_THAT(line, HasSubstr(part));
  }
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

}  // namespace
}  // namespace strata::registry
