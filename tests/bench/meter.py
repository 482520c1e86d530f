"""What a program and everything it starts cost: CPU seconds and peak memory, read from /proc.

A program under test runs below a keeper: a small process that is the reaper of every orphan under it, so that daemons which detach
(containerd's shims) stay in the tree. CPU is user plus system time of all processes in the tree, with that of those that have ended;
memory is the largest sum of resident sizes seen, sampled while a measurement runs (shared pages count once a process).
"""

import ctypes
import os
import signal
import threading
import time
from pathlib import Path

SAMPLE_SECONDS = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Kept:
    """A running program and its descendants. `pid` is the keeper's."""

    def __init__(self, command, log_path, env=None, cwd=None):
        self.command = [str(part) for part in command]
        self.log_path = Path(log_path)
        self.exit_code = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._keep(env or {}, cwd)
            finally:
                os._exit(127)

    def _keep(self, env, cwd):
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        os.setsid()
        child = os.fork()
        if child == 0:
            log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            if cwd:
                os.chdir(cwd)
            try:
                os.execvpe(self.command[0], self.command, {**os.environ, **env})
            except OSError as error:
                os.write(2, f"{self.command[0]}: {error.strerror}\n".encode())
                os._exit(127)
        signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            pid, status = os.wait()
            if pid == child:
                os._exit(os.waitstatus_to_exitcode(status) & 0xFF)

    def has_ended(self):
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code is not None

    def stop(self, patience_seconds=20):
        """SIGTERM to the program; SIGKILL to the whole tree when that does not help."""
        if self.has_ended():
            return
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + patience_seconds
        while not self.has_ended():
            if time.monotonic() > deadline:
                for pid in tree(self.pid):
                    _kill(pid)
                os.waitpid(self.pid, 0)
                self.exit_code = -signal.SIGKILL
                return
            time.sleep(0.02)

    def log_tail(self, lines=20):
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _stat(pid):
    """(parent, CPU ticks with those of ended children, resident bytes), or None when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2:].split()
    return int(fields[1]), sum(int(fields[i]) for i in (11, 12, 13, 14)), int(fields[21]) * _PAGE


def _all_stats():
    stats = {int(name): _stat(name) for name in os.listdir("/proc") if name.isdigit()}
    return {pid: stat for pid, stat in stats.items() if stat}


def tree(root, stats=None):
    """The process and all below it."""
    stats = stats or _all_stats()
    children = {}
    for pid, stat in stats.items():
        children.setdefault(stat[0], []).append(pid)
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        if pid in stats:
            found.append(pid)
            waiting += children.get(pid, [])
    return found


def _totals(roots):
    stats = _all_stats()
    members = [stats[pid] for root in roots for pid in tree(root, stats)]
    return sum(m[1] for m in members) / _TICKS, sum(m[2] for m in members)


class Meter:
    """`with Meter(kept...) as m:` then m.seconds, m.cpu_seconds, m.peak_bytes."""

    def __init__(self, *kept):
        self._roots = [k.pid for k in kept]
        self.peak_bytes = 0
        self._done = threading.Event()

    def __enter__(self):
        self._cpu_before, self.peak_bytes = _totals(self._roots)
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        self._started = time.monotonic()
        return self

    def _sample(self):
        # The clients' roots may not exist yet or no more; what counts is what is seen.
        while not self._done.wait(SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, _totals(self._roots)[1])

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self._started
        self._done.set()
        self._sampler.join()
        cpu, resident = _totals(self._roots)
        self.cpu_seconds = cpu - self._cpu_before
        self.peak_bytes = max(self.peak_bytes, resident)


def run_metered(command, servers, log_path, env=None, cwd=None, timeout=1800):
    """Runs a client to its end while `servers` work for it; (Meter of servers and client, exit code)."""
    with Meter(*servers) as meter:
        client = Kept(command, log_path, env=env, cwd=cwd)
        meter._roots.append(client.pid)
        deadline = time.monotonic() + timeout
        # Not reaped until its CPU time was read: a zombie keeper still has its children's.
        while os.waitid(os.P_PID, client.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > deadline:
                client.stop(0)
                raise TimeoutError(f"{' '.join(map(str, command))}: not done after {timeout} s")
            time.sleep(0.002)
    client.has_ended()
    return meter, client.exit_code
