"""The built front end: read once, served under content-hashed names, precompressed."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

from flask import Response, request


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file in every encoding it was built in; ``digest`` is part of its address."""

    name: str
    digest: str
    mimetype: str
    bodies: Mapping[str, bytes]

    @property
    def path(self) -> str:
        stem, _, ending = self.name.rpartition(".")
        return f"{stem}.{self.digest}.{ending}"


#: Enough to tell the few releases of one file apart. static/build.mjs counts on it: the loader names the whole script.
_DIGITS = 8

#: Content codings in order of preference, and the ending of their files.
_CODINGS = {"br": ".br", "gzip": ".gz"}


def load_assets(folder: Path) -> dict[str, Asset]:
    """The assets in ``folder`` by file name.

    Raises:
        FileNotFoundError: the front end was not built.
    """
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".js", ".css"):
            continue
        plain = path.read_bytes()
        bodies = {"identity": plain}
        for coding, ending in _CODINGS.items():
            packed = path.with_name(path.name + ending)
            if packed.exists():
                bodies[coding] = packed.read_bytes()
        found[path.name] = Asset(
            name=path.name,
            digest=sha256(plain).hexdigest()[:_DIGITS],
            mimetype="text/javascript" if path.suffix == ".js" else guess_type(path.name)[0] or "text/plain",
            bodies=bodies,
        )
    if not found:
        raise FileNotFoundError(f"{folder} holds no built files; run `make build`.")
    return found


def find_asset(assets: Mapping[str, Asset], path: str) -> tuple[Asset, bool] | None:
    """The asset that ``path`` (``consent.<digest>.js``) means, and whether the digest is today's.

    During a rolling deploy a page of the other release asks for a digest that
    is not here; it gets the file of that name, uncached.
    """
    stem, _, ending = path.rpartition(".")
    name, _, digest = stem.rpartition(".")
    asset = assets.get(f"{name}.{ending}")
    if asset is None or len(digest) != _DIGITS or not all(char in "0123456789abcdef" for char in digest):
        return None
    return asset, digest == asset.digest


def serve_asset(asset: Asset, *, current: bool) -> Response:
    """The file in the best coding the browser takes; for a year where the digest is today's."""
    accepted = request.accept_encodings
    coding = next((one for one in _CODINGS if one in asset.bodies and accepted[one] > 0), "identity")
    response = Response(asset.bodies[coding], mimetype=asset.mimetype)
    if coding != "identity":
        response.headers["Content-Encoding"] = coding
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if current else "no-cache"
    response.headers["Vary"] = "Accept-Encoding"
    response.set_etag(f"{asset.digest}-{coding}")
    response.make_conditional(request)
    return response
