// The result at a glance, as the report's page has it: the recommended network on one unit of this phone.

import { hazards } from "./hazards.js";
import { ratios } from "./rounds.js";
import { median, spread } from "./statistics.js";
import { kept } from "./sustained.js";

const TOLERABLE_LOSS = 0.01; // Of IOU, and the least IOU of a usable mask, as in reports/pareto.py.
const FIT_IOU = 0.8;

// The card of what was measured at `place`; null when nothing was.
export function card(place, outcomes, reference) {
  const chosen = recommended(place, outcomes, reference);
  if (!chosen) return null;
  const { network, result, scored, rounds } = chosen;
  const section = document.createElement("section");
  section.className = "recommended";
  section.append(
    paragraph("where", `On this browser, ${place.label}`),
    paragraph("what", scored.iou >= FIT_IOU ? "Recommended here: " : "Not accurate enough on these pictures; the best is ", network.variant, ` in ${network.format} ${network.precision}`),
    figures(result, scored),
  );
  const list = document.createElement("ul");
  list.className = "instead";
  const lines = [`The fastest that loses at most one point of IOU to the most accurate, on ${scored.frames.length} pictures. So few tell whether a network works here, not how accurate it is on yours.`];
  if (rounds?.length) {
    const { median: middle, low, high } = spread(ratios(rounds));
    lines.push(`${middle.toFixed(2)} times as fast as ${reference.variant} (middle 80 % of ${rounds.length} rounds: ${low.toFixed(2)} to ${high.toFixed(2)}).`);
  }
  const load = result.sustained ? kept(result.sustained) : null;
  if (load) lines.push(`Under ${Math.round(result.sustained.length / 6)} minutes of load: ${load.first.toFixed(0)} FPS in the first minute, ${load.last.toFixed(0)} in the last, ${(100 * load.share).toFixed(0)} % kept.`);
  const shown = hazards(result.environment.facts, ns(chosen), place.unit);
  if (shown.length) lines.push(`While it was measured: ${shown.join(", ")}.`);
  list.append(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
  section.append(list);
  return section;
}

// The outcome that is recommended of those at `place`; null when there is none.
export function recommended(place, outcomes, reference) {
  const here = outcomes.filter((one) => one.place === place && one.result && one.network !== reference);
  if (!here.length) return null;
  const best = Math.max(...here.map(({ scored }) => scored.iou));
  const able = here.filter(({ scored }) => scored.iou >= best - TOLERABLE_LOSS);
  // The comparisons tell more than times that were taken minutes apart.
  const compared = able.every(({ rounds }) => rounds?.length);
  const cost = (one) => (compared ? -median(ratios(one.rounds)) : ns(one));
  return able.reduce((one, other) => (cost(other) < cost(one) ? other : one));
}

const ns = ({ result }) => median(result.model_ns);

function figures(result, scored) {
  const list = document.createElement("dl");
  list.className = "figures";
  list.append(rate("frames a second, network alone", result.model_ns));
  if (result.pipeline_ns.length) list.append(rate("from camera frame to full-size mask", result.pipeline_ns));
  list.append(figure("% IOU on this page's pictures", (100 * scored.iou).toFixed(1)));
  return list;
}

function rate(words, times) {
  const { median: middle, low, high } = spread(times);
  const fps = (ns, digits = 0) => (1e9 / ns).toFixed(digits);
  return figure(words, fps(middle, 1e9 / middle < 10 ? 1 : 0), `${fps(high)} to ${fps(low)}`);
}

function figure(words, value, range = "") {
  const whole = document.createElement("div");
  const [name, number, between] = ["dt", "dd", "span"].map((tag) => document.createElement(tag));
  name.textContent = words;
  between.textContent = range;
  number.append(`${value} `, between);
  whole.append(name, number);
  return whole;
}

function paragraph(kind, text, strong = "", rest = "") {
  const made = document.createElement("p");
  made.className = kind;
  const bold = document.createElement("b");
  bold.textContent = strong;
  made.append(text, bold, rest);
  return made;
}
