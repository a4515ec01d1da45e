"""Buckets and objects of S3, browsed by prefix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ondeck.errors import Missing, OndeckError
from ondeck.observe.resources import Resource, ResourceState
from providers.aws.calling import Calls, each
from providers.aws.rows import age, key_in_name, object_of, size, text, when

_PAGE = 1000


async def buckets(calls: Calls) -> list[Resource]:
    """Every bucket with the region that it is in; S3 has one list for all regions."""
    first = calls.account.options.regions[0]
    # With a size of page S3 tells the region too ("ListBuckets", S3 API); others have to be asked one by one.
    size_of_page = {"PageSize": _PAGE}
    listed = await calls.pages(first, "s3", "list_buckets", "Buckets", PaginationConfig=size_of_page)

    async def region_of(bucket: str) -> str:
        answer = await calls.read(first, "s3", "get_bucket_location", Bucket=bucket)
        # No constraint means the oldest region ("GetBucketLocation", S3 API).
        return str(answer.get("LocationConstraint") or "us-east-1")

    unknown = [str(bucket["Name"]) for bucket in listed if not bucket.get("BucketRegion")]
    located, _ = await each(unknown, region_of)
    rows = []
    for bucket in listed:
        name = str(bucket["Name"])
        region = str(bucket.get("BucketRegion") or located.get(name) or "?")
        detail = {"name": text(name), "region": text(region), "made": when(bucket.get("CreationDate"))}
        cells = (text(name), text(region), age(bucket.get("CreationDate")))
        state = ResourceState.UNKNOWN if region == "?" else ResourceState.GOOD
        rows.append(Resource(name=f"{region}/{name}", cells=cells, state=state, detail=detail))
    return rows


async def objects(calls: Calls) -> tuple[list[Resource], str]:
    """The first level of every bucket, and what of it is not shown."""
    rows: list[Resource] = []
    short: list[str] = []

    async def first_level(bucket: str) -> tuple[list[Resource], bool]:
        region, name = bucket.split("/", 1)
        return await level(calls, region, name, "")

    good, bad = await each([bucket.name for bucket in await buckets(calls)], first_level)
    for bucket, (found, more) in good.items():
        rows += found
        if more:
            short.append(f"{bucket} has more than {_PAGE}")
    short += [f"{bucket}: {error.message}" for bucket, error in bad.items()]
    return rows, "; ".join(short)


async def level(calls: Calls, region: str, bucket: str, prefix: str) -> tuple[list[Resource], bool]:
    """What is right below a prefix, folders first; whether there is more than one page of it."""
    answer = await calls.read(
        region, "s3", "list_objects_v2", Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=_PAGE
    )
    rows = [
        Resource(
            name=f"{region}/{bucket}/{key_in_name(folder['Prefix'])}",
            cells=(text(f"{bucket}/{folder['Prefix']}"), "-", "-", "folder"),
            state=ResourceState.IDLE,
            detail={"bucket": text(bucket), "prefix": text(folder["Prefix"])},
        )
        for folder in answer.get("CommonPrefixes", ())
    ]
    rows += [_row(region, bucket, one) for one in answer.get("Contents", ())]
    return rows, bool(answer.get("IsTruncated"))


def _row(region: str, bucket: str, one: Mapping[str, Any]) -> Resource:
    key = str(one["Key"])
    cells = (
        text(f"{bucket}/{key}"),
        size(one.get("Size")),
        age(one.get("LastModified")),
        text(one.get("StorageClass")).lower() or "-",
    )
    detail = {
        "bucket": text(bucket),
        "key": text(key),
        "bytes": one.get("Size"),
        "etag": text(one.get("ETag")).strip('"'),
        "changed": when(one.get("LastModified")),
    }
    name = f"{region}/{bucket}/{key_in_name(key)}"
    return Resource(name=name, cells=cells, state=ResourceState.GOOD, detail=detail)


async def head(calls: Calls, region: str, bucket: str, key: str, version: str = "") -> dict[str, Any] | None:
    """Facts of an object; None when it is not there."""
    more = {"VersionId": version} if version else {}
    try:
        return await calls.read(region, "s3", "head_object", Bucket=bucket, Key=key, **more)
    except Missing:
        return None


async def described(calls: Calls, region: str, rest: str) -> dict[str, Any]:
    """A bucket or a prefix with what is below it, or one object with its versions.

    Raises:
        Missing: There is no such object.
    """
    bucket, key, version = object_of(rest)
    if not key or key.endswith("/"):
        rows, more = await level(calls, region, bucket, key)
        below = ["  ".join(row.cells) for row in rows]
        return {"bucket": text(bucket), "prefix": text(key), "below": below, "more": more}
    facts = await head(calls, region, bucket, key, version)
    if facts is None:
        raise Missing(f"no object {text(key)} in {bucket}", where=f"{calls.account.name} {region}")
    return {
        "bucket": text(bucket),
        "key": text(key),
        "bytes": facts.get("ContentLength"),
        "etag": etag(facts),
        "type": text(facts.get("ContentType")),
        "changed": when(facts.get("LastModified")),
        "version": text(facts.get("VersionId")),
        "metadata": {text(k): text(v) for k, v in facts.get("Metadata", {}).items()},
        "versions": await _versions(calls, region, bucket, key),
    }


def etag(facts: Mapping[str, Any]) -> str:
    """Its ETag without the quotes."""
    return text(facts.get("ETag")).strip('"')


async def _versions(calls: Calls, region: str, bucket: str, key: str) -> list[str] | str:
    try:
        answer = await calls.read(region, "s3", "list_object_versions", Bucket=bucket, Prefix=key)
    except OndeckError as error:
        return f"could not be asked: {error.message}"
    return [
        f"{text(one['VersionId'])}  {size(one.get('Size'))}  {age(one.get('LastModified'))}"
        for one in answer.get("Versions", ())
        if one["Key"] == key and one.get("VersionId") not in (None, "null")
    ]
