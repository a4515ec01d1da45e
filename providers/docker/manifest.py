"""What the provider of Docker says of itself."""

from __future__ import annotations

from ondeck.job import services
from ondeck.job.listing import ListSpec
from ondeck.job.spec import OperationSpec, Risk, Shortcut, TargetKind
from ondeck.registry import Manifest
from providers.docker.things.params import (
    BuildParams,
    ExecParams,
    NoParams,
    PruneParams,
    PullParams,
    RemoveParams,
    ScaleParams,
    StopParams,
)

_BOTH = ("docker", "swarm")

CONTAINERS = (
    OperationSpec(
        name="container.start",
        title="Start a container",
        target=TargetKind.CLUSTER,
        things=True,
        params=NoParams,
        risk=Risk.CHANGE,
        undo="container.stop",
        help="Start stopped containers of an engine, one after the other.",
    ),
    OperationSpec(
        name="container.stop",
        title="Stop a container",
        target=TargetKind.CLUSTER,
        things=True,
        params=StopParams,
        risk=Risk.CHANGE,
        undo="container.start",
        help="TERM, and KILL after the grace. A container of a service is better restarted or rolled back with "
        "the service: that drains it first and waits for its health.",
    ),
    OperationSpec(
        name="container.restart",
        title="Restart a container",
        target=TargetKind.CLUSTER,
        things=True,
        params=StopParams,
        risk=Risk.CHANGE,
        undo="a restart cannot be taken back; the container stays the same",
        help="Stop and start containers, one after the other; done is what has another start time and runs.",
    ),
    OperationSpec(
        name="container.remove",
        title="Remove a container",
        target=TargetKind.CLUSTER,
        things=True,
        params=RemoveParams,
        risk=Risk.DESTROY,
        help="Remove stopped containers with what they wrote; named volumes stay. One that runs, or that a "
        "service keeps for its way back, goes only with --force.",
    ),
    OperationSpec(
        name="container.exec",
        title="Open a shell in a container",
        target=TargetKind.CLUSTER,
        things=True,
        params=ExecParams,
        risk=Risk.CHANGE,
        undo="what is typed in it is not recorded",
        interactive=True,
        help="Run a program in a container on your own terminal, through the docker program beside its engine.",
    ),
)

IMAGES = (
    OperationSpec(
        name="image.pull",
        title="Pull an image",
        target=TargetKind.CLUSTER,
        params=PullParams,
        risk=Risk.CHANGE,
        undo="image.prune",
        help="Find out which digest a tag stands for now, and pull exactly that.",
    ),
    OperationSpec(
        name="image.prune",
        title="Remove images that nothing uses",
        target=TargetKind.CLUSTER,
        params=PruneParams,
        risk=Risk.DESTROY,
        help="Remove exactly the images that the plan names: without a name, or with --tagged without a "
        "container. Never one that a container is made from or that a service may roll back to.",
    ),
    OperationSpec(
        name="image.build",
        title="Build an image",
        target=TargetKind.CLUSTER,
        params=BuildParams,
        risk=Risk.CHANGE,
        undo="image.prune",
        help="Build a folder of a git commit on an engine, give it a tag, and push it when asked to. A tag that "
        "the registry has already is refused: a version is never another image.",
    ),
)

NODES = (
    OperationSpec(
        name="node.drain",
        title="Drain a node",
        target=TargetKind.CLUSTER,
        things=True,
        params=NoParams,
        risk=Risk.CHANGE,
        undo="node.activate",
        help="Let a node of a swarm get no tasks any more, and wait until those on it have gone.",
    ),
    OperationSpec(
        name="node.activate",
        title="Take a node back in",
        target=TargetKind.CLUSTER,
        things=True,
        params=NoParams,
        risk=Risk.CHANGE,
        undo="node.drain",
        help="Let a node of a swarm get tasks again.",
    ),
)

SCALE = OperationSpec(
    name="service.scale",
    title="Scale a service",
    target=TargetKind.SERVICE,
    params=ScaleParams,
    risk=Risk.CHANGE,
    undo="service.scale",
    shortcut=Shortcut(verb=("scale",), positional=("replicas",)),
    help="Let so many tasks of a service run, and wait until they do.",
)

LISTS = (
    ListSpec(
        name="containers",
        title="Containers",
        of=TargetKind.CLUSTER,
        kinds=_BOTH,
        columns=("NAME", "PROJECT", "IMAGE", "STATE", "CPU", "MEM", "AGE"),
        operations=tuple(spec.name for spec in CONTAINERS),
        every=5.0,
    ),
    ListSpec(
        name="images",
        title="Images",
        of=TargetKind.CLUSTER,
        kinds=_BOTH,
        columns=("ID", "NAME", "SIZE", "USED BY", "BUILT"),
        every=30.0,
    ),
    ListSpec(
        name="networks",
        title="Networks",
        of=TargetKind.CLUSTER,
        kinds=_BOTH,
        columns=("NAME", "DRIVER", "SCOPE", "SUBNETS", "CONTAINERS"),
        every=30.0,
    ),
    ListSpec(
        name="volumes",
        title="Volumes",
        of=TargetKind.CLUSTER,
        kinds=_BOTH,
        columns=("NAME", "DRIVER", "USED BY", "AGE"),
        every=30.0,
    ),
    ListSpec(
        name="swarm-nodes",
        title="Nodes",
        of=TargetKind.CLUSTER,
        kinds=("swarm",),
        columns=("HOSTNAME", "ROLE", "STATUS", "AVAILABILITY", "ENGINE", "ADDRESS", "ID"),
        operations=tuple(spec.name for spec in NODES),
    ),
    ListSpec(
        name="swarm-services",
        title="Services of the swarm",
        of=TargetKind.CLUSTER,
        kinds=("swarm",),
        columns=("NAME", "RUNNING", "IMAGE", "UPDATE", "PORTS", "CHANGED"),
        every=5.0,
    ),
    ListSpec(
        name="swarm-tasks",
        title="Tasks",
        of=TargetKind.CLUSTER,
        kinds=("swarm",),
        columns=("ID", "TASK", "NODE", "STATE", "REASON", "SINCE"),
        every=5.0,
    ),
)

MANIFEST = Manifest(
    name="docker",
    title="Docker engines and Swarm: containers, images, logs, events, and deploys onto them",
    kinds={"cluster.kind": _BOTH, "deploy.kind": _BOTH, "log.kind": ("docker",)},
    capabilities={
        "operator": "providers.docker.operator:DockerOperator",
        "releases": "providers.docker.releases:DockerReleases",
        "resources": "providers.docker.lists.reader:DockerResources",
        "logs": "providers.docker.logs:DockerLogs",
        "changes": "providers.docker.changes:DockerChanges",
        "inside": "providers.docker.inside:DockerInside",
    },
    operations=(*services.OPERATIONS, SCALE, *CONTAINERS, *IMAGES, *NODES),
    lists=LISTS,
    needs=("python:docker", "python:aiodocker"),
)
