"""Floor 6: the media type of a file by its name, from a table that no machine changes."""

from typing import Final

#: Media type of what is not in the table.
UNKNOWN: Final = "application/octet-stream"

# The registry of a machine is not asked: it would make the same file a script on one and text on
# another. Types as registered with IANA, where they are.
_TABLE: Final = """
application/atom+xml            atom
application/epub+zip            epub
application/geo+json            geojson
application/java-archive        jar
application/json                json map
application/jsonl               jsonl ndjson
application/ld+json             jsonld
application/manifest+json       webmanifest
application/msword              doc dot
application/ogg                 ogx
application/pdf                 pdf
application/pgp-signature       sig
application/pkcs7-mime          p7c
application/postscript          ai eps ps
application/rss+xml             rss
application/rtf                 rtf
application/sql                 sql
application/toml                toml
application/vnd.apple.mpegurl   m3u8
application/vnd.apple.pkpass    pkpass
application/vnd.debian.binary-package   deb
application/vnd.ms-excel        xls xlt
application/vnd.ms-fontobject   eot
application/vnd.ms-powerpoint   ppt pps pot
application/vnd.oasis.opendocument.presentation odp
application/vnd.oasis.opendocument.spreadsheet  ods
application/vnd.oasis.opendocument.text         odt
application/vnd.openxmlformats-officedocument.presentationml.presentation   pptx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet           xlsx
application/vnd.openxmlformats-officedocument.wordprocessingml.document     docx
application/vnd.rar             rar
application/vnd.sqlite3         db sqlite sqlite3
application/wasm                wasm
application/x-7z-compressed     7z
application/x-bzip2             bz2
application/x-sh                sh
application/x-tar               tar
application/x-xz                xz
application/xhtml+xml           xhtml xht
application/xml                 rng xml xpdl xsd xsl wsdl
application/xslt+xml            xslt
application/yaml                yaml yml
application/zip                 zip
audio/aac                       aac adts
audio/basic                     au snd
audio/flac                      flac
audio/midi                      mid midi
audio/mp4                       m4a
audio/mpeg                      mp2 mp3
audio/ogg                       oga ogg opus
audio/webm                      weba
audio/x-aiff                    aif aiff
audio/x-wav                     wav
font/collection                 ttc
font/otf                        otf
font/ttf                        ttf
font/woff                       woff
font/woff2                      woff2
image/apng                      apng
image/avif                      avif
image/bmp                       bmp
image/gif                       gif
image/heic                      heic
image/heif                      heif
image/jpeg                      jpg jpeg jpe jfif
image/jxl                       jxl
image/png                       png
image/svg+xml                   svg
image/tiff                      tif tiff
image/vnd.microsoft.icon        ico
image/webp                      webp
message/rfc822                  eml
model/gltf+json                 gltf
model/gltf-binary               glb
model/obj                       obj
model/stl                       stl
text/calendar                   ics ifb
text/css                        css
text/csv                        csv
text/html                       html htm
text/javascript                 js mjs cjs
text/markdown                   md markdown
text/plain                      txt text log conf ini cfg asc c h pl py rst
text/rtf                        rtx
text/tab-separated-values       tsv
text/vcard                      vcf
text/vtt                        vtt
text/x-diff                     diff patch
video/3gpp                      3gp 3gpp
video/mp2t                      ts
video/mp4                       mp4 m4v
video/mpeg                      mpeg mpg mpe m1v
video/ogg                       ogv
video/quicktime                 mov qt
video/webm                      webm
video/x-matroska                mkv
video/x-msvideo                 avi
"""

_TYPES: Final = {
    ending: kind for kind, *endings in map(str.split, _TABLE.strip().splitlines())
    for ending in endings
}  # fmt: skip

#: Ending → content coding (RFC 9110 section 8.4.1) of what the rest of the name says.
_CODINGS: Final = {"gz": "gzip", "br": "br", "zst": "zstd"}
#: Endings that say two things at once.
_TWOFOLD: Final = {"tgz": "tar.gz", "svgz": "svg.gz"}
#: Content coding → media type of a file for which it is not a coding but all that it is.
_ARCHIVES: Final = {"gzip": "application/gzip", "zstd": "application/zstd"}


def guess_type(name: str) -> tuple[str, str | None]:
    """Return media type and content coding of a file; ``a.css.gz`` is ``text/css`` in ``gzip``."""
    stem, dot, ending = name.lower().rpartition(".")
    if ending in _TWOFOLD:
        stem, dot, ending = f"{stem}.{_TWOFOLD[ending]}".rpartition(".")
    coding = _CODINGS.get(ending) if stem else None
    if coding is not None:
        stem, dot, ending = stem.rpartition(".")
    return (_TYPES.get(ending, UNKNOWN) if stem and dot else UNKNOWN), coding


def type_to_keep(name: str) -> str:
    """Return the media type of a file that is kept as it is: ``application/gzip`` of ``a.css.gz``.

    A client undoes a content coding, also when it saves: ``a.tar.gz`` would hold a plain archive.
    """
    kind, coding = guess_type(name)
    return kind if coding is None else _ARCHIVES.get(coding, UNKNOWN)
