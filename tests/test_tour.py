"""The README's tour, command by command, as a newcomer would type it."""
import os
import re
import shutil
import signal
import subprocess

from millrace import BINARY, ROOT, wait_until


def tour_blocks():
    text = (ROOT / "README.md").read_text()
    tour = text[text.index("<!-- tour:begin -->"):text.index("<!-- tour:end -->")]
    return [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", tour, re.S)]


def test_every_command_of_the_tour_works(tmp_path):
    os.symlink(BINARY, tmp_path / "millrace")
    first, second = tour_blocks()
    environment = {**os.environ, "MILLRACE_DATA": "shop/data"}
    server = None
    try:
        for line in first:
            command = line.split("#")[0].strip()
            if command.endswith("&"):
                server = subprocess.Popen(["sh", "-c", "exec " + command.rstrip("& ")], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            else:
                subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120)
        wait_until(lambda: subprocess.run([BINARY, "status"], cwd=tmp_path, env=environment, capture_output=True).returncode == 0, "the server is ready")
        outputs = {}
        for line in second:
            command = re.sub(r"\s+#.*$", "", line)
            if "table get" in command:
                wait_until(lambda: subprocess.run([BINARY, "table", "get", "shop.orders", "1"], cwd=tmp_path, env=environment, capture_output=True).returncode == 0, "the row is there")
            done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            outputs[command] = done.stdout
        assert "pen" in outputs["./millrace table get shop.orders 1"]
        assert "not_json" in outputs["./millrace dead-letters list"]
    finally:
        if server:
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=60) == 0
        shutil.rmtree(tmp_path / "shop", ignore_errors=True)
