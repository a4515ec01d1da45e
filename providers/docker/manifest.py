"""What the provider of Docker says of itself."""

from __future__ import annotations

from ondeck.job import services
from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="docker",
    title="Docker engines and Swarm: containers, images, logs, events, and deploys onto them",
    kinds={"deploy.kind": ("docker",), "cluster.kind": ("docker", "swarm")},
    capabilities={"operator": "providers.docker.operator:DockerOperator"},
    operations=services.OPERATIONS,
    needs=("python:docker", "python:aiodocker"),
)
