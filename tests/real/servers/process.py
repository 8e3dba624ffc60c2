"""One process of a server: started in a session of its own, ended by its group, whatever happens to the tests."""
import atexit
import contextlib
import ctypes
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from millrace import ROOT, wait_until

INSTALLED = ROOT / ".deps" / "real"
HOST = "127.0.0.1"
START_S = 180
STOP_S = 60
_libc = ctypes.CDLL(None)
_living = set()
_folders = set()
_given_ports = set()


def die_with_parent():
    """In the child: SIGKILL when the thread that started it is gone, so that a killed test run leaves nothing behind."""
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def free_port():
    """Below the range of outgoing connections, so that it is still free after a stop."""
    while True:
        port = random.SystemRandom().randrange(15000, 31000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                if port not in _given_ports:
                    _given_ports.add(port)
                    return port


def accepts(host, port):
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def new_folder(name, user=None):
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"millrace-real-{name}-"))
    folder.chmod(0o755)
    if user:
        shutil.chown(folder, user, user)
    _folders.add(folder)
    return folder


def remove_folder(folder):
    if not os.environ.get("KEEP"):  # to look at the logs afterwards
        shutil.rmtree(folder, ignore_errors=True)
    _folders.discard(folder)


def java():
    """Version 17: all of the servers run on it, and Cassandra on no newer one."""
    found = sorted(pathlib.Path("/usr/lib/jvm").glob("java-17-openjdk-*/bin/java"))
    return [str(found[0] if found else "java"), "-XX:TieredStopAtLevel=1", "-XX:+PerfDisableSharedMem", "-Djava.awt.headless=true"]


class Process:
    def __init__(self, name, folder, argv, env=None, user=None, stop_signal=signal.SIGTERM):
        self.name, self.argv, self.env, self.user, self.stop_signal = name, [str(arg) for arg in argv], env or {}, user, stop_signal
        self.log_file = folder / f"{name}.log"
        self.child = None

    def start(self, answers):
        """Returns when `answers()` is true; AssertionError with the end of the log when the process ends instead."""
        assert not self.alive(), f"{self.name} runs already"
        assert threading.current_thread() is threading.main_thread(), "another thread would take the server with it (die_with_parent)"
        as_user = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        with open(self.log_file, "ab") as log:
            self.child = subprocess.Popen(self.argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True,
                                          env={**os.environ, **self.env}, preexec_fn=die_with_parent, **as_user)
        _living.add(self)
        try:
            wait_until(lambda: self.must_live() and answers(), f"{self.name} answers", START_S)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def must_live(self):
        assert self.alive(), f"{self.name} ended with {self.child.returncode}"
        return True

    def signal(self, number):
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, number)

    def stop(self):
        """As an operator does; a process that does not end in a minute is killed."""
        self.signal(signal.SIGCONT)
        self.signal(self.stop_signal)
        if self.child:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(STOP_S)
        self.kill()

    def kill(self):
        self.signal(signal.SIGKILL)
        if self.child:
            self.child.wait()
        _living.discard(self)

    def tail(self, size=4000):
        return self.log_file.read_text(errors="replace")[-size:]


class RealServer:
    """What all the servers have in common: processes that are started in order, and a folder that outlives a stop."""

    user = None
    proxy = None

    def __init__(self, name):
        self.folder = new_folder(name, self.user)
        self.processes = []

    def answers(self, process):
        """True when `process` truly does its work."""
        raise NotImplementedError

    def start(self):
        for process in self.processes:
            if not process.alive():
                process.start(lambda: self.answers(process))
        return self

    def stop(self):
        for process in reversed(self.processes):
            process.stop()

    def kill(self):
        for process in reversed(self.processes):
            process.kill()

    def restart(self):
        self.stop()
        return self.start()

    def pause(self):
        for process in self.processes:
            process.signal(signal.SIGSTOP)

    def resume(self):
        for process in self.processes:
            process.signal(signal.SIGCONT)

    def logs(self):
        return "\n".join(f"== {process.name}\n{process.tail()}" for process in self.processes)

    def heal(self):
        """As before all faults."""
        self.resume()
        if self.proxy:
            self.proxy.heal()
        self.start()

    def remove(self):
        self.kill()
        if self.proxy:
            self.proxy.close()
        remove_folder(self.folder)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind:
            print(self.logs())
        self.remove()


@atexit.register
def end_all():
    for process in list(_living):
        process.kill()
    for folder in list(_folders):
        remove_folder(folder)


def _end(*_):
    raise KeyboardInterrupt  # runs the above; pytest would take SystemExit for a failure of one test


signal.signal(signal.SIGTERM, _end)
signal.signal(signal.SIGHUP, _end)
