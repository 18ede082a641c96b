"""Why a peer is ahead of erlen where it is: kind, row, peer → words; ``*`` stands for any."""

REASONS: dict[tuple[str, str, str], str] = {
    ("startup", "distributions", "*"): (
        "erlen brings the server, templates, signed sessions and the test client with it"
    ),
    ("startup", "installed", "*"): (
        "erlen brings the server, templates, signed sessions and the test client with it"
    ),
}
