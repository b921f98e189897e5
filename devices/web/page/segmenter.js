// State around the stateless network: each mask is the next one's previous mask. models/segmenter.py in JavaScript.

import { glance, isCut } from "./cut.js";
import { LABELS, person } from "./labels.js";

export class Segmenter {
  feedback = true;
  labels = null;   // The last frame's probabilities [height, width, 9], of a network that gives them.

  // `network` is as network.js has it.
  constructor(network) {
    this.network = network;
    this.labelled = network.outputs === LABELS.length;
    this.reset();
  }

  // Forget the previous mask: the next frame begins a new sequence.
  reset() {
    this.previous = this.empty();
    this.seen = null;
  }

  // The mask (Float32Array in [0, 1]) of a frame (RGBA uint8 at the network's size). Another `size`, such as that of a
  // phone that was turned, begins anew, and so does another scene.
  async mask(frame, size) {
    const seen = glance(frame, this.network.resolution);
    if (this.size !== String(size) || (this.seen && isCut(this.seen, seen))) this.reset();
    this.size = String(size);
    this.seen = seen;
    const { previous } = this;
    const given = await this.network.mask(frame, this.feedback ? previous : this.empty());
    const mask = this.labelled ? person(given) : given;
    this.labels = this.labelled ? given : null;
    // Unless it was reset meanwhile.
    if (this.previous === previous) this.previous = mask;
    return mask;
  }

  empty() {
    const [height, width] = this.network.resolution;
    return new Float32Array(height * width);
  }
}
