"""What an inventory may say of an AWS account, checked."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ondeck.errors import BadInput
from ondeck.inventory.model import Account, Inventory

Region = Annotated[str, Meta(pattern=r"^[a-z]{2,4}(-[a-z]+){1,3}-\d{1,2}$")]
Url = Annotated[str, Meta(pattern=r"^(https?://[^\s/]+.*)?$")]


class Keys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """References to secrets that hold keys, where no profile has them: `env:NAME`, `vault:kv/x#key`."""

    id: str
    secret: str
    token: str = ""

    @property
    def references(self) -> tuple[str, ...]:
        """All that have to be resolved."""
        return tuple(one for one in (self.id, self.secret, self.token) if one)


class AwsOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of an account of kind `aws`.

    Attributes:
        profile: Profile in `~/.aws/config`; empty means the default one, or the machine's role.
        regions: Regions that are looked at, side by side.
        role: Role that is assumed from the profile.
        endpoint: URL of every service, for tests and private endpoints.
        endpoints: URL by service, before `endpoint`: `{s3: https://...}`.
        keys: References to secrets, instead of a profile.
        discover: The rest of a `discover` entry (`name`, `group`, `same_host_by`): its instances are hosts.
    """

    regions: Annotated[tuple[Region, ...], Meta(min_length=1)]
    profile: str = ""
    role: Annotated[str, Meta(pattern=r"^(arn:[a-z-]+:iam::\d{12}:role/.+)?$")] = ""
    endpoint: Url = ""
    endpoints: dict[str, Url] = {}
    keys: Keys | None = None
    discover: dict[str, Any] = {}


class Aws(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the inventory, ready to be asked."""

    name: str
    env: str
    options: AwsOptions

    def endpoint(self, service: str) -> str | None:
        """URL of a service; None means AWS itself."""
        return self.options.endpoints.get(service) or self.options.endpoint or None

    @property
    def profile_words(self) -> str:
        """How the AWS command line names what we log in with."""
        return f" --profile {self.options.profile}" if self.options.profile else ""


def aws_of(account: Account) -> Aws:
    """An account with its options checked.

    Raises:
        BadInput: They are wrong; the message names the key.
    """
    try:
        options = msgspec.convert(account.options, AwsOptions, strict=False)
    except msgspec.ValidationError as error:
        where = f"accounts.{account.name}"
        raise BadInput(f"not an account of AWS: {_plain(error)}", where=where) from error
    if options.keys is not None and options.profile:
        raise BadInput("profile and keys are two logins: keep one", where=f"accounts.{account.name}")
    return Aws(name=account.name, env=account.env, options=options)


def account_of(inventory: Inventory, name: str) -> Aws:
    """The AWS account of this name.

    Raises:
        BadInput: There is none, or its options are wrong.
    """
    account = inventory.accounts.get(name)
    if account is None or account.kind != "aws":
        raise BadInput(f"no AWS account {name!r} in the inventory")
    return aws_of(account)


def _plain(error: msgspec.ValidationError) -> str:
    return re.sub(r" - at `\$\.?(.*)`", r" (\1)", str(error))
