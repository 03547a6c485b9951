"""URLs of media as Discord signs them: the URL without its signature, when that ends, and which name it ends in."""

from hashlib import sha256

_SIGNATURE = frozenset({"ex", "is", "hm"})
_LONGEST_EXTENSION = 41
_LONGEST_STEM = 42
_MAX_NAME_BYTES = 255


def unsigned(url: str) -> str:
    """Return the URL without Discord's signature; the rest of its query stays as it is."""
    before, mark, query = url.partition("?")
    kept = [part for part in query.split("&") if part and part.partition("=")[0] not in _SIGNATURE]
    return before + mark + "&".join(kept) if kept else before


def expires_at(url: str) -> float | None:
    """Return when the signature ends, in seconds since 1970, or ``None`` where the URL does not say."""
    for part in url.partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if name == "ex":
            try:
                return float(int(value, 16))
            except ValueError:
                return None
    return None


def last_part(url: str) -> str:
    """Return what stands behind the last slash of the URL's path, percent-encoded as it is."""
    return url.partition("?")[0].partition("#")[0].rpartition("/")[2]


def exported_name(url: str, *, digits: int = 5) -> str:
    """Return the name that DiscordChatExporter gives the file of a URL: ``picture-1A2B3.png``.

    ``digits`` is how much of the URL's digest it has: 5, or 16 as in the exporter's later versions.
    Source: DiscordChatExporter, ExportAssetDownloader.GetFileNameFromUrl.
    """
    name = last_part(url)
    stem, dot, ending = name.rpartition(".")
    extension = dot + ending if dot and ending else ""
    if not dot:
        stem = name
    if len(extension) > _LONGEST_EXTENSION:
        stem, extension = name, ""
    mark = sha256(unsigned(url).encode("utf-8", "surrogatepass")).hexdigest()[:digits].upper()
    room = _MAX_NAME_BYTES - len(mark) - 1 - len(_bytes(extension))
    short = _bytes(stem[:_LONGEST_STEM])[:room].decode(errors="ignore")
    return f"{short}-{mark}{extension}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
