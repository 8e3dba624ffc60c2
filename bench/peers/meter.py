"""The CPU that a peer, the servers beside it and everybody else used, for any stretch of time, from /proc."""
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

FOREIGN_MAX = 0.15  # of the machine; a row beside which others took more says little
CORES = sorted(os.sched_getaffinity(0))
TICKS = os.sysconf("SC_CLK_TCK")


class Meter(threading.Thread):
    """Samples the CPU seconds of the whole machine and of the servers `beside`, by process id."""

    def __init__(self):
        super().__init__(daemon=True)
        self.beside = []
        self.samples = []  # time.monotonic, machine, servers
        self.start()

    def run(self):
        while True:
            self.samples.append((time.monotonic(), machine_cpu(), sum(map(server_cpu, self.beside))))
            time.sleep(0.05)

    def cpu(self, begin, end):
        """CPU seconds from `begin` to `end` (time.monotonic) of the machine without the servers, and of the servers."""
        while self.samples[-1][0] < end:
            time.sleep(0.05)
        (machine_then, servers_then), (machine, servers) = self.at(begin), self.at(end)
        return machine - machine_then - (servers - servers_then), servers - servers_then

    def at(self, when):
        before = max((s for s in self.samples if s[0] <= when), default=self.samples[0])
        after = next((s for s in self.samples if s[0] >= when), self.samples[-1])
        if after[0] == before[0]:
            return before[1:]
        share = (when - before[0]) / (after[0] - before[0])
        return [a + (b - a) * share for a, b in zip(before[1:], after[1:])]

    def row(self, result, **more):
        """A peer's line of JSON as a row of a table."""
        begin, seconds, millions = result["begin"], result["seconds"], result["records"] / 1e6
        machine, servers = self.cpu(begin, begin + seconds)
        return {**more, "records": result["records"], "seconds": round(seconds, 3), "records_per_s": round(result["records"] / seconds),
                "cpu_s_per_million": round(result["cpu_seconds"] / millions, 3), "servers_cpu_s_per_million": round(servers / millions, 3),
                "peak_mib": result["peak_mib"], "foreign": round(max(0, machine - result["cpu_seconds"]) / (seconds * len(CORES)), 3)}


def machine_cpu():
    """Busy seconds of all cores, those that a hypervisor took among them."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, pathlib.Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def server_cpu(pid):
    """Of a process and its children, those that have ended among them."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15])) / TICKS + sum(map(server_cpu, children))


def listener(port):
    """The process that listens on a port of this machine; none when it is another machine's."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    found = []
    for link in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) in inodes:
                found.append(int(link.parts[2]))
        except OSError:
            pass
    return min(found, default=None)


def on_core(core, *command):
    return ["taskset", "-c", str(core), *map(str, command)]


def results(program, command):
    """The lines of JSON that a peer prints."""
    run = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=1800)
    if run.returncode != 0:
        sys.exit(f"{program}: {' '.join(map(str, command))} failed:\n{run.stdout[-1000:]}{run.stderr[-2000:]}")
    return [json.loads(found) for found in re.findall(r"\{.*\}", run.stdout)]
