"""A TCP proxy that fails on command. Threads, standard library only.

What a command takes away (bytes that are swallowed) cannot be given back: heal() cuts the connections that have lost some.
"""
import re
import socket
import struct
import threading

HOST = "127.0.0.1"


class Link:
    """One client's connection and the one behind it."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.lost = False            # some bytes were swallowed
        self.answer_of = None        # the Trap whose request went up last: its answer must not come down

    def cut(self):
        for end in (self.client, self.server):
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an orderly end
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Trap:
    """Springs once, at the first request that matches: see Proxy.lose_answer and lose_request."""

    def __init__(self, pattern, keep_request, then):
        self.pattern, self.keep_request, self.then = re.compile(pattern, re.DOTALL), keep_request, then
        self.armed, self.sprung = True, threading.Event()


class Proxy:
    """Forwards HOST:port to `target`, a (host, port). Commands hold for open connections and new ones."""

    def __init__(self, target, port=0):
        self.target = target
        self.lock = threading.Lock()
        self.links = set()
        self.delay_s, self.replies_dropped, self.swallowing, self.bytes_left, self.trap = 0.0, False, False, None, None
        self.accepted = 0
        self.healing = threading.Event()  # ends the pauses of delay()
        self.listener = None
        self.port = port
        self.listen()
        self.address = f"{HOST}:{self.port}"

    def listen(self):
        self.listener = socket.create_server((HOST, self.port), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    # --- commands

    def delay(self, seconds):
        """Every piece of data waits that long, each way."""
        self.healing.clear()
        self.delay_s = seconds

    def cut(self):
        """Resets every connection; new ones are served."""
        with self.lock:
            links = list(self.links)
        for link in links:
            link.cut()

    def refuse(self):
        """New connections are refused; open ones go on."""
        listener, self.listener = self.listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def down(self):
        """As a server that has died: everything is cut, nothing is accepted."""
        self.refuse()
        self.cut()

    def drop_replies(self):
        """What the server says is swallowed; it hears everything."""
        self.replies_dropped = True

    def black_hole(self):
        """Nothing comes through, either way, and nobody is told."""
        self.swallowing = True

    def cut_after_bytes(self, count):
        """All is cut, once, when so many more bytes have gone up."""
        with self.lock:
            self.bytes_left = count

    def lose_answer(self, pattern, then=lambda: None):
        """The first request that holds `pattern` (a regular expression over bytes) reaches the server; when the server has answered,
        `then` is called and the connection is cut, without the answer. Returns an event for that."""
        return self.set_trap(Trap(pattern, True, then))

    def lose_request(self, pattern, then=lambda: None):
        """As lose_answer, but the request does not reach the server."""
        return self.set_trap(Trap(pattern, False, then))

    def heal(self):
        """Ends every command."""
        self.delay_s, self.replies_dropped, self.swallowing, self.trap = 0.0, False, False, None
        self.healing.set()
        with self.lock:
            self.bytes_left = None
            lost = [link for link in self.links if link.lost]
        for link in lost:
            link.cut()
        if self.listener is None:
            self.listen()

    def close(self):
        self.down()

    # --- work

    def set_trap(self, trap):
        self.trap = trap
        return trap.sprung

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(self.target, timeout=10)
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(client, server)
        with self.lock:
            self.links.add(link)
            self.accepted += 1
        down = threading.Thread(target=self.pump, args=(link, server, client, self.reply), daemon=True)
        down.start()
        self.pump(link, client, server, self.request)
        down.join()
        with self.lock:
            self.links.discard(link)
        client.close()
        server.close()

    def pump(self, link, source, sink, passes):
        try:
            while data := source.recv(65536):
                if self.delay_s:
                    self.healing.wait(self.delay_s)
                if passes(link, data):
                    sink.sendall(data)
                else:
                    link.lost = True
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            link.cut()

    def request(self, link, data):
        """Whether these bytes of a client go on."""
        if self.swallowing:
            return False
        with self.lock:
            full = self.bytes_left is not None and self.bytes_left < len(data)
            if full:
                self.bytes_left = None
            elif self.bytes_left is not None:
                self.bytes_left -= len(data)
            trap = self.trap if self.trap and self.trap.armed and self.trap.pattern.search(data) else None
            if trap:
                trap.armed = False
        if full:
            self.cut()
            return False
        if trap and not trap.keep_request:
            self.spring(trap, link)
            return False
        link.answer_of = trap or link.answer_of
        return True

    def reply(self, link, _):
        """Whether these bytes of a server go on."""
        if link.answer_of:
            self.spring(link.answer_of, link)
            return False
        return not (self.swallowing or self.replies_dropped)

    @staticmethod
    def spring(trap, link):
        trap.then()
        link.cut()
        trap.sprung.set()
