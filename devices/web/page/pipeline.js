// From a camera picture to a mask that can be composited, as a loop of timing.js: devices/desktop/pipeline.py with what a
// browser has for it, its canvas.

import { toImage } from "./image.js";
import { personIn } from "./labels.js";
import { layOut } from "./loop.js";

const CAMERA = [1280, 720];
const RING = 16;

// What a worker needs for it; Safari has it since 16.4.
export const possible = () => typeof OffscreenCanvas !== "undefined" && new OffscreenCanvas(1, 1).getContext("2d") !== null;

// Camera picture on a canvas of 1280x720 in, `alpha` of that size (RGBA, the mask in A) out. Timed are the resize, reading
// the pixels, the scaling and layout, the network, its mask in 8 bits and that mask's enlargement.
export class PipelineLoop {
  constructor(session, frames, { resolution }) {
    const [height, width] = resolution;
    this.session = session;
    this.pictures = ring(frames, height, width);
    this.next = 0;
    this.small = context(width, height);
    this.smallMask = context(width, height);
    this.large = context(...CAMERA);
    this.input = new Float32Array(3 * height * width);
    this.rgb = new Uint8ClampedArray(3 * height * width);
    this.alpha8 = new ImageData(width, height);
    this.mask = new Float32Array(height * width);
  }

  prepare() {
    this.picture = this.pictures[this.next++ % this.pictures.length];
  }

  async run() {
    const { width, height } = this.small.canvas;
    this.small.drawImage(this.picture, 0, 0, width, height);
    const { data } = this.small.getImageData(0, 0, width, height);
    for (let i = 0, at = 0; i < data.length; i += 4) {
      this.rgb[at++] = data[i];
      this.rgb[at++] = data[i + 1];
      this.rgb[at++] = data[i + 2];
    }
    layOut(this.rgb, this.session, this.input);
    this.mask = personIn(await this.session.run(this.input, this.mask), this.session.layout, width * height);
    const alpha = this.alpha8.data;
    for (let i = 0; i < this.mask.length; i++) alpha[4 * i + 3] = 255 * this.mask[i];
    this.smallMask.putImageData(this.alpha8, 0, 0);
    this.large.clearRect(0, 0, ...CAMERA);
    this.large.drawImage(this.smallMask.canvas, 0, 0, ...CAMERA);
    this.alpha = this.large.getImageData(0, 0, ...CAMERA);
  }
}

function context(width, height) {
  return new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
}

// The first frames, in order, enlarged to the camera's size.
function ring(frames, height, width) {
  const size = 3 * height * width;
  return Array.from({ length: Math.min(RING, frames.length / size) }, (_, n) => {
    const small = context(width, height);
    small.putImageData(toImage(frames.subarray(n * size, (n + 1) * size), width, height), 0, 0);
    const large = context(...CAMERA);
    large.drawImage(small.canvas, 0, 0, ...CAMERA);
    return large.canvas;
  });
}
