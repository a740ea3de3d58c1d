"use strict";
// Lights up the lane of what sounds, moves the playhead, and lets lanes, names and keys move the video.
const player = document.getElementById("player");
const timeline = document.getElementById("timeline");
const start = Number(timeline.dataset.start);
const length = Number(timeline.dataset.end) - start;

const spans = (lane, kind) =>
  [...lane.querySelectorAll(kind)].map((bar) => ({ bar, on: Number(bar.dataset.on), off: Number(bar.dataset.off) }));
const lanes = [...timeline.querySelectorAll(".source")].map((lane) => ({
  lane,
  label: lane.dataset.label,
  button: lane.querySelector("button"),
  inView: !lane.classList.contains("heard"),
  sounds: spans(lane, ".bar"),
  seen: spans(lane, ".seen"),
}));

// Seconds of the original video; the player's own start where the annotated video starts.
const now = () => start + player.currentTime;
const seek = (time) => {
  player.currentTime = Math.min(Math.max(time - start, 0), Math.max(0, (player.duration || length) - 0.01));
  show();
};
const within = (span, time) => span.on <= time && time < span.off;

function show() {
  const time = now();
  const marked = [];
  const heard = [];
  timeline.style.setProperty("--head", Math.min(Math.max((time - start) / length, 0), 1));
  for (const { lane, label, inView, sounds, seen } of lanes) {
    const on = sounds.some((span) => within(span, time));
    lane.classList.toggle("on", on);
    sounds.forEach((span) => span.bar.classList.toggle("on", within(span, time)));
    if (on) (inView && seen.some((span) => within(span, time)) ? marked : heard).push(label);
  }
  document.getElementById("now").textContent = marked.length ? `Sounding: ${marked.join(", ")}` : timeline.dataset.nothing;
  document.getElementById("heard").textContent = heard.length ? `heard, not in view: ${heard.join(", ")}` : "";
}

function follow() {
  show();
  if (!player.paused && !player.ended) requestAnimationFrame(follow);
}
player.addEventListener("play", follow);
for (const event of ["timeupdate", "seeked", "loadedmetadata"]) player.addEventListener(event, show);

// A name jumps to where its source sounds next, and after the last time to the first.
for (const { button, sounds } of lanes) {
  button.addEventListener("click", () => {
    const next = sounds.find((span) => span.on > now() + 0.05) || sounds[0];
    seek(Math.max(next.on, start));
    player.play().catch(() => {});
  });
}

// A place on a lane is a time; it can be dragged.
for (const track of timeline.querySelectorAll(".track")) {
  const go = (event) => {
    const box = track.getBoundingClientRect();
    seek(start + ((event.clientX - box.left) / box.width) * length);
  };
  track.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    track.setPointerCapture(event.pointerId);
    go(event);
  });
  track.addEventListener("pointermove", (event) => {
    if (track.hasPointerCapture(event.pointerId)) go(event);
  });
}

const buttons = lanes.map(({ button }) => button).filter((button) => !button.disabled);
const keys = {
  " ": () => (player.paused ? player.play().catch(() => {}) : player.pause()),
  ArrowLeft: () => seek(now() - 1),
  ArrowRight: () => seek(now() + 1),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === player) return;
  const at = buttons.indexOf(document.activeElement);
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step && at >= 0) {
    event.preventDefault();
    buttons[(at + step + buttons.length) % buttons.length].focus();
  } else if (keys[event.key] && !(event.key === " " && event.target.closest("button, a"))) {
    event.preventDefault();
    keys[event.key]();
  }
});
show();
