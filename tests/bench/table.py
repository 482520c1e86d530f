"""Collects measurements and prints them: medians, and every peer against Strata."""

import statistics
from dataclasses import dataclass, field

MIB = 1 << 20


@dataclass
class Row:
    work: str
    peer: str
    unit: str
    seconds: list = field(default_factory=list)
    rates: list = field(default_factory=list)
    cpu_seconds: list = field(default_factory=list)
    peak_bytes: list = field(default_factory=list)

    def speed(self):
        """Larger is faster, comparable between peers of the same work."""
        return statistics.median(self.rates) if self.rates else 1 / statistics.median(self.seconds)


class Table:
    def __init__(self, progress):
        self._progress = progress
        self._titles = []
        self._rows = {}

    def title(self, text):
        self._titles.append(text)
        self._progress(f"== {text}")

    def add(self, work, peer, meter, amount, unit):
        row = self._rows.setdefault((len(self._titles), work, peer), Row(work, peer, unit))
        row.seconds.append(meter.seconds)
        if amount is not None:
            row.rates.append(amount / meter.seconds)
        row.cpu_seconds.append(meter.cpu_seconds)
        row.peak_bytes.append(meter.peak_bytes)
        rate = f", {row.rates[-1]:,.0f} {unit}" if amount is not None else ""
        self._progress(f"   {work}: {peer}: {meter.seconds:.2f} s{rate}")

    def as_json(self):
        return [{"title": self._titles[number - 1], "work": row.work, "peer": row.peer, "seconds": row.seconds,
                 "rates": row.rates, "unit": row.unit, "cpu_seconds": row.cpu_seconds, "peak_bytes": row.peak_bytes}
                for (number, _, _), row in self._rows.items()]

    def render(self):
        lines = []
        for number, title in enumerate(self._titles, 1):
            lines += ["", title, "", "| work | program | median s | spread s | rate | Strata is | CPU s | peak MiB |",
                      "|---|---|---:|---:|---:|---:|---:|---:|"]
            rows = [row for (n, _, _), row in self._rows.items() if n == number]
            strata = {row.work: row for row in rows if row.peer == "strata"}
            for row in rows:
                lines.append(self._line(row, strata.get(row.work)))
        lines += ["", "CPU s: user and system time of the servers (builds: and of the client), children included. peak MiB: largest sum of",
                  "resident sizes. Medians of the rounds; \"Strata is\" compares medians of the same run."]
        return "\n".join(lines[1:])

    @staticmethod
    def _line(row, strata):
        median = statistics.median
        ratio = "" if strata is None or strata is row else f"{strata.speed() / row.speed():.2f}x as fast"
        rate = f"{median(row.rates):,.0f} {row.unit}" if row.rates else ""
        return (f"| {row.work} | {row.peer} | {median(row.seconds):.2f} | {min(row.seconds):.2f}-{max(row.seconds):.2f} | {rate} | {ratio} "
                f"| {median(row.cpu_seconds):.2f} | {median(row.peak_bytes) / MIB:,.0f} |")
