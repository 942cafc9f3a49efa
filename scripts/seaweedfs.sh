#!/usr/bin/env bash
# A SeaweedFS server with an S3 endpoint on loopback, for tests. It accepts any credentials.
#
#   scripts/seaweedfs.sh start DIR           starts one with its data, log and process id in DIR, waits until it
#                                            can be written to, and prints its endpoint
#   scripts/seaweedfs.sh check-empty DIR BUCKET
#                                            fails and lists the keys if anything is left in the bucket
#   scripts/seaweedfs.sh stop DIR            stops it; DIR keeps the data and the log
#   scripts/seaweedfs.sh wait S3_PORT MASTER_PORT
#                                            waits for one that something else has started on loopback
#
# Ports are picked among the free ones, so several can run side by side. A bucket takes several of its 100
# volumes: use one bucket and many prefixes.
set -euo pipefail

readonly START_SECONDS=90
# Its own orderly stop takes a quarter of a minute, and nobody needs the data.
readonly STOP_SECONDS=3

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

fail() {
    echo "seaweedfs.sh: $*" >&2
    exit 1
}

# Four ports that are free, and free 10000 higher as well, where SeaweedFS expects gRPC. All lie below the
# range from which systems take the ports of outgoing connections.
free_ports() {
    python3 - <<'PYTHON'
import random, socket

def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

found = []
for port in random.sample(range(12000, 22000), 2000):
    if is_free(port) and is_free(port + 10000):
        found.append(port)
        if len(found) == 4:
            print(*found)
            break
else:
    raise SystemExit("no free ports")
PYTHON
}

# The process of DIR, if it runs. Numbers are used again: the process must be the one that serves DIR.
running_pid() {
    local pid
    pid=$(cat -- "$dir/pid" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    ps -ww -o args= -p "$pid" 2>/dev/null | grep -qF -- "-dir=$dir/data " || return 1
    echo "$pid"
}

# True once the S3 port answers and the master knows the volume server: before that, PUTs fail.
is_ready() {
    python3 - "$1" "$2" <<'PYTHON'
import json, sys, urllib.request

# No proxy stands before loopback.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    opener.open(f"http://127.0.0.1:{sys.argv[1]}/", timeout=2).read()
    topology = json.load(opener.open(f"http://127.0.0.1:{sys.argv[2]}/dir/status", timeout=2))["Topology"]
except (OSError, ValueError, KeyError):
    raise SystemExit(1)
raise SystemExit(0 if topology.get("Free", 0) > 0 else 1)
PYTHON
}

# Starts a server on ports of its own. Fails if it ends by itself or is not ready in time.
launch() {
    local weed=$1 ports master volume filer s3 pid deadline
    ports=$(free_ports) || return 1
    read -r master volume filer s3 <<<"$ports"
    # Credentials in its environment would become the only ones that it accepts.
    env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY nohup "$weed" server \
        -dir="$dir/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
        -master.port="$master" -master.port.grpc=$((master + 10000)) \
        -master.volumeSizeLimitMB=64 -master.telemetry=false \
        -volume.port="$volume" -volume.port.grpc=$((volume + 10000)) \
        -volume.max=100 -volume.preStopSeconds=1 \
        -filer -filer.port="$filer" -filer.port.grpc=$((filer + 10000)) \
        -filer.localSocket="$dir/filer.sock" \
        -s3 -s3.port="$s3" -s3.port.grpc=$((s3 + 10000)) \
        -s3.port.iceberg=0 -s3.port.lance=0 -s3.localSocket="$dir/s3.sock" \
        </dev/null >"$dir/weed.log" 2>&1 &
    pid=$!
    echo "$pid" >"$dir/pid"
    echo "http://127.0.0.1:$s3" >"$dir/endpoint"
    echo "$ports" >"$dir/ports"
    deadline=$((SECONDS + START_SECONDS))
    until is_ready "$s3" "$master"; do
        kill -0 "$pid" 2>/dev/null || return 1
        ((SECONDS < deadline)) || return 1
        sleep 0.5
    done
}

start() {
    local weed attempt
    if running_pid >/dev/null; then
        fail "one runs in $dir already, at $(cat -- "$dir/endpoint"): stop it first"
    fi
    weed=$(bash "$here/tools.sh")/weed
    mkdir -p "$dir/data"
    # Someone else may take a port between the look and the start.
    for attempt in 1 2 3; do
        if launch "$weed"; then
            cat -- "$dir/endpoint"
            return
        fi
        tail -n 20 -- "$dir/weed.log" >&2
        echo "seaweedfs.sh: attempt $attempt failed, its log is above" >&2
        stop
        rm -rf -- "$dir/data"
        mkdir -p "$dir/data"
    done
    fail "SeaweedFS does not start in $dir"
}

stop() {
    local pid port deadline
    if pid=$(running_pid); then
        kill "$pid" 2>/dev/null || true
        deadline=$((SECONDS + STOP_SECONDS))
        while running_pid >/dev/null; do
            if ((SECONDS >= deadline)); then
                kill -KILL "$pid" 2>/dev/null || true
            fi
            sleep 0.2
        done
    fi
    # These sockets it always puts there, and leaves there.
    for port in $(cat -- "$dir/ports" 2>/dev/null || true); do
        rm -f -- /tmp/seaweedfs-{master,volume,filer,s3}-grpc-$((port + 10000)).sock
    done
    rm -f -- "$dir/pid" "$dir/endpoint" "$dir/ports" "$dir/filer.sock" "$dir/s3.sock"
}

check_empty() {
    local bucket=$1
    running_pid >/dev/null || fail "nothing runs in $dir"
    python3 - "$(cat -- "$dir/endpoint")" "$bucket" <<'PYTHON'
import sys, urllib.error, urllib.request
import xml.etree.ElementTree as xml

endpoint, bucket = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    answer = opener.open(f"{endpoint}/{bucket}?list-type=2", timeout=30).read()
except urllib.error.HTTPError as error:
    raise SystemExit(f"bucket {bucket} cannot be listed: {error}")
keys = [element.text for element in xml.fromstring(answer).iter() if element.tag.rpartition("}")[2] == "Key"]
if keys:
    raise SystemExit("\n".join([f"bucket {bucket} should be empty, but holds at least {len(keys)} keys:"] + keys))
print(f"bucket {bucket} is empty")
PYTHON
}

wait_for() {
    local deadline=$((SECONDS + START_SECONDS))
    until is_ready "$1" "$2"; do
        ((SECONDS < deadline)) || fail "nothing can be written to at ports $1 and $2 after $START_SECONDS s"
        sleep 0.5
    done
}

usage="usage: seaweedfs.sh start DIR | check-empty DIR BUCKET | stop DIR | wait S3_PORT MASTER_PORT"
(($# >= 2)) || fail "$usage"
if [[ $1:$# == wait:3 ]]; then
    wait_for "$2" "$3"
    exit
fi
mkdir -p -- "$2"
dir=$(cd -- "$2" && pwd)
case "$1:$#" in
start:2) start ;;
check-empty:3) check_empty "$3" ;;
stop:2) stop ;;
*) fail "$usage" ;;
esac
