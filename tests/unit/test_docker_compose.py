"""How a container runs comes from the compose file alone, and what is not supported is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ondeck.errors import BadInput
from providers.docker import compose
from providers.docker.frames import Frames
from providers.docker.registry import natural, repository
from providers.docker.runspec import RunSpec, created

VALUES = {"host": "web-1", "address": "10.0.0.1", "env": "prod", "service": "shop", "version": "2.0"}


def read(tmp_path: Path, body: str) -> RunSpec:
    path = tmp_path / "compose.yml"
    path.write_text(f"services:\n  web:\n{body}")
    return compose.read(path, "web", VALUES)


def test_what_is_supported_arrives_in_the_engine_s_words(tmp_path: Path) -> None:
    (tmp_path / "web.env").write_text("# colours\nCOLOUR='red'\nSIZE=2\n")
    spec = read(
        tmp_path,
        """    image: ignored/here
    command: [serve, --port, "8080"]
    environment: {SIZE: 3, PRICE: "$$5", HOST: "${host}"}
    env_file: web.env
    ports: ["${address}:8080:80", "9000/udp"]
    volumes: ["data:/data", "/srv/x:/x:ro"]
    restart: on-failure:3
    stop_grace_period: 1m30s
    healthcheck: {test: curl -f http://localhost/, interval: 5s, retries: 2}
    ulimits: {nofile: {soft: 1, hard: 2}}
    cap_drop: [ALL]
    read_only: true
    tmpfs: /tmp
    logging: {driver: json-file, options: {max-size: 10m}}
""",
    )
    assert compose.variables(spec) == {"COLOUR": "red", "SIZE": "3", "PRICE": "$5", "HOST": "web-1"}
    body = created(spec, "image@sha256:x", compose.variables(spec), {})
    host = body["HostConfig"]
    assert host["PortBindings"]["80/tcp"] == [{"HostIp": "10.0.0.1", "HostPort": "8080"}]
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert [m["ReadOnly"] for m in host["Mounts"]] == [False, True]
    assert (body["Cmd"], body["StopTimeout"]) == (["serve", "--port", "8080"], 90)
    assert body["Healthcheck"]["Test"][0] == "CMD-SHELL"
    assert host["ReadonlyRootfs"]
    assert spec.publishes


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("    privileged: true\n", "privileged: is not supported"),
        ("    build: .\n", "build: is not supported"),
        ("    ports: ['8000-8010:80']\n", "ports"),
        ("    volumes: ['./here:/x']\n", "relative"),
        ("    environment: ['SECRET']\n", "has no value"),
        ("    environment: {A: '${HOME}'}\n", "not known"),
        ("    restart: sometimes\n", "restart"),
        ("    networks: {a: {aliases: [x]}}\n", "options of a network"),
        ("    labels: &a {x: y}\n    environment: *a\n", "anchors are not taken"),
    ],
)
def test_what_is_not_supported_is_named_with_its_place(tmp_path: Path, body: str, why: str) -> None:
    with pytest.raises(BadInput, match=why) as wrong:
        read(tmp_path, body)
    assert "compose.yml:" in str(wrong.value)


def test_a_file_of_variables_that_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "web.env").write_text("A=1\n")
    spec = read(tmp_path, "    env_file: web.env\n")
    (tmp_path / "web.env").write_text("A=2\n")
    with pytest.raises(BadInput, match="changed since the plan"):
        compose.variables(spec)


@pytest.mark.parametrize("size", [1, 3, 7, 4096])
def test_frames_give_the_same_lines_whatever_the_chunks(size: int) -> None:
    def frame(stream: int, text: bytes) -> bytes:
        return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text

    at = b"2026-11-28T23:48:13.293007147Z "
    data = (
        frame(1, at + b"one\n") + frame(2, at + b"err\n") + frame(1, at + b"half") + frame(1, at + b" line\n")
    )
    frames = Frames(tty=False)
    found = [piece for n in range(0, len(data), size) for piece in frames.feed(data[n : n + size])]
    assert [text for _, text in found] == [b"one\n", b"err\n", b"half line\n"]
    assert {when % 10**9 for when, _ in found} == {293007147}


def test_names_of_images_and_versions_are_read_as_docker_does() -> None:
    assert str(repository("nginx")) == "docker.io/library/nginx"
    assert str(repository("shop/web")) == "docker.io/shop/web"
    assert str(repository("localhost:5000/shop/web")) == "localhost:5000/shop/web"
    with pytest.raises(BadInput, match="names a version already"):
        repository("shop/web:1")
    assert sorted(["2.10.0", "2.9.0", "2.9.1"], key=natural)[-1] == "2.10.0"
