// The nine labels of models/labels.py, with the colours of video/parts.py.

export const PALETTE = {
  background: [0, 0, 0],
  hair: [230, 159, 0],
  face: [86, 180, 233],
  lips: [213, 94, 0],
  eyewear: [240, 228, 66],
  neck: [0, 158, 115],
  body: [0, 114, 178],
  clothes: [204, 121, 167],
  accessory: [255, 255, 255],
};
export const LABELS = Object.keys(PALETTE);

// Those whose colour can be changed.
export const PARTS = ["hair", "lips", "clothes"];

// The person's mask of probabilities (height, width, 9) or, as NCHW, (9, height, width): whatever is not background.
export function person(labels, layout = "NHWC") {
  const mask = new Float32Array(labels.length / LABELS.length);
  const { pixel } = steps(layout, mask.length);
  for (let i = 0, at = 0; i < mask.length; i++, at += pixel) mask[i] = 1 - labels[at];
  return mask;
}

// The person's mask in what one of this project's networks gives for so many pixels: a mask, or the nine probabilities.
export function personIn(given, layout, pixels) {
  if (given.length === pixels) return given;
  if (given.length === pixels * LABELS.length) return person(given, layout);
  const found = given.length / pixels;
  throw new Error(`the network gives ${found} numbers a pixel, and one of this project's 1 or ${LABELS.length}`);
}

// Probabilities as shares of 255 into a Uint8ClampedArray (height, width, 9), which rounds: `shares` of
// evaluation/labels.py.
export function shares(labels, layout, into) {
  const { label, pixel } = steps(layout, labels.length / LABELS.length);
  for (let to = 0, first = 0; to < into.length; first += pixel) {
    for (let one = 0; one < LABELS.length; one++) into[to++] = 255 * labels[first + one * label];
  }
}

// How far apart the values of two neighbouring labels and pixels are.
const steps = (layout, pixels) => (layout === "NCHW" ? { label: pixels, pixel: 1 } : { label: 1, pixel: LABELS.length });

// RGBA uint8 of probabilities: those of PARTS.
export function parts(labels, into) {
  const which = PARTS.map((name) => LABELS.indexOf(name));
  for (let i = 0, at = 0; at < labels.length; i += 4, at += LABELS.length) {
    for (let part = 0; part < which.length; part++) into[i + part] = 255 * labels[at + which[part]] + 0.5;
  }
}

// RGBA uint8: the colours of all labels by their probabilities.
export function coloured(labels, into) {
  const colours = Object.values(PALETTE);
  for (let i = 0, at = 0; at < labels.length; i += 4, at += LABELS.length) {
    for (let channel = 0; channel < 3; channel++) {
      let sum = 0.5;
      for (let label = 0; label < colours.length; label++) sum += labels[at + label] * colours[label][channel];
      into[i + channel] = sum;
    }
  }
}
