"""What AWS and its library say when something is wrong, in plain words and as the errors that ondeck knows."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

from boto3.exceptions import Boto3Error
from botocore import exceptions as boto

from ondeck.errors import (
    AuthFailed,
    BadInput,
    LinkLost,
    Missing,
    OndeckError,
    Reason,
    RemoteFailed,
    Unreachable,
)
from ondeck.text import safe_line
from providers.aws.options import Aws

THROTTLED = frozenset({
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
    "RequestThrottled", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown", "EC2ThrottledException",
    "BandwidthLimitExceeded", "LimitExceededException", "ProvisionedThroughputExceededException",
    "PriorRequestNotComplete",
})  # fmt: skip
"""Codes that mean: not done, come more slowly (botocore, `retries/standard.py`)."""

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"})
_KEYS = frozenset({
    "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure", "InvalidToken",
    "SignatureDoesNotMatch", "InvalidSignatureException", "MissingAuthenticationToken",
    "IncompleteSignature", "MissingAuthenticationTokenException",
})  # fmt: skip
_OR_OFF = frozenset({"AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"})
"""What a region that is not enabled answers too ("Troubleshooting Regions", AWS account management)."""
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
_OFF = frozenset({"OptInRequired", "RegionDisabledException"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"})
_LOGINS = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetRoleCredentials"})
_GONE = frozenset({"NoSuchBucket", "NoSuchKey", "NoSuchVersion", "404", "ChangeSetNotFound"})
_ENCODED = re.compile(r"\s*Encoded authorization failure message:.*", re.DOTALL)


def code_of(error: BaseException) -> str:
    """Code of an answer that refused; empty for anything else."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, boto.ClientError) else ""


def meant(error: Exception, account: Aws, region: str, *, sent: bool) -> OndeckError:
    """An exception of boto3 as one of ours.

    Args:
        error: What was raised.
        account: Whose call it was.
        region: Where.
        sent: The call changes something, so that an answer that did not come leaves its outcome open.
    """
    where = f"{account.name} {region}".strip()
    while isinstance(error, Boto3Error) and isinstance(error.__context__, Exception):
        error = error.__context__  # a transfer hides what S3 said
    if isinstance(error, OndeckError):
        return error
    if isinstance(error, boto.ClientError):
        return _refused(error, account, where, sent=sent)
    if (login := _login(error, account, where)) is not None:
        return login
    if isinstance(error, (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError)):
        return _no_connection(error, region, where)
    if isinstance(error, boto.SSLError):
        return Unreachable(f"its certificate is not trusted: {_line(error)}", where=where)
    if isinstance(error, (boto.HTTPClientError, boto.ReadTimeoutError, OSError)):
        if sent:
            return LinkLost("the connection ended before AWS answered", where=where)
        late = isinstance(error, boto.ReadTimeoutError)
        reason = Reason.TIMEOUT if late else Reason.RESET
        said = "AWS did not answer in time" if late else "the connection ended before AWS answered"
        return Unreachable(said, reason=reason, where=where)
    if isinstance(error, (boto.ParamValidationError, boto.InvalidRegionError, boto.UnknownServiceError)):
        return BadInput(_line(error), where=where)
    return RemoteFailed(f"{type(error).__name__}: {_line(error)}", where=where)


def _refused(error: boto.ClientError, account: Aws, where: str, *, sent: bool) -> OndeckError:
    code = code_of(error)
    if error.operation_name in _LOGINS and code not in (_SKEWED | THROTTLED):
        said = safe_line(str(error.response.get("Error", {}).get("Message", "")))[:400]
        return AuthFailed(f"{error.operation_name} was refused: {said or code}", where=where)
    message = safe_line(_ENCODED.sub("", str(error.response.get("Error", {}).get("Message", ""))).strip())[
        :400
    ]
    if code in _SKEWED or "ignature expired" in message or "ignature not yet current" in message:
        return _skewed(error, where)
    if code in _EXPIRED or "token included in the request is expired" in message.lower():
        return _ended("the credentials have expired", account, where)
    if code in _OFF:
        return Unreachable("this region is not enabled for the account", where=where,
                           hint="enable it in the account's settings, or take it out of `regions`")  # fmt: skip
    if code in _KEYS:
        or_off = ", or the region is not enabled" if code in _OR_OFF else ""
        return AuthFailed(f"AWS does not accept these keys ({code}){or_off}", where=where)
    if code in THROTTLED:
        return RemoteFailed(f"AWS throttles this account ({code}): nothing was done", where=where,
                            hint="ask again in a minute; who else calls it this often?")  # fmt: skip
    if code in _DENIED:
        what = f"{error.operation_name}: {message or 'access denied'}"
        return RemoteFailed(f"not allowed: {what}", where=where, hint="see which policy of the role says so")
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    if status >= 500 and sent:
        return LinkLost(
            f"AWS broke while it worked on {error.operation_name} ({code} {message})", where=where
        )
    if code in _GONE or ".NotFound" in code or code.endswith("NotFoundException"):
        return Missing(f"{message or 'it is not there'} ({code})", where=where)
    return RemoteFailed(f"{error.operation_name}: {message or 'refused'} ({code})", where=where)


def _skewed(error: boto.ClientError, where: str) -> OndeckError:
    headers: dict[str, Any] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    by = ""
    try:
        seconds = parsedate_to_datetime(str(headers.get("date", ""))).timestamp() - time.time()
        by = f" by {_span(abs(seconds))}, it is {'behind' if seconds > 0 else 'ahead'}"
    except (TypeError, ValueError):
        by = ""
    # Nobody's target is to blame, and no call is accepted until it is set right: like a login that ended.
    message = f"the clock of this machine is wrong{by}, so AWS accepts no call; set it, e.g. chronyc makestep"
    return AuthFailed(message, where=where, reason=Reason.CREDENTIALS)


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def _ended(message: str, account: Aws, where: str, renew: str = "") -> AuthFailed:
    """What to do stands in the message: a job that waits for credentials shows only that."""
    do = renew or f"log in again: aws sso login{account.profile_words}, or renew its keys"
    return AuthFailed(f"{message}; {do}", where=where, reason=Reason.CREDENTIALS)


def wants_code(account: Aws) -> AuthFailed:
    """A profile with MFA: its code is asked for by the AWS command line, whose session we borrow."""
    name = f"profile {account.options.profile!r}" if account.options.profile else "the default profile"
    return AuthFailed(
        f"{name} wants an MFA code, which ondeck never asks for; run first, it is good for an hour: "
        f"aws sts get-caller-identity{account.profile_words}",
        where=account.name,
        reason=Reason.CREDENTIALS,
    )


def _login(error: Exception, account: Aws, where: str) -> OndeckError | None:
    sso = f"aws sso login{account.profile_words}"
    if isinstance(error, (boto.UnauthorizedSSOTokenError, boto.SSOTokenLoadError, boto.TokenRetrievalError)):
        return _ended("the SSO session has ended or was never begun", account, where, f"run: {sso}")
    if isinstance(error, boto.ProfileNotFound):
        hint = "aws configure list-profiles names those that there are"
        return AuthFailed(f"no profile {account.options.profile!r} in ~/.aws/config", where=where, hint=hint)
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError)):
        named = f"profile {account.options.profile!r}" if account.options.profile else "the default profile"
        return AuthFailed(
            f"{named} has no usable keys", where=where, hint=f"aws configure{account.profile_words}"
        )
    if isinstance(error, boto.RefreshWithMFAUnsupportedError):
        return wants_code(account)
    if isinstance(error, boto.CredentialRetrievalError):
        return _ended(f"the credentials could not be fetched: {_line(error)}", account, where)
    if isinstance(error, (boto.InvalidConfigError, boto.ConfigParseError, boto.ConfigNotFound)):
        return AuthFailed(f"~/.aws/config is wrong: {_line(error)}", where=where)
    return None


def _no_connection(error: Exception, region: str, where: str) -> Unreachable:
    url = safe_line(str(getattr(error, "kwargs", {}).get("endpoint_url", "")))
    text = str(getattr(error, "kwargs", {}).get("error", error)).lower()
    if isinstance(error, boto.ConnectTimeoutError):
        return Unreachable(f"no connection to {url} in time", reason=Reason.TIMEOUT, where=where)
    if "name or service" in text or "resolve" in text or "getaddrinfo" in text:
        hint = f"is {region!r} the right name of a region?"
        return Unreachable(f"{url} has no address", reason=Reason.DNS, where=where, hint=hint)
    return Unreachable(f"nothing answers at {url}", reason=Reason.REFUSED, where=where)


def _line(error: BaseException) -> str:
    return safe_line(str(error))[:400]
