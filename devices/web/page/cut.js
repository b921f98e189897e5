// Where one scene ends and another begins: `glance` and `is_cut` of models/segmenter.py in JavaScript.

const SIDE = 16;

// What is left of a frame (RGBA uint8, [height, width]) at a glance: the means of its 16 x 16 parts, RGB in [0, 1].
export function glance(frame, [height, width]) {
  const seen = new Float32Array(3 * SIDE * SIDE);
  const pixels = new Uint32Array(SIDE * SIDE);
  for (let y = 0, at = 0; y < height; y++) {
    const row = SIDE * Math.floor((y * SIDE) / height);
    for (let x = 0; x < width; x++, at += 4) {
      const part = row + Math.floor((x * SIDE) / width);
      for (let c = 0; c < 3; c++) seen[3 * part + c] += frame[at + c];
      pixels[part] += 1;
    }
  }
  return seen.map((sum, i) => sum / (255 * pixels[Math.floor(i / 3)]));
}

// Whether two glances, a frame apart, are of different scenes: they differ by more than motion or light does, or by less
// but have hardly anything in common.
export function isCut(before, now) {
  const difference = now.reduce((sum, one, i) => sum + Math.abs(one - before[i]), 0) / now.length;
  return difference > 0.12 || (difference > 0.05 && correlation(before, now) < 0.6);
}

// Of the places within two glances, each channel about its mean; 0 where one is flat.
function correlation(before, now) {
  const [a, b] = [aboutMeans(before), aboutMeans(now)];
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths ? dot(a, b) / lengths : 0;
}

function aboutMeans(glance) {
  const means = [0, 1, 2].map((c) => glance.reduce((sum, one, i) => (i % 3 === c ? sum + one : sum), 0) / (SIDE * SIDE));
  return glance.map((one, i) => one - means[i % 3]);
}

const dot = (a, b) => a.reduce((sum, one, i) => sum + one * b[i], 0);
