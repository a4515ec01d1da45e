"""Making connections: caps, time limits, host keys checked, errors told apart, retries where safe."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import AsyncExitStack

from ondeck.errors import AuthFailed, HostKeyChanged, HostKeyUnknown, OndeckError, Reason, Unreachable
from ondeck.settings import Settings
from providers.ssh.endpoint import Endpoint, KeySet
from providers.ssh.hostkeys import HostKeys, Recorded, Verdict
from providers.ssh.keys import Agents, Loaded, agent_path, load, offered
from providers.ssh.library import asyncssh

AT_ONCE = 64
PER_GATE = 8
LOGIN = 20.0
TRIES = 6
CIRCUIT = 3

# Elliptic first: group exchange costs 360 ms of our processor for each host, so it is not offered.
_KEX = (
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
)
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
_HOST_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_CERTIFICATES = (
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
)


class Client(asyncssh.SSHClient):
    """Judges the host's key and remembers what was offered and how far the handshake came."""

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self.offered: asyncssh.SSHKey | None = None
        self.verdict: Verdict | None = None
        self._conn: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """The transport is open."""
        self._conn = conn

    @property
    def greeted(self) -> bool:
        """True once the server said its version: before that it has dropped us unseen (MaxStartups)."""
        return self._conn is not None and bool(self._conn.get_extra_info("server_version"))

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Ours to say, because asyncssh does not tell an unknown key from a changed one."""
        self.offered = key
        self.verdict = self.recorded.judge(key)
        return self.verdict is Verdict.SAME

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """The signer of a host certificate; validity and names of the certificate are checked after it."""
        self.offered = key
        self.verdict = self.recorded.judge_authority(key)
        return self.verdict is Verdict.SAME


def host_key_algorithms(recorded: Recorded) -> list[str]:
    """What to ask for: recorded kinds first, so that a host with several keys shows the one we know."""
    certificates = _CERTIFICATES if recorded.authorities else ()
    return list(dict.fromkeys((*certificates, *recorded.algorithms, *_HOST_KEYS)))


class Connector:
    """Opens connections for one process: prebuilt options, caps, and the circuit for bad logins."""

    def __init__(self, settings: Settings, host_keys: HostKeys) -> None:
        self._settings = settings
        self.host_keys = host_keys
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._reading = asyncio.Lock()
        self._gates: dict[str, asyncio.Semaphore] = {}
        self._keys: dict[KeySet, asyncio.Future[Loaded]] = {}
        self._options: dict[tuple[str, KeySet], asyncssh.SSHClientConnectionOptions] = {}
        self._agents = Agents(settings.seconds(5))
        self._refused: dict[tuple[str, str, KeySet], int] = {}

    def reset(self, env: str | None = None) -> None:
        """Close the circuit again, and read keys anew: somebody changed what was wrong."""
        self._refused = {key: n for key, n in self._refused.items() if env is not None and key[0] != env}
        self._keys.clear()
        self._options.clear()

    async def open(
        self, endpoint: Endpoint, tunnel: asyncssh.SSHClientConnection | None = None
    ) -> asyncssh.SSHClientConnection:
        """A connection that is logged in.

        Args:
            endpoint: Where to.
            tunnel: The open connection to its jump host.

        Raises:
            Unreachable: And its children, with a reason; no login is tried on a wrong host key.
        """
        circuit = (endpoint.env, endpoint.user, endpoint.keys)
        if self._refused.get(circuit, 0) >= CIRCUIT:
            raise AuthFailed(
                f"not tried: {CIRCUIT} hosts of {endpoint.env} refused {endpoint.user}",
                hint="same cause? check the login and the agent (`ssh-add -l`), then connect again",
                where=endpoint.name,
            )
        try:
            conn = await self._tries(endpoint, tunnel)
        except AuthFailed:
            self._refused[circuit] = self._refused.get(circuit, 0) + 1
            raise
        self._refused.pop(circuit, None)
        return conn

    async def _tries(
        self, endpoint: Endpoint, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        recorded = await self._recorded(endpoint)
        options = self._prebuilt(endpoint)
        attempt = 0
        while True:
            attempt += 1
            client = Client(recorded)
            try:
                async with AsyncExitStack() as stack:
                    for gate in self._gates_of(endpoint):
                        await stack.enter_async_context(gate)
                    return await self._once(endpoint, tunnel, options, client)
            except (ConnectionResetError, BrokenPipeError, asyncssh.ConnectionLost) as error:
                if client.greeted or attempt >= TRIES:
                    raise self._error(endpoint, error, client) from error
            except (OSError, asyncssh.Error, ValueError) as error:
                raise self._error(endpoint, error, client) from error
            # The daemon drops new connections while too many have not logged in yet.
            await asyncio.sleep(self._settings.seconds(random.uniform(0.2, 0.6) * 2 ** (attempt - 1)))

    def _gates_of(self, endpoint: Endpoint) -> list[asyncio.Semaphore]:
        names = [f"{endpoint.address}:{endpoint.port}"]
        if endpoint.jump is not None:
            names.append(f"via {endpoint.jump.address}:{endpoint.jump.port}")
        return [self._gates.setdefault(n, asyncio.Semaphore(PER_GATE)) for n in names] + [self._at_once]

    async def _recorded(self, endpoint: Endpoint) -> Recorded:
        asked = (endpoint.known_as, endpoint.port, endpoint.known_hosts)
        if self.host_keys.quick(*asked):
            return self.host_keys.recorded(*asked)
        # One reader at a time: a file of 100,000 lines is read by the first, in a thread.
        async with self._reading:
            return await asyncio.to_thread(self.host_keys.recorded, *asked)

    async def _once(
        self,
        endpoint: Endpoint,
        tunnel: asyncssh.SSHClientConnection | None,
        options: asyncssh.SSHClientConnectionOptions,
        client: Client,
    ) -> asyncssh.SSHClientConnection:
        login = self._settings.seconds(LOGIN)
        connect = self._settings.seconds(endpoint.connect_timeout)
        keys = await self._offered(endpoint.keys)
        sock = None
        if tunnel is None:
            sock = await dial(endpoint.address, endpoint.port, connect)
        try:
            async with asyncio.timeout(login + (connect if tunnel is not None else 0)):
                return await asyncssh.connect(
                    endpoint.address,
                    endpoint.port,
                    options=options,
                    config=None,
                    sock=sock,
                    tunnel=tunnel or (),
                    client_factory=lambda: client,
                    client_keys=keys or None,
                    host_key_alias=endpoint.known_as,
                    server_host_key_algs=host_key_algorithms(client.recorded),
                    keepalive_interval=self._settings.seconds(endpoint.alive_interval),
                    keepalive_count_max=endpoint.alive_count,
                    **_algorithms(endpoint),
                )
        except BaseException:
            if sock is not None:
                sock.close()  # the library has not taken it over when its options are refused
            raise

    async def _loaded(self, keys: KeySet) -> Loaded:
        future = self._keys.get(keys)
        if future is None:
            future = asyncio.ensure_future(asyncio.to_thread(load, keys))
            self._keys[keys] = future
        return await asyncio.shield(future)

    def _prebuilt(self, endpoint: Endpoint) -> asyncssh.SSHClientConnectionOptions:
        key = (endpoint.user, endpoint.keys)
        if key not in self._options:
            self._options[key] = asyncssh.SSHClientConnectionOptions(
                username=endpoint.user,
                config=None,
                known_hosts=([], [], []),
                client_keys=None,
                agent_path=None,
                agent_forwarding=False,
                preferred_auth="publickey",
                gss_host=None,
                gss_kex=False,
                gss_auth=False,
                x509_trusted_certs=None,
                kex_algs=list(_KEX),
                encryption_algs=list(_CIPHERS),
                compression_algs=["none"],
                login_timeout=0,
                connect_timeout=None,
                request_pty=False,
                encoding=None,
            )
        return self._options[key]

    async def _offered(self, keys: KeySet) -> list[asyncssh.SSHKeyPair]:
        loaded = await self._loaded(keys)
        path = agent_path(keys)
        agent = await self._agents.pairs(path) if path else ()
        return offered(loaded, agent, only=keys.only)

    async def scan(
        self,
        endpoint: Endpoint,
        algorithms: list[str],
        tunnel: asyncssh.SSHClientConnection | None = None,
    ) -> asyncssh.SSHKey | None:
        """The key that a host shows; the handshake ends there.

        Raises:
            OSError, asyncssh.Error: As they come; `explain` turns them into ours.
        """
        connect = self._settings.seconds(endpoint.connect_timeout)
        sock = None
        if tunnel is None:
            sock = await dial(endpoint.address, endpoint.port, connect)
        async with asyncio.timeout(connect + self._settings.seconds(LOGIN)):
            return await asyncssh.get_server_host_key(
                endpoint.address,
                endpoint.port,
                sock=sock,
                tunnel=tunnel or (),
                config=None,
                kex_algs=list(_KEX),
                server_host_key_algs=algorithms,
            )

    def explain(self, endpoint: Endpoint, error: Exception) -> OndeckError:
        """Our error for one of the library's or the system's."""
        return self._error(endpoint, error, Client(Recorded()))

    def close(self) -> None:
        """Let the agents go."""
        self._agents.close()

    def _error(self, endpoint: Endpoint, error: Exception, client: Client) -> OndeckError:
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            return _key_error(endpoint, client, str(error))
        if isinstance(error, asyncssh.PermissionDenied):
            return self._auth_error(endpoint)
        where, at = endpoint.name, f"{endpoint.address}:{endpoint.port}"
        if isinstance(error, TimeoutError):
            stage = "answered but did not finish the login" if client.greeted else "did not answer"
            return Unreachable(f"{at} {stage} in time", reason=Reason.TIMEOUT, where=where)
        if isinstance(error, socket.gaierror):
            return Unreachable(
                f"name {endpoint.address} not found", reason=Reason.DNS, hint="see its `address`", where=where
            )
        if isinstance(error, asyncssh.ChannelOpenError):
            via = endpoint.jump.name if endpoint.jump else "the jump host"
            return Unreachable(f"{via} cannot reach {at}: {error.reason}", reason=Reason.JUMP, where=where)
        if isinstance(error, ConnectionRefusedError):
            return Unreachable(f"nothing listens on {at}", reason=Reason.REFUSED, where=where)
        if isinstance(error, (ConnectionResetError, BrokenPipeError, asyncssh.ConnectionLost)):
            return Unreachable(f"{at} closed the connection", reason=Reason.RESET, where=where)
        text = error.reason if isinstance(error, asyncssh.DisconnectError) else str(error)
        if "authentication failures" in text:
            return AuthFailed(
                f"refused {endpoint.login} after too many keys",
                hint="the agent holds many: name one with IdentityFile and IdentitiesOnly yes",
                where=where,
            )
        hint = "its algorithms may be too old for us: label it `ssh: system`"
        return Unreachable(
            f"{at}: {text}", hint=hint if isinstance(error, asyncssh.KeyExchangeFailed) else "", where=where
        )

    def _auth_error(self, endpoint: Endpoint) -> AuthFailed:
        future = self._keys.get(endpoint.keys)
        loaded = future.result() if future is not None and future.done() else Loaded((), (), (), ())
        agent = agent_path(endpoint.keys)
        if loaded.locked and agent is None:
            hint = f"{loaded.locked[0]} is encrypted and no agent runs: `eval $(ssh-agent); ssh-add`"
        elif agent is None and not loaded.pairs:
            hint = "there is no agent (SSH_AUTH_SOCK) and no key file: forward your agent with `ssh -A`"
        elif agent is None:
            hint = "only key files were offered: there is no agent (SSH_AUTH_SOCK)"
        else:
            hint = "`ssh-add -l` lists what was offered"
        return AuthFailed(f"refused the login {endpoint.login}", hint=hint, where=endpoint.name)


def _algorithms(endpoint: Endpoint) -> dict[str, list[str]]:
    """Algorithms that ssh_config asks for; asyncssh understands `+`, `-` and `^` in a string only."""
    found: dict[str, object] = {}
    if endpoint.kex:
        found["kex_algs"] = endpoint.kex
    if endpoint.ciphers:
        found["encryption_algs"] = endpoint.ciphers
    return found  # type: ignore[return-value]


def _key_error(endpoint: Endpoint, client: Client, text: str) -> Unreachable:
    offered = client.offered.get_fingerprint() if client.offered is not None else "?"
    recorded = client.recorded
    trust = f"compare it with the machine, then `ondeck trust {endpoint.name}`"
    if client.verdict is Verdict.UNKNOWN:
        return HostKeyUnknown(f"host key {offered} is not known", hint=trust, where=endpoint.name)
    if client.verdict is Verdict.REVOKED:
        return HostKeyChanged(
            f"host key {offered} IS REVOKED",
            hint="stop: somebody marked this key as stolen",
            where=endpoint.name,
        )
    if client.verdict is Verdict.SAME:
        # The authority is ours, so it was the certificate itself: expired, or for another name.
        return HostKeyChanged(f"host certificate: {text}", hint="renew it on the host", where=endpoint.name)
    was = ", ".join(key.get_fingerprint() for key in recorded.keys) or "signed by another authority"
    return HostKeyChanged(
        f"HOST KEY CHANGED: offered {offered}, recorded {was} ({recorded.where})",
        hint="rebuilt on purpose? remove the recorded line, then " + trust,
        where=endpoint.name,
    )


async def dial(address: str, port: int, seconds: float) -> socket.socket:
    """A connected TCP socket.

    Raises:
        TimeoutError: No answer in time.
        OSError: Not found, refused, no route.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        found = _literal(address, port) or await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM)
        last: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
        for family, kind, proto, _, where in found:
            sock = socket.socket(family, kind, proto)
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_connect(sock, where)
            except OSError as error:
                sock.close()
                last = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise last


_Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]


def _literal(address: str, port: int) -> list[_Found]:
    """An address that is a number needs no resolver thread."""
    try:
        socket.inet_pton(socket.AF_INET, address)
    except OSError:
        return []
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port))]
