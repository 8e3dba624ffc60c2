"""Apache Cassandra, one node or several, each on an address of its own."""
import logging
import os
import time

from cassandra import DriverException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.policies import WhiteListRoundRobinPolicy
from cassandra.query import dict_factory

from proxy import Proxy

from .process import INSTALLED, Process, RealServer, accepts, free_port, java

logging.getLogger("cassandra").setLevel(logging.CRITICAL)  # the driver complains of every server that is down on purpose
USER, PASSWORD = "cassandra", "cassandra"  # what a new cluster has
# What Cassandra needs of Java 17's modules, from its own jvm17-server.options.
EXPORTS = """java.base/jdk.internal.misc java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server
  java.sql/java.sql java.base/java.lang.ref jdk.unsupported/sun.misc"""
OPENS = """java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.ref java.base/jdk.internal.reflect
  java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar java.base/sun.nio.ch java.base/java.io
  java.base/java.nio java.base/java.lang.reflect java.base/java.lang java.base/java.util java.base/java.util.concurrent
  java.base/java.util.concurrent.atomic jdk.management/com.sun.management.internal"""
LOGBACK = """<configuration><appender name="OUT" class="ch.qos.logback.core.ConsoleAppender"><encoder>
<pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder></appender><root level="INFO"><appender-ref ref="OUT"/></root></configuration>
"""


class Cassandra(RealServer):
    """At `url`, and with one node through `proxy` at `proxied`. `login=True`: a password is asked for (USER, PASSWORD) and rights are
    looked at."""

    def __init__(self, nodes=1, heap="768m", login=False):
        super().__init__("cassandra")
        self.port, self.storage_port, self.login = free_port(), free_port(), login
        self.hosts = [f"127.0.0.{i + 1}" for i in range(nodes)]
        self.proxy = Proxy((self.hosts[0], self.port))
        self.url, self.proxied = f"cassandra://{self.hosts[0]}:{self.port}", f"cassandra://{self.proxy.address}"
        self.processes = [Process(f"cassandra-{host}", self.folder, self.argv(host, heap, nodes)) for host in self.hosts]

    def settings(self, host, folder):
        places = {name: f"{folder}/{name}" for name in ("commitlog", "hints", "saved_caches", "cdc_raw")}
        # An acknowledged row must outlive SIGKILL, and the commit log is read again up to its last sync.
        lines = {"cluster_name": "millrace-real", "num_tokens": 4, "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
                 "endpoint_snitch": "SimpleSnitch", "listen_address": host, "rpc_address": host, "native_transport_port": self.port,
                 "storage_port": self.storage_port, "commitlog_sync": "batch", "auto_snapshot": "false",
                 "data_file_directories": f"[ {folder}/data ]", **{f"{name}_directory": place for name, place in places.items()},
                 "seed_provider": f'[ {{ class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [ {{ seeds: "{self.hosts[0]}" }} ] }} ]'}
        if self.login:
            lines |= {"authenticator": "PasswordAuthenticator", "authorizer": "CassandraAuthorizer", "permissions_validity": "100ms"}
        return "".join(f"{key}: {value}\n" for key, value in lines.items())

    def argv(self, host, heap, nodes):
        folder = self.folder / host
        for name in ("conf", "data", "tmp"):
            (folder / name).mkdir(parents=True)
        (folder / "conf" / "cassandra.yaml").write_text(self.settings(host, folder))
        (folder / "conf" / "logback.xml").write_text(LOGBACK)
        home = INSTALLED / "cassandra"
        alone = ["-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=0"]  # nobody to gossip with
        # Root may lock memory, and Cassandra would then pin its whole heap.
        unlocked = ["setpriv", "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock"] if os.geteuid() == 0 else []
        return [*unlocked, *java(), f"-Xms{heap}", f"-Xmx{heap}", "-Xss256k", "-XX:+UseSerialGC", f"-javaagent:{next(home.glob('jamm-*.jar'))}",
                "-Djdk.attach.allowAttachSelf=true", "-Dio.netty.tryReflectionSetAccessible=true", "-Djava.net.preferIPv4Stack=true",
                *(f"--add-exports={name}=ALL-UNNAMED" for name in EXPORTS.split()), *(f"--add-opens={name}=ALL-UNNAMED" for name in OPENS.split()),
                f"-Dcassandra.config=file://{folder}/conf/cassandra.yaml", f"-Dlogback.configurationFile={folder}/conf/logback.xml",
                f"-Dcassandra.storagedir={folder}/data", f"-Djava.io.tmpdir={folder}/tmp", f"-Djna.tmpdir={folder}/tmp",
                "-Dcassandra.superuser_setup_delay_ms=0", *(alone if nodes == 1 else ["-Dcassandra.ring_delay_ms=5000"]),
                "-cp", f"{folder}/conf:{home}/*", "org.apache.cassandra.service.CassandraDaemon"]

    def cluster(self, host=None):
        """A driver's Cluster that talks to one node only, the first one. Rows are dicts."""
        host = host or self.hosts[0]
        login = PlainTextAuthProvider(USER, PASSWORD) if self.login else None
        how = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([host]), row_factory=dict_factory, request_timeout=60)
        return Cluster([host], port=self.port, auth_provider=login, protocol_version=4, connect_timeout=10,
                       execution_profiles={EXEC_PROFILE_DEFAULT: how})

    def answers(self, process):
        host = process.name.removeprefix("cassandra-")
        if not accepts(host, self.port):
            time.sleep(0.1)
            return False
        try:
            with self.cluster(host) as cluster:
                return cluster.connect().execute("SELECT release_version FROM system.local").one() is not None
        except (NoHostAvailable, DriverException, OSError):
            return False
