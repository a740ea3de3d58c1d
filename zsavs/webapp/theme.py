"""The looks of the page: the system's fonts, and colours with enough contrast in light and in dark."""

from __future__ import annotations

from typing import Any

__all__ = ["make_theme"]

_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
_MONOSPACE = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]
#: Quiet text: at least 4.5 : 1 against every ground that it stands on.
_QUIET, _QUIET_DARK = "*neutral_600", "*neutral_300"


def make_theme(gr: Any) -> Any:
    """Gradio's own theme with these fonts, of which none is fetched, and these colours.

    Args:
        gr: Gradio.
    """
    theme = gr.themes.Default(primary_hue="indigo", font=_FONTS, font_mono=_MONOSPACE)
    quiet = ("body_text_color_subdued", "block_info_text_color", "block_label_text_color", "block_title_text_color")
    colours = dict.fromkeys(quiet, _QUIET) | {f"{name}_dark": _QUIET_DARK for name in quiet}
    return theme.set(
        **colours,
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        color_accent="*primary_600",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
    )
