"""Floor 3: what the header fields of a multipart part say of its content."""

from erlen.wire.headers import Headers
from erlen.wire.params import parse_options_header


class PartFields:
    """The media type of a part, for uploads and for parts that are read as they arrive.

    Attributes:
        headers: Header fields of the part; their text is UTF-8.
    """

    def __init__(self, headers: Headers) -> None:
        """*headers* may be empty."""
        self.headers = headers

    @property
    def content_type(self) -> str | None:
        """The part's Content-Type as sent, which the client may have made up; ``None`` without."""
        return self.headers.get("content-type")

    @property
    def mimetype(self) -> str:
        """Its media type in lower case, without parameters; ``""`` when missing."""
        return parse_options_header(self.content_type)[0].lower()

    @property
    def mimetype_params(self) -> dict[str, str]:
        """Parameters of its media type."""
        return parse_options_header(self.content_type)[1]
