"""The page itself: its components. What they call is in :mod:`.events`.

Gradio is imported when a page is made, as it is an extra, and handed on. Nothing of what the page shows comes from
outside: fonts are the system's, analytics are off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zsavs.webapp import shown
from zsavs.webapp.callbacks import Callbacks
from zsavs.webapp.examples import examples_for
from zsavs.webapp.purposes import preset_purpose, strategy_purpose

__all__ = ["HINT", "HINT_OF_VIDEO", "TO_THE_ANSWER", "Page"]

#: Answers are forgotten, and files deleted, after so many seconds; it is looked for them that often.
_FORGOTTEN_S, _LOOKED_S = 3600, 600

_ABOUT = """
# What sounds in this image?

Give an image and its sound, or a video: zsavs marks the pixels of what sounds, and says how sure it is.
"""
_PRIVATE = (
    "Your files go to the computer that runs this page and to no other. They are deleted when you close the page, at "
    "once with “Delete my files”, and in any case after an hour."
)
HINT = "Choose a region, in the image or by its button, to see why it was marked."
HINT_OF_VIDEO = "Choose a source by its button, to see why it was marked."
#: A click on a region's button, or on a point of the image.
_CLICKS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-region]');
  const image = event.target.closest('img');
  if (button) trigger('click', { region: Number(button.dataset.region) });
  else if (image) {
    const box = image.getBoundingClientRect();
    trigger('click', { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
  }
});
"""
#: Presses the button of the region of which it is told why it was marked.
_PRESSES = """
watch('value', () => {
  const told = element.querySelector('[data-told]');
  for (const button of document.querySelectorAll('.zs-regions [data-region]'))
    button.setAttribute('aria-pressed', String(Boolean(told) && button.dataset.region === told.dataset.told));
});
"""
#: On a phone the answer is below what is asked.
TO_THE_ANSWER = """
() => {
  const answer = document.getElementById('message');
  if (answer.getBoundingClientRect().top > innerHeight - 100) answer.scrollIntoView({ block: 'start' });
}
"""


class Page:
    """The components of the page, by their names.

    Args:
        gr: Gradio.
        doings: what the page offers.
    """

    def __init__(self, gr: Any, doings: Callbacks) -> None:
        self.gr, self.models = gr, doings.models
        presets = doings.models.presets()
        self.examples = examples_for(presets)
        with gr.Blocks(
            title="zsavs: what sounds in this image?", analytics_enabled=False, delete_cache=(_LOOKED_S, _FORGOTTEN_S)
        ) as self.blocks:
            self.kept = gr.State(None, time_to_live=_FORGOTTEN_S)
            self.picked = gr.State(None, time_to_live=_FORGOTTEN_S)
            gr.Markdown(_ABOUT, elem_id="about")
            if offer := doings.models.offer():
                gr.HTML(shown.message(f"For your own photographs, run this once, and start the page again: {offer}"))
            with gr.Row(equal_height=False):
                with gr.Column(scale=2, min_width=320):
                    self._questions(presets)
                with gr.Column(scale=3, min_width=320):
                    self._answers()
            gr.Markdown(_PRIVATE, elem_id="private")

    # --------------------------------------------------------------- components
    def _questions(self, presets: Sequence[str]) -> None:
        """The column of what is given and chosen."""
        gr = self.gr
        with gr.Tabs() as self.tabs:
            with gr.Tab("Image and sound", id="pair"):
                self.image = gr.Image(
                    label="Image",
                    sources=["upload", "webcam", "clipboard"],
                    type="filepath",
                    image_mode=None,
                    height=260,
                    webcam_options=gr.WebcamOptions(mirror=False),
                    buttons=["fullscreen"],  # not "share", which sends it elsewhere
                    alt_text="the image that you gave",
                    elem_id="image",
                )
                # What is no image is told in our words; Gradio would open it first, and fail in its own.
                self.image.preprocess = lambda payload: payload and payload.path
                self.audio = gr.Audio(
                    label="Sound", sources=["upload", "microphone"], type="filepath", buttons=[], elem_id="audio"
                )
                self.ask_pair = gr.Button("Find what sounds", variant="primary", elem_id="ask-pair")
            with gr.Tab("Video", id="video"):
                self.video = gr.Video(label="Video", sources=["upload", "webcam"], buttons=[], elem_id="video")
                self.ask_video = gr.Button("Find what sounds in the video", variant="primary", elem_id="ask-video")
        gr.Markdown("Or try one of these:", elem_id="try")
        with gr.Row(elem_id="examples"):
            self.example_buttons = [
                gr.Button(example.title, size="sm", min_width=120, elem_id=f"example-{number}")
                for number, example in enumerate(self.examples)
            ]
        first = presets[0] if presets else None
        self.preset = gr.Dropdown(
            [(f"{name}: {preset_purpose(name)}", name) for name in presets],
            value=first,
            label="Models",
            info="which preset answers",
            filterable=False,
            elem_id="preset",
        )
        with gr.Accordion("Strategies: how it listens and looks", open=False, elem_id="how"):
            self.strategies = gr.CheckboxGroup(
                **self.choices(first), label="Strategies", info="several are shown side by side", elem_id="strategies"
            )
            self.fainter = gr.Checkbox(
                label="Look for fainter sounds, too",
                info="slower; then lower “Heard” beside the answer",
                elem_id="fainter",
            )
        self.delete = gr.Button("Delete my files", size="sm", elem_id="delete")

    def _answers(self) -> None:
        """The column of what is answered."""
        gr = self.gr
        self.message = gr.HTML(shown.message("The answer appears here."), elem_id="message")
        self.looked_at = gr.Radio([], label="Look at the answer of", visible=False, elem_id="looked-at")
        self.picture = gr.HTML("", js_on_load=_CLICKS, elem_id="picture")
        self.annotated = gr.Video(
            label="The video, with what sounds marked",
            visible=False,
            interactive=False,
            buttons=["download"],
            elem_id="annotated",
        )
        with gr.Group(visible=False) as self.about_region:
            self.why = gr.HTML("", js_on_load=_PRESSES, padding=True, elem_id="why")
            with gr.Row():
                self.remove = gr.Button("Remove this region", size="sm", interactive=False, elem_id="remove")
                self.restore = gr.Button("Bring all back", size="sm", interactive=False, elem_id="restore")
        with gr.Accordion("How sure must it be?", visible=False, elem_id="thresholds") as self.thresholds:
            self.weight = gr.Slider(0, 1, 0, step=0.01, label="Heard", info="least weight of a sound", elem_id="weight")
            self.evidence = gr.Slider(
                -5, 5, 0, step=0.1, label="Seen", info="least evidence of a region; below 0 lets more in",
                elem_id="evidence",
            )  # fmt: skip
            self.score = gr.Slider(0, 1, 0, step=0.01, label="Score", info="least score in all", elem_id="score")
        self.heard = gr.HTML("", elem_id="heard")
        self.side_by_side = gr.HTML("", elem_id="side-by-side")
        self.make_files = gr.Button("Make files to download", visible=False, elem_id="make-files")
        self.files = gr.Files(label="Files", visible=False, interactive=False, elem_id="files")

    @property
    def given(self) -> list[Any]:
        """What a visitor gives: image, sound and video."""
        return [self.image, self.audio, self.video]

    @property
    def view(self) -> list[Any]:
        """All that shows an answer."""
        shown_as = [self.kept, self.picked, self.message, self.looked_at, self.picture, self.annotated]
        shown_as += [self.about_region, self.why, self.remove, self.restore, self.thresholds, self.weight]
        return [*shown_as, self.evidence, self.score, self.heard, self.side_by_side, self.make_files, self.files]

    def choices(self, preset: str | None) -> dict[str, Any]:
        """The strategies that a preset has, and which is chosen first."""
        names = self.models.strategies(preset) if preset else []
        return {"choices": [(f"{name}: {strategy_purpose(name)}", name) for name in names], "value": names[:1]}
