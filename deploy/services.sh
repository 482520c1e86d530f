# What deploy/up and deploy/down share: where things lie, and how a service of ours is started, recognised and stopped. Sourced by bash.
#
# $home/bin/PROGRAM     the programs that run: copies, so that building does not change them under a running process
# $home/run/NAME.pid    its process;  NAME.command: what it was started with
# $home/log/NAME.log    what it says
# $home/store           the truth: images and the build cache;   $home/builder: caches only
# The sourcing script sets $program, the name that its messages begin with.
# shellcheck shell=bash disable=SC2154

home=${STRATA_HOME:-/var/lib/strata}
ready_seconds=${STRATA_READY_SECONDS:-60}   # opening a large store after a crash takes a while
stop_seconds=45                             # a service lets running calls go on for 30 s

say() { echo "$*"; }
die() { echo "$program: $*" >&2; exit 1; }

need_root() { [[ $(id -u) -eq 0 ]] || die "must run as root (it mounts file systems and starts daemons): sudo $program $*"; }

# Makes the data folder absolute and checks that it is one that may be ours.
settle_home() {
  [[ -n $home ]] || die "STRATA_HOME is empty; name a folder, or unset it for /var/lib/strata"
  home=$(realpath -m -- "$home")
  [[ $home != / ]] || die "the data folder cannot be /; set STRATA_HOME to a folder of its own"
}

# One deploy/up or deploy/down at a time. Whatever may leave a daemon behind (bazel, for one) is called with 9>&-, or the daemon would
# keep the lock.
lock_home() {
  mkdir -p "$home/run"
  exec 9>"$home/run/lock"
  flock --nonblock 9 || { say "Waiting for another deploy/up or deploy/down on $home ..."; flock 9; }
}

# Prints the pid of a running service; fails when it does not run. A pid that was reused by another program does not count.
pid_of() {
  local name=$1 pid exe
  pid=$(cat "$home/run/$name.pid" 2>/dev/null) || return 1
  [[ $pid =~ ^[0-9]+$ ]] || return 1
  exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1   # a zombie has none
  exe=${exe% (deleted)}
  [[ ${exe##*/} == "$(program_of "$name")" ]] || return 1
  echo "$pid"
}

# Whether the last started process of a service is there; true also in the instant before it becomes the service's program.
is_alive() { readlink "/proc/$(cat "$home/run/$1.pid")/exe" >/dev/null 2>&1; }

# Whether the file that a process runs was replaced since.
runs_old_program() { [[ $(readlink "/proc/$1/exe") == *" (deleted)" ]]; }

program_of() { case $1 in dockerd) echo dockerd ;; *) echo "strata-$1" ;; esac; }

is_ready() { curl -fsS --noproxy '*' --max-time 2 -o /dev/null "http://$1/readyz" 2>/dev/null; }

# The program that listens on a TCP port of this machine, for people; empty when it cannot be told.
port_holder() { ss -H -ltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (pid \2)/p' | head -n 1; }

port_is_taken() { [[ -n $(ss -H -ltn "sport = :$1") ]]; }

# start NAME COMMAND...: in a session of its own, so that it outlives the terminal.
start() {
  local name=$1 log="$home/log/$1.log"
  shift
  mkdir -p "$home/run" "$home/log"
  if [[ -f $log && $(stat -c %s "$log") -gt $((64 << 20)) ]]; then mv -f "$log" "$log.1"; fi
  (
    cd /
    ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
    exec setsid "$@" </dev/null >>"$log" 2>&1 9>&-
  ) &
  echo $! >"$home/run/$name.pid"
  printf '%s\n' "$@" >"$home/run/$name.command"
  disown
}

# wait_ready NAME ADMIN_ADDRESS: until /readyz answers 200.
wait_ready() {
  local name=$1 admin=$2 deadline=$((SECONDS + ready_seconds))
  until is_ready "$admin"; do
    if ! is_alive "$name"; then
      explain "$name"
      die "$name ended while it was starting; its last log lines are above, all of them in $home/log/$name.log"
    fi
    if ((SECONDS >= deadline)); then
      explain "$name"
      die "$name is not ready after $ready_seconds s (http://$admin/readyz: $(curl -sS --noproxy '*' --max-time 2 "http://$admin/readyz" 2>&1 | head -c 300)); see $home/log/$name.log"
    fi
    sleep 0.1
  done
}

explain() { tail -n 15 "$home/log/$1.log" 2>/dev/null | sed 's/^/    /' >&2; }

# stop NAME: SIGTERM, then patience, then SIGKILL. Says what it did.
stop() {
  local name=$1 pid started=$SECONDS
  if ! pid=$(pid_of "$name"); then
    rm -f "$home/run/$name.pid" "$home/run/$name.command"
    return 1
  fi
  kill -TERM "$pid"
  while pid_of "$name" >/dev/null; do
    if ((SECONDS - started > stop_seconds)); then
      say "$name (pid $pid) did not stop within $stop_seconds s: killed; see $home/log/$name.log"
      kill -KILL "$pid" 2>/dev/null || true
      break
    fi
    sleep 0.1
  done
  rm -f "$home/run/$name.pid" "$home/run/$name.command"
  say "stopped $name (pid $pid)"
}
