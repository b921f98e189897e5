// What is seen and set on the camera's page. Words come from elsewhere as text, never as HTML.

import { BEHIND } from "./compositor.js";
import { PALETTE, PARTS } from "./labels.js";

const $ = (id) => document.getElementById(id);
const SHOWN_MS = 250;
const HINT = $("hint").textContent;
const LARGEST = 2048;   // Pixels on a side of a background: more than the canvas has, and any graphics processor takes it.

export class View {
  canvas = $("picture");
  video = $("camera");
  bitmap = null;
  shown = 0;

  constructor() {
    this.choose("blur");
    for (const [name, colour] of Object.entries(PALETTE)) {
      const line = document.createElement("li");
      line.textContent = name;
      line.style.setProperty("--of", `rgb(${colour.join(" ")})`);
      $("legend").append(line);
    }
    $("overlay").addEventListener("change", () => ($("legend").hidden = !$("overlay").checked));
    for (const part of PARTS) $(`${part}-colour`).addEventListener("input", () => ($(part).checked = true));
    for (const radio of document.querySelectorAll("[name=behind]")) radio.addEventListener("change", () => this.choose(radio.value));
    for (const behind of ["colour", "tint"]) {
      for (const event of ["click", "input"]) $(behind).addEventListener(event, () => this.choose(behind));
    }
    // The tile of the picture asks for one when there is none, and for another when it is pressed again.
    $("behind-picture").addEventListener("click", (event) => {
      if (this.bitmap && this.behind !== "picture") return;
      event.preventDefault();
      $("file").click();
    });
  }

  on(id, event, does) {
    $(id).addEventListener(event, does);
  }

  choose(behind) {
    this.behind = behind;
    document.querySelector(`[name=behind][value=${behind}]`).checked = true;
  }

  // As Compositor.draw takes it.
  get look() {
    return {
      behind: BEHIND[this.behind],
      colour: colour(this.behind === "tint" ? "tint" : "colour"),
      mirror: $("mirror").checked,
      showMask: $("show-mask").checked,
      tints: PARTS.map((part) => ($(part).checked ? colour(`${part}-colour`) : null)),
      overlay: $("overlay").checked,
    };
  }

  get feedback() {
    return $("feedback").checked;
  }

  // Indices of what `units` and `networks` were given.
  get choice() {
    return { unit: $("unit").selectedIndex, network: $("choice").selectedIndex };
  }

  set choice({ unit, network }) {
    $("unit").selectedIndex = unit;
    $("choice").selectedIndex = network;
  }

  networks(all) {
    $("choice").replaceChildren(...all.map(({ name }) => new Option(name)));
    $("choice").parentElement.hidden = all.length < 2;
  }

  units(choices) {
    $("unit").replaceChildren(...choices.map(({ label }) => new Option(label)));
  }

  // An ImageBitmap of the file that was chosen; null when it is no picture, which is said.
  async picture() {
    const [file] = $("file").files;
    if (!file) return null;
    this.complain("");
    try {
      const whole = await createImageBitmap(file);
      const scale = LARGEST / Math.max(whole.width, whole.height);
      const [resizeWidth, resizeHeight] = [whole.width, whole.height].map((side) => Math.ceil(side * scale));
      const smaller = { resizeWidth, resizeHeight, resizeQuality: "high" };
      this.bitmap = scale < 1 ? await createImageBitmap(whole, smaller) : whole;
    } catch {
      this.complain(`This browser can read no picture in ${file.name}.`);
      return null;
    }
    this.choose("picture");
    this.thumbnail(this.bitmap);
    return this.bitmap;
  }

  thumbnail(bitmap) {
    const { width, height } = $("thumbnail");
    const scale = Math.max(width / bitmap.width, height / bitmap.height);
    const [w, h] = [bitmap.width * scale, bitmap.height * scale];
    $("thumbnail").getContext("2d").drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
  }

  loading() {
    $("unit").disabled = $("choice").disabled = true;
    $("network").textContent = "Loading the network …";
  }

  loaded(words) {
    $("unit").disabled = $("choice").disabled = false;
    $("network").textContent = words;
  }

  // Whether the network takes a previous mask.
  previous(taken) {
    $("feedback").disabled = !taken;
    if (!taken) $("feedback").checked = false;
    $("hint").textContent = taken ? HINT : "This network takes none.";
  }

  // Whether the network gives the nine labels.
  labelled(given) {
    $("parts").hidden = $("as-it-is").hidden = !given;
    if (!given && this.behind === "none") this.choose("blur");
  }

  // The picture as a file.
  save(canvas) {
    canvas.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = "snapshot.png";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    }, "image/png");
  }

  ready() {
    $("start").disabled = false;
    $("status").textContent = "";
  }

  // Before it began.
  unable(reason) {
    $("status").textContent = "";
    $("reason").textContent = sentence(reason);
  }

  asking() {
    $("start").disabled = true;
    $("reason").textContent = "";
    $("status").textContent = "The browser asks whether this page may have the camera.";
  }

  live({ facing, many }) {
    this.ready();
    document.body.dataset.state = "live";
    $("mirror").checked = facing !== "environment";
    $("turn").hidden = !many;
    $("snapshot").hidden = false;
  }

  stopped(reason) {
    this.ready();
    $("snapshot").hidden = true;
    document.body.dataset.state = "ready";
    $("reason").textContent = sentence(reason);
  }

  complain(reason) {
    $("complaint").textContent = sentence(reason);
  }

  figures(now, meter) {
    if (now - this.shown < SHOWN_MS) return;
    this.shown = now;
    $("fps").textContent = meter.fps.toFixed(meter.fps < 10 ? 1 : 0);
    for (const stage of ["read", "network", "composite"]) $(`ms-${stage}`).textContent = meter.ms(stage).toFixed(1);
  }
}

// What is chosen in a field, [r, g, b] in [0, 1].
const colour = (id) => $(id).value.match(/[0-9a-f]{2}/gi).map((two) => parseInt(two, 16) / 255);

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);
