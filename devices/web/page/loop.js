// The network alone, as a loop of timing.js: devices/desktop/model_loop.py in JavaScript.

import { LABELS, personIn, shares } from "./labels.js";

// `frames` is (N, H, W, 3) uint8 flat. Frames go round and round in order; the network's own last mask is its next
// previous mask, and an empty one where one of `sequences` (clip lengths) begins. Laying a frame out is not timed, nor is
// keeping what was found; taking the person out of nine labels is, as an application has to.
export class ModelLoop {
  labels = null;   // After `keepLabels`, (N, H, W, 9) flat: the probabilities of nine labels as shares of 255.

  constructor(session, frames, { resolution, sequences }) {
    const [height, width] = resolution;
    this.session = session;
    this.frames = frames;
    this.pixels = height * width;
    this.count = frames.length / (3 * this.pixels);
    this.starts = new Set([0]);
    let end = 0;
    for (const length of sequences) this.starts.add((end += length));
    this.input = new Float32Array(3 * this.pixels);
    this.masks = new Float32Array(this.count * this.pixels);
    this.rewind();
  }

  rewind() {
    this.at = -1;
  }

  prepare() {
    this.note();
    this.at = (this.at + 1) % this.count;
    if (this.starts.has(this.at)) this.mask = new Float32Array(this.pixels);
    layOut(this.picture, this.session, this.input);
  }

  async run() {
    this.given = await this.session.run(this.input, this.mask);
    this.mask = personIn(this.given, this.session.layout, this.pixels);
  }

  keepLabels() {
    this.labels = new Uint8ClampedArray(this.masks.length * LABELS.length);
  }

  // Keep the last mask; the next `prepare` does it too.
  note() {
    if (this.at < 0) return;
    this.masks.set(this.mask, this.at * this.pixels);
    const size = this.pixels * LABELS.length;
    if (this.labels) shares(this.given, this.session.layout, this.labels.subarray(this.at * size, (this.at + 1) * size));
  }

  get picture() {
    return this.frames.subarray(this.at * 3 * this.pixels, (this.at + 1) * 3 * this.pixels);
  }
}

// Interleaved uint8 RGB into a session's floats, NHWC or NCHW: in [0, 1], or as `colours` of described.js say.
export function layOut(picture, { layout, colours }, input) {
  const pixels = picture.length / 3;
  const [step, apart] = layout === "NHWC" ? [3, 1] : [1, pixels];
  for (let channel = 0; channel < 3; channel++) {
    const { from, table } = colours?.[channel] ?? { from: channel, table: UNIT };
    for (let i = 0, at = channel * apart; i < pixels; i++, at += step) input[at] = table[picture[3 * i + from]];
  }
}

const UNIT = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

// A single frame is joined by its mirror image as a sequence of its own: no input repeats at once.
export function unrepeated(frames, { resolution, sequences }) {
  const [height, width] = resolution;
  if (frames.length > 3 * height * width) return { frames, sequences };
  const both = new Uint8Array(2 * frames.length);
  both.set(frames);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 3 * (y * width + x);
      both.set(frames.subarray(from, from + 3), frames.length + 3 * (y * width + width - 1 - x));
    }
  }
  return { frames: both, sequences: [...sequences, 1] };
}
