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

// The person's mask of probabilities [height, width, 9]: whatever is not background.
export function person(labels) {
  const mask = new Float32Array(labels.length / LABELS.length);
  for (let i = 0, at = 0; i < mask.length; i++, at += LABELS.length) mask[i] = 1 - labels[at];
  return mask;
}

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
