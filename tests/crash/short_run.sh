#!/bin/sh
# A new seed each time: the log says which.
exec tests/crash/crash_oracle --seconds=50 --store=services/store/strata-store \
  --stopping-store=services/store/strata-store-stopping --lossfs=tests/crash/lossfs/lossfs "$@"
