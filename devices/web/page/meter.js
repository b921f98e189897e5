// Frames a second, and the milliseconds of each stage.

const WINDOW_MS = 1000;
const KEPT = 30;

export class Meter {
  constructor() {
    this.reset();
  }

  reset() {
    [this.ends, this.stages] = [[], []];
  }

  // A frame was finished at `now`; `stages` are its { name: milliseconds }.
  note(now, stages) {
    this.ends.push(now);
    while (this.ends.length > 2 && this.ends[0] < now - WINDOW_MS) this.ends.shift();
    this.stages.push(stages);
    if (this.stages.length > KEPT) this.stages.shift();
  }

  // Over the last second, or the last two frames where they are slower.
  get fps() {
    const span = this.ends.at(-1) - this.ends[0];
    return span > 0 ? (1000 * (this.ends.length - 1)) / span : 0;
  }

  // The median of the last 30 frames.
  ms(name) {
    const sorted = this.stages.map((stages) => stages[name]).sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
  }
}
