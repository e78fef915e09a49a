"""Upwork, through the tiles of its search page, for when the state beside them is not there."""

from __future__ import annotations

import re

from parsel import Selector

from outsourcing_spiders.platforms.embedded_json import Row, Tiles
from outsourcing_spiders.platforms.html_cards import paragraphs_of, text_of, texts_of

# Values of data-test are lists of words.
_TITLE = "a[data-test~='job-tile-title-link'], a[data-test~='UpLink']"
_TEXTS = {
    "title": _TITLE,
    # Spelled so; the second one is of 2024.
    "createdOn": "[data-test~='job-pubilshed-date'] span:last-child, [data-test='JobTileHeader'] small span:last-child",
    "tierText": "[data-test~='experience-level']",
    "terms": "[data-test~='job-type-label']",
    "price": "[data-test~='is-fixed-price']",
    "time": "[data-test~='duration-label'] strong:last-child",
    "proposals": "[data-test~='proposals-tier'] strong",
    "spent": "[data-test~='total-spent'] strong",
    "country": "[data-test~='location']",
    "rating": "[data-test~='feedback-rating'] .air3-rating-value-text",
}


def tile_row(tile: Selector) -> Row:
    """Return what a tile shows, under the names that the state has; what is only shown has names of its own.

    Those are ``terms`` and ``price`` (the budget in words), ``workload``, ``proposals``, ``spent``, ``featured``.
    """
    shown = {name: text_of(tile, css) for name, css in _TEXTS.items()}
    times = (shown["time"] or "").split(", ")
    workload = next((part for part in times if "hrs/week" in part or part.startswith("Hours")), None)
    verified = [word for word in ("verified", "unverified") if tile.css(f"[data-test~='payment-{word}']")]
    ciphertexts = re.findall(r"~0[12]\w+", tile.css(_TITLE).attrib.get("href", ""))
    return shown | {
        "uid": tile.attrib["data-ev-job-uid"],
        "ciphertext": ciphertexts[-1] if ciphertexts else None,
        "title": shown["title"] or "",
        "description": paragraphs_of(tile, "[data-test~='JobDescription'] p"),
        "durationLabel": next((part for part in times if part and part != workload), None),
        "workload": workload,
        "attrs": [{"prettyName": text} for text in texts_of(tile, "[data-test~='token']")],
        "client": {
            "location": {"country": (shown["country"] or "").removeprefix("Location ")},
            "totalFeedback": shown["rating"],
            "isPaymentVerified": "verified" in verified if verified else None,
        },
        "featured": bool(tile.css("[data-test~='featured']")),
    }


TILES = Tiles(
    tile="article[data-ev-job-uid]",
    row=tile_row,
    nothing="[data-test~='NoResults']",
    next_page="[data-test~='next-page']",
)
