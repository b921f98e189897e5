// IOU, boundary F and dtSSD of masks against the truth: evaluation/iou.py, boundary.py and temporal.py in JavaScript.
//
// A mask is Float32Array (H, W) flat in [0, 1] and counts as the person from 0.5 up. A label is codes (H, W): the sum of
// the bits below, made by devices/web/export/sample.py.

const CUT = 0.5;
const PERSON = 1;
const UNJUDGED = 2;
const BOUNDARY_TRUTH = 4;
const BOUNDARY_JUDGED = 8;
const TOLERANCE = 0.008;

// The figures of masks (N, h, w) flat of all frames in order; `truth` is as packed.js gives it, `sequences` are the
// clips' lengths. Means over frames, IOU and boundary F in [0, 1], and those of each frame; dtSSD is null without steps.
export function score(masks, [height, width], truth, sequences) {
  const starts = new Set([0]);
  let end = 0;
  for (const length of sequences) starts.add((end += length));
  const frames = [];
  let before = null;
  truth.forEach(({ size, codes }, n) => {
    const mask = enlarge(masks.subarray(n * height * width, (n + 1) * height * width), [height, width], size);
    const step = starts.has(n) ? null : dtssdStep(before.mask, before.codes, mask, codes);
    frames.push({ iou: iou(mask, codes), boundary_f: boundaryF(mask, codes, size), dtssd: step });
    before = { mask, codes };
  });
  const steps = frames.map(({ dtssd }) => dtssd).filter((value) => value !== null);
  return {
    iou: mean(frames.map((frame) => frame.iou)),
    boundary_f: mean(frames.map((frame) => frame.boundary_f)),
    dtssd: steps.length ? mean(steps) : null,
    frames,
  };
}

export function iou(mask, codes) {
  let both = 0;
  let either = 0;
  for (let i = 0; i < mask.length; i++) {
    const found = mask[i] >= CUT && !(codes[i] & UNJUDGED);
    const truth = (codes[i] & PERSON) !== 0;
    both += found && truth;
    either += found || truth;
  }
  return either ? both / either : 1;
}

export function boundaryF(mask, codes, size) {
  const count = mask.length;
  const found = new Uint8Array(count);
  const truth = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    found[i] = mask[i] >= CUT;
    truth[i] = (codes[i] & BOUNDARY_TRUTH) !== 0;
  }
  const judged = (i) => (codes[i] & BOUNDARY_JUDGED) !== 0;
  const here = contour(found, size).filter(judged);
  const there = contour(truth, size).filter(judged);
  if (!here.length && !there.length) return Number(found.every((one, i) => (judged(i) ? one : 0) === truth[i]));
  if (!here.length || !there.length) return 0;
  const reach = Math.ceil(TOLERANCE * Math.hypot(...size));
  const [precision, recall] = [shareNear(here, there, size, reach), shareNear(there, here, size, reach)];
  return precision + recall ? (2 * precision * recall) / (precision + recall) : 0;
}

// 100 * sqrt(mean(((p_t - p_t-1) - (g_t - g_t-1))^2)) over the pixels that are judged in both frames.
export function dtssdStep(maskBefore, codesBefore, mask, codes) {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < mask.length; i++) {
    if ((codes[i] | codesBefore[i]) & UNJUDGED) continue;
    const wrong = mask[i] - maskBefore[i] - ((codes[i] & PERSON) - (codesBefore[i] & PERSON));
    sum += wrong * wrong;
    count += 1;
  }
  return count ? 100 * Math.sqrt(sum / count) : 0;
}

// A mask (h, w) bilinearly at (H, W), as OpenCV's INTER_LINEAR has it: pixel centres at halves, edges repeated.
export function enlarge(mask, [height, width], [tall, wide]) {
  if (height === tall && width === wide) return mask.slice();
  const rows = places(height, tall);
  const columns = places(width, wide);
  const large = new Float32Array(tall * wide);
  for (let y = 0, at = 0; y < tall; y++) {
    const { first: top, second: bottom, share: down } = rows[y];
    for (let x = 0; x < wide; x++, at++) {
      const { first: left, second: right, share: across } = columns[x];
      const above = mask[top * width + left] * (1 - across) + mask[top * width + right] * across;
      const below = mask[bottom * width + left] * (1 - across) + mask[bottom * width + right] * across;
      large[at] = above * (1 - down) + below * down;
    }
  }
  return large;
}

function places(from, to) {
  return Array.from({ length: to }, (_, at) => {
    const place = Math.max(0, ((at + 0.5) * from) / to - 0.5);
    const first = Math.min(Math.floor(place), from - 1);
    return { first, second: Math.min(first + 1, from - 1), share: place - Math.floor(place) };
  });
}

// Indices of the region's pixels with a 4-neighbour outside it; the picture's edge is not a contour.
function contour(region, [height, width]) {
  const found = [];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!region[i]) continue;
      const open =
        (x > 0 && !region[i - 1]) ||
        (x < width - 1 && !region[i + 1]) ||
        (y > 0 && !region[i - width]) ||
        (y < height - 1 && !region[i + width]);
      if (open) found.push(i);
    }
  }
  return found;
}

// The share of `points` that have one of `others` within `reach` pixels, between centres.
function shareNear(points, others, [height, width], reach) {
  const near = new Uint8Array(height * width);
  for (const i of others) {
    const [y, x] = [Math.floor(i / width), i % width];
    for (let down = -reach; down <= reach; down++) {
      if (y + down < 0 || y + down >= height) continue;
      const half = Math.floor(Math.sqrt(reach * reach - down * down));
      const row = (y + down) * width;
      near.fill(1, row + Math.max(0, x - half), row + Math.min(width - 1, x + half) + 1);
    }
  }
  return points.filter((i) => near[i]).length / points.length;
}

const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
