"""Capability `inside`: a program in a container on the user's own terminal, through the docker program."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ondeck.errors import BadInput, Missing
from ondeck.inventory.model import Cluster, Host, Inventory, Place
from ondeck.reach.ports import Shell
from providers.docker.engine import file_of, options_of
from providers.docker.things.params import ExecParams


class DockerInside:
    """Starts `docker exec` beside the engine: over the host's own shell, or here for an engine with an address."""

    def inside_argv(
        self,
        inventory: Inventory,
        place: Place,
        thing: str,
        params: Mapping[str, Any],
        shell: Callable[[Host], Shell],
    ) -> Sequence[str]:
        """The local command; see `ondeck.reach.ports.Inside`."""
        if not isinstance(place, Cluster):
            raise BadInput(f"{place.name} is no engine of Docker")
        try:
            wanted = msgspec.convert(params, ExecParams, strict=False)
            words = shlex.split(wanted.command)
        except (msgspec.ValidationError, ValueError) as error:
            raise BadInput(f"container.exec: {error}") from error
        if not words or thing.startswith("-"):
            raise BadInput("container.exec needs a container and a command")
        options = options_of(place)
        user = ["--user", wanted.user] if wanted.user else []
        inside = ["exec", "--interactive", "--tty", *user, "--", thing, *words]
        if options.host:
            host = inventory.hosts.get(options.host)
            if host is None:
                raise BadInput(f"cluster {place.name}: there is no host {options.host!r}")
            command = ["docker", "--host", f"unix://{options.socket}", *inside]
            return shell(host).shell_argv(inventory, host, command=command)
        program = shutil.which("docker")
        if program is None:
            raise Missing(
                "no `docker` program here", hint="install docker's command line, or name the cluster's host"
            )
        tls: list[str] = []
        if options.tls is not None:
            root, own = inventory.revision.root, options.tls
            tls = ["--tlsverify", f"--tlscacert={file_of(root, own.ca)}"]
            if own.cert:
                tls += [f"--tlscert={file_of(root, own.cert)}", f"--tlskey={file_of(root, own.key)}"]
        return [program, "--host", options.url, *tls, *inside]
