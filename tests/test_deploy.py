"""deploy/ and the Dockerfile, as far as they can be judged without a container engine."""
import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from millrace import BINARY, ROOT, Server, run, wait_until

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
README = (DEPLOY / "README.md").read_text()
DOCKERFILE = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M))
INTERPOLATION = re.compile(r"\$\{(\w+):-([^}]*)\}")
each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
each_broker = pytest.mark.parametrize("broker", ["kafka", "kafka-zookeeper"])


def instructions(name):
    return [line.split(maxsplit=1)[1].strip() for line in DOCKERFILE.splitlines() if line.startswith(name + " ")]


def size(text):
    number, unit = re.fullmatch(r"(\d+)([mg])", str(text).lower()).groups()
    return int(number) * {"m": 1, "g": 1024}[unit]


def together(profile):
    """The services that run with it."""
    return {name: service for name, service in SERVICES.items() if profile in service.get("profiles", [profile])}


def published(service):
    """{host port: container port}"""
    ports = [re.fullmatch(r"127\.0\.0\.1:(\d+):(\d+)", port) for port in service.get("ports", [])]
    assert all(ports), "bound to loopback"
    return {int(port[1]): int(port[2]) for port in ports}


@each_service
def test_images_are_pinned(service):
    name, _, tag = service["image"].rpartition(":")
    assert name and re.fullmatch(r"v?\d+\.\d+(\.\d+)?(\.Final)?", tag), service["image"]


def test_images_are_what_the_tests_with_real_servers_run():
    tested = dict(re.findall(r"^(\w+)=(\S+)", (ROOT / "scripts/setup-real").read_text(), flags=re.M))
    tags = {name: service["image"].rpartition(":")[2] for name, service in SERVICES.items()}
    assert tags["kafka"] == tested["kafka"] and tags["kafka-zookeeper"] == tested["kafka_zk"]
    assert tags["cassandra"] == tested["cassandra"] and tags["registry"] == tested["registry"]
    assert tags["postgres"].split(".")[0] == tested["postgres"]
    assert tags["millrace"] == run("version").stdout.split()[1]


@each_service
def test_services_are_watched_and_bounded(service):
    health = service.get("healthcheck")
    if "build" in service:
        assert instructions("HEALTHCHECK"), "the image has one"
    else:
        assert health["test"] and {"interval", "timeout", "retries", "start_period"} <= set(health)
    assert service["restart"] == "unless-stopped" and size(service["mem_limit"])
    environment = service.get("environment", {})
    heap = re.search(r"-Xmx(\d+[mg])", " ".join(map(str, environment.values())))
    heap = heap[1] if heap else environment.get("MAX_HEAP_SIZE")
    assert heap is None or size(heap) * 1.5 <= size(service["mem_limit"]), "Java needs memory beside its heap"


@pytest.mark.parametrize("profile", ["kraft", "zookeeper"])
def test_a_laptop_of_16_gb_holds_a_profile(profile):
    services = together(profile)
    assert sum(size(service["mem_limit"]) for service in services.values()) <= 10 * 1024
    assert {"millrace", "cassandra", "postgres", "registry", "prometheus", "grafana"} < set(services)
    ports = [port for service in services.values() for port in published(service)]
    assert len(ports) == len(set(ports))
    brokers = [name for name, service in services.items() if "kafka" in (name, *service.get("networks", {}).get("default", {}).get("aliases", []))]
    assert len(brokers) == 1, "who is called kafka"


def test_the_profile_without_a_word_is_kraft():
    assert "COMPOSE_PROFILES=kraft" in (DEPLOY / ".env").read_text().split()


@each_service
def test_dependencies_are_waited_for_until_they_are_healthy(service):
    for name, how in service.get("depends_on", {}).items():
        assert how["condition"] == "service_healthy"
        wanted = SERVICES[name].get("profiles")
        assert wanted in (None, service.get("profiles")) or how["required"] is False, "it does not run in every profile"


def test_dependencies_are_no_circle():
    done = set()
    while len(done) < len(SERVICES):
        next_ones = {name for name, service in SERVICES.items() if name not in done and set(service.get("depends_on", {})) <= done}
        assert next_ones, set(SERVICES) - done
        done |= next_ones


@each_service
def test_what_is_mounted_is_there(service):
    for mount in service.get("volumes", []):
        source, target, *mode = mount.split(":")
        if source.startswith("."):
            assert (DEPLOY / source).resolve().exists() and mode == ["ro"], mount
        else:
            assert source in COMPOSE["volumes"], mount
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])


def test_volumes_and_secrets_are_used_and_kept_apart():
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    named = [mount for mount in mounts if not mount.startswith(".")]
    assert sorted(named) == sorted(COMPOSE["volumes"]), "each volume has one user"
    for name, secret in COMPOSE["secrets"].items():
        folder, file = secret["file"].split("/")
        assert f"/{folder}/" in (DEPLOY / ".gitignore").read_text().split() and "deploy" in (ROOT / ".dockerignore").read_text().split()
        assert re.search(rf"for name in .*\b{file}\b", README), "the README makes it"
        assert any(name in service.get("secrets", []) for service in SERVICES.values())
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key:
                assert key.endswith("_FILE") and value.removeprefix("/run/secrets/") in service["secrets"], key


def broker_settings(broker):
    if broker == "kafka":
        return {name.removeprefix("KAFKA_").replace("_", ".").lower(): str(value) for name, value in SERVICES[broker]["environment"].items()}
    lines = (DEPLOY / "kafka-zookeeper.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and line[0] != "#")


@each_broker
def test_brokers_tell_every_client_an_address_it_can_reach(broker):
    settings = broker_settings(broker)
    listeners, advertised = (dict(one.split("://") for one in settings[name].split(",")) for name in ("listeners", "advertised.listeners"))
    assert advertised["INSIDE"] == SERVICES["millrace"]["environment"]["KAFKA"] == SERVICES["registry"]["environment"]["KAFKA_BOOTSTRAP_SERVERS"]
    assert listeners["INSIDE"] == ":" + advertised["INSIDE"].split(":")[1]
    host, port = advertised["HOST"].split(":")
    assert host == "127.0.0.1" and published(SERVICES[broker])[int(port)] == int(listeners["HOST"].split(":")[1])
    assert settings["auto.create.topics.enable"] == "false" and settings["transaction.state.log.replication.factor"] == "1"
    folder = settings["log.dirs"]
    assert any(mount.endswith(":" + folder) for mount in SERVICES[broker]["volumes"]), "data outlive the container"


def prod_check(tmp_path, environment):
    """`check --profile prod` of the file that is mounted, with nothing in the environment but this, and with the secrets in a folder."""
    shutil.copytree(ROOT / "examples", tmp_path, dirs_exist_ok=True)
    file = tmp_path / "users.yaml"
    text = file.read_text()
    for name in SERVICES["millrace"]["secrets"]:
        (tmp_path / name).write_text("0123456789abcdef\n")
        assert f"/run/secrets/{name}" in text
        text = text.replace(f"/run/secrets/{name}", str(tmp_path / name))
    file.write_text(text)
    return subprocess.run([BINARY, "check", file, "--profile", "prod", "-o", "json"], env=environment, capture_output=True, text=True)


def test_the_service_gives_what_the_profile_wants(tmp_path):
    environment = {name: INTERPOLATION.sub(r"\2", value) for name, value in SERVICES["millrace"]["environment"].items()}
    done = prod_check(tmp_path, environment)
    assert done.returncode == 0, done.stdout
    for name in ("KAFKA", "CASSANDRA", "REGISTRY"):
        assert environment[name].split(":")[0] in SERVICES
        fewer = {key: value for key, value in environment.items() if key != name}
        assert [fault["code"] for fault in json.loads(prod_check(tmp_path, fewer).stdout)] == ["unset-variable"]
    assert "@postgres/millrace" in (ROOT / "examples" / "users.yaml").read_text()
    assert SERVICES["postgres"]["environment"]["POSTGRES_DB"] == SERVICES["postgres"]["environment"]["POSTGRES_USER"] == "millrace"


@pytest.fixture(scope="module")
def server():
    """The example, embedded, and called by the name that the service has."""
    pipeline = (ROOT / "examples" / "users.yaml").read_text().replace("created_users.sql", str(ROOT / "examples" / "created_users.sql"))
    command = SERVICES["millrace"]["command"]
    with Server(pipeline, args=command[command.index("--allow-host"):]) as running:
        wait_until(lambda: running.sql("SELECT count(*) AS n FROM spark_streams.created_users")[0]["n"] > 0, "a person is there")
        yield running


def test_the_command_and_the_file_are_those_of_the_image():
    entry, default, health = (json.loads(instructions(name)[0][instructions(name)[0].index("["):]) for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK"))
    command = SERVICES["millrace"]["command"]
    assert entry[-1] == "millrace" and health == ["millrace", "status"] and command[:2] == default
    assert any(mount.endswith(":/etc/millrace:ro") for mount in SERVICES["millrace"]["volumes"])
    data = dict(line.split("=", 1) for line in instructions("ENV"))["MILLRACE_DATA"]
    assert instructions("VOLUME") == [data] and f"millrace:{data}" in SERVICES["millrace"]["volumes"]
    listen = command[command.index("--listen") + 1]
    assert int(listen.split(":")[1]) == int(instructions("EXPOSE")[0]) in published(SERVICES["millrace"]).values()
    known = run("run", "--help").stdout
    assert all(word in known for word in command if word.startswith("--"))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions("USER")[-1]), "not root, and by number"


def test_the_image_takes_files_that_are_there():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    for line in instructions("COPY"):
        words = line.split()
        if words[0].startswith("--from="):
            assert re.search(rf"^FROM .* AS {words[0].removeprefix('--from=')}$", DOCKERFILE, flags=re.M)
            continue
        for name in words[:-1]:
            assert (ROOT / name).exists() and name.split("/")[0] not in ignored, line


@pytest.mark.skipif(not shutil.which("dpkg"), reason="needs dpkg")
def test_the_image_has_the_libraries_of_the_binary():
    if "libclang_rt" in subprocess.run(["ldd", BINARY], capture_output=True, text=True).stdout:
        pytest.skip("a build with sanitizers")
    needed = set()
    for path in re.findall(r"=> (/\S+)", subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout):
        if not path.endswith("/libduckdb.so"):  # stands beside the binary
            needed.add(owner(path))
    install = next(line for line in instructions("RUN") if "apt-get install" in line).split("&&")[1]
    have = with_dependencies(set(install.split()[install.split().index("--no-install-recommends") + 1:]) | {"libc6"})
    assert needed <= have, needed - have


def owner(path):
    for spelled in (path, os.path.realpath(path), path.removeprefix("/usr"), os.path.realpath(path).removeprefix("/usr")):
        found = subprocess.run(["dpkg", "-S", spelled], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    raise AssertionError(f"{path} belongs to no package")


def with_dependencies(packages):
    out, rest = set(), packages
    while rest:
        out |= rest
        lines = subprocess.run(["dpkg-query", "-W", "-f", "${Depends}, ${Pre-Depends}\n", *rest], capture_output=True, text=True).stdout
        rest = set(re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9.+-]+)", lines, flags=re.M)) - out
    return out


def test_dashboards_show_metrics_that_exist(server):
    status, body = server.http("GET", "/metrics", headers={"Host": "millrace:8080", "Authorization": "none"})
    assert status == 200, "as Prometheus asks"
    labels = {}
    for name, text in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", body.decode(), flags=re.M):
        labels.setdefault(name, set()).update(re.findall(r"(\w+)=\"", text))
    shown = set()
    for file in (DEPLOY / "grafana" / "dashboards").glob("*.json"):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", []):
                names = set(re.findall(r"millrace_\w+", target["expr"]))
                assert names and names <= set(labels), (panel["title"], names - set(labels))
                used = re.findall(r"by \((\w+)\)", target["expr"]) + re.findall(r"{{(\w+)}}", target.get("legendFormat", ""))
                assert all(set(used) <= labels[name] for name in names), (panel["title"], used)
                shown |= names
    own = {name for name in labels if re.match(r"millrace_(stream|source|partition|process|tables|disk|log)_", name)}
    assert own <= shown, f"deploy/grafana/dashboards/millrace.json has no panel for {own - shown}"


def test_prometheus_and_grafana_find_each_other():
    command = SERVICES["millrace"]["command"]
    target = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]["static_configs"][0]["targets"]
    assert target == [f"{command[command.index('--allow-host') + 1]}:{command[command.index('--listen') + 1].split(':')[1]}"]
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090" and "127.0.0.1:9090:9090" in SERVICES["prometheus"]["ports"]
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["grafana"]["volumes"])
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/millrace.yaml").read_text())["providers"][0]
    assert provider["options"]["path"] == mounts["./grafana/dashboards"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(provider["options"]["path"] + "/") and (DEPLOY / "grafana/dashboards" / home.rpartition("/")[2]).exists()
    for panel in json.loads((DEPLOY / "grafana/dashboards/millrace.json").read_text())["panels"]:
        assert all(part["datasource"]["uid"] == source["uid"] for part in [panel, *panel.get("targets", [])] if panel["type"] != "row")


def test_what_the_readme_says_works(server, tmp_path):
    commands = re.search(r"```sh\n(.*?)```", README, flags=re.S)[1].splitlines()
    making = [line.split("  #")[0] for line in commands if not line.startswith("docker ")]
    subprocess.run(["sh", "-ec", "\n".join(making)], cwd=tmp_path, check=True, capture_output=True)
    for secret in COMPOSE["secrets"].values():
        assert re.fullmatch(r"[0-9a-f]{32}\n", (tmp_path / secret["file"]).read_text())
        assert (tmp_path / secret["file"]).stat().st_mode & 0o777 == 0o644 and (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    inside = [line.split(" millrace millrace ")[1] for line in commands if line.startswith("docker compose exec millrace millrace ")]
    assert len(inside) >= 3
    for line in inside:
        done = subprocess.run(["sh", "-c", f'"$BINARY" {line}'], env={**os.environ, "BINARY": str(BINARY), "MILLRACE_DATA": str(server.data)},
                              capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout, (line, done.stderr)
    rows = re.findall(r"^\| .*? \| `127\.0\.0\.1:(\d+)` \| `(\w+):(\d+)` \|", README, flags=re.M)
    ports = {(name, host) for name, service in together("kraft").items() for host in published(service)}
    assert {(name, int(host)) for host, name, _ in rows} == ports
