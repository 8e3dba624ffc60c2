"""Apache Kafka: one broker, KRaft or with ZooKeeper."""
import subprocess

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from proxy import Proxy

from .certificates import make_certificates
from .process import HOST, INSTALLED, Process, RealServer, accepts, free_port, java

USER, PASSWORD = "alice", "alice-secret"
LOG4J = "log4j.rootLogger=INFO,out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\nlog4j.appender.out.layout=org.apache.log4j.PatternLayout\n" \
        "log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n\n"
LOG4J2 = "rootLogger.level=INFO\nrootLogger.appenderRef.out.ref=out\nappender.out.name=out\nappender.out.type=Console\n" \
         "appender.out.layout.type=PatternLayout\nappender.out.layout.pattern=[%d] %p %m (%c)%n\n"
# Quick where real clusters are patient, and old timestamps are kept; else as shipped.
QUICK = """
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
auto.create.topics.enable=false
log.retention.ms=-1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
log.segment.delete.delay.ms=500
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
zookeeper.session.timeout.ms=2000
"""


class Kafka(RealServer):
    """Three ways in: `url`; `proxied`, where every advertised address leads through `proxy`; with KRaft also `secure` (SASL_SSL,
    SCRAM-SHA-256 with USER and PASSWORD, a certificate of `ca`). The addresses for other clients have the same names with _address."""

    def __init__(self, mode="kraft", heap="384m"):
        super().__init__("kafka")
        self.kraft = mode == "kraft"
        self.home = INSTALLED / ("kafka" if self.kraft else "kafka-zk")
        self.port, self.behind_proxy, self.secure_port, self.control_port = (free_port() for _ in range(4))
        self.proxy = Proxy((HOST, self.behind_proxy), free_port())
        self.address, self.proxied_address, self.secure_address = f"{HOST}:{self.port}", self.proxy.address, f"{HOST}:{self.secure_port}"
        self.url, self.proxied, self.secure = (f"kafka://{at}" for at in (self.address, self.proxied_address, self.secure_address))
        self.jvm = java() + ["-XX:+UseSerialGC", f"-Dlog4j.configuration=file:{self.folder}/log4j.properties",
                             f"-Dlog4j2.configurationFile={self.folder}/log4j2.properties", "-cp", f"{self.home}/*"]
        (self.folder / "log4j.properties").write_text(LOG4J)
        (self.folder / "log4j2.properties").write_text(LOG4J2)
        properties = self.folder / "server.properties"
        properties.write_text(QUICK + f"log.dirs={self.folder}/data\n" + (self.kraft_settings() if self.kraft else self.zk_settings()))
        if self.kraft:
            self.format(properties)
        else:
            self.processes.append(Process("zookeeper", self.folder, [
                *self.jvm, "-Xmx128m", "org.apache.zookeeper.server.quorum.QuorumPeerMain", self.zk_properties()]))
        self.processes.append(Process("kafka", self.folder, [*self.jvm, f"-Xmx{heap}", "kafka.Kafka", properties]))

    def listeners(self, more=""):
        own, behind, proxied = f"PLAIN://{self.address}", f"PROXIED://{HOST}:{self.behind_proxy}", f"PROXIED://{self.proxied_address}"
        secure = f",SECURE://{self.secure_address}" if self.kraft else ""
        return (f"listeners={own},{behind}{secure}{more}\nadvertised.listeners={own},{proxied}{secure}\ninter.broker.listener.name=PLAIN\n"
                "listener.security.protocol.map=PLAIN:PLAINTEXT,PROXIED:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT\n")

    def kraft_settings(self):
        certificates = make_certificates(self.folder)
        self.ca = certificates.ca
        control = f"{HOST}:{self.control_port}"
        return self.listeners(f",CONTROLLER://{control}") + (
            f"node.id=1\nprocess.roles=broker,controller\ncontroller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@{control}\n"
            "share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n"
            f"ssl.keystore.type=PEM\nssl.keystore.location={certificates.server}\nsasl.enabled.mechanisms=SCRAM-SHA-256\n"
            "listener.name.secure.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n")

    def zk_settings(self):
        return self.listeners() + f"broker.id=1\nzookeeper.connect={HOST}:{self.control_port}\n"

    def zk_properties(self):
        file = self.folder / "zookeeper.properties"
        file.write_text(f"dataDir={self.folder}/zookeeper\nclientPort={self.control_port}\nclientPortAddress={HOST}\nadmin.enableServer=false\ntickTime=500\n")
        return file

    def format(self, properties):
        """Writes the cluster's id, and the user that SCRAM knows."""
        user = f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]"
        done = subprocess.run([*self.jvm, "kafka.tools.StorageTool", "format", "-t", "MillraceRealTests00001", "-c", properties, "--add-scram", user],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        """As a supervisor does: again, while ZooKeeper remembers the broker that was killed."""
        for _ in range(5):
            try:
                return super().start()
            except AssertionError:
                if "NodeExistsException" not in self.logs():
                    raise
        raise AssertionError(self.logs())

    def answers(self, process):
        if process.name == "zookeeper":
            return accepts(HOST, self.control_port)
        if not accepts(HOST, self.port):
            return False
        try:
            known = AdminClient({"bootstrap.servers": self.address, "log_level": 0}).list_topics(timeout=2)
        except KafkaException:
            return False
        led = all(partition.leader >= 0 for topic in known.topics.values() for partition in topic.partitions.values())
        return known.brokers and led
