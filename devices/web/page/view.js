// What is seen of it. Words come from elsewhere as text, never as HTML.

import { toImage } from "./image.js";

const $ = (id) => document.getElementById(id);
const UNITS = { cpu: "CPU", gpu: "GPU", npu: "NPU" };

export class View {
  // `cells` are what this page will measure; `lacking` says of each why it cannot, or null.
  ready(cells, features, lacking) {
    this.cells = cells;
    const possible = lacking.filter((why) => why === null).length;
    $("what").textContent =
      `${count(new Set(cells.map((cell) => cell.variant)).size, "network")}, ${count(cells.length, "measurement")}. ` +
      "Your phone runs them on sample pictures; the speed and the masks go to the computer that showed you this address, and nowhere else.";
    const asked = new Set(cells.map((cell) => cell.unit));
    const why = (unit) => lacking.find((reason, i) => reason !== null && cells[i].unit === unit);
    this.unit("cpu", asked, why("cpu"), features.simd ? `WebAssembly with SIMD, ${count(features.threads.cores, "core")}` : "WebAssembly without SIMD");
    this.unit("gpu", asked, features.gpu.missing ?? why("gpu"), `WebGPU, ${features.gpu.name}`);
    this.unit("npu", asked, "browsers give no access to it", "");
    $("start").disabled = false;
    if (possible === 0) $("hint").textContent = "This browser can run none of it; starting tells the computer why.";
  }

  unit(unit, asked, lacking, is) {
    const item = document.createElement("li");
    item.className = lacking ? "lacks" : "has";
    if (asked.has(unit)) item.classList.add("asked");
    const name = document.createElement("b");
    name.textContent = UNITS[unit];
    item.append(name, ` ${lacking ?? is}`);
    $("units").append(item);
  }

  pressed() {
    return new Promise((resolve) => $("start").addEventListener("click", resolve, { once: true }));
  }

  began(name, measured) {
    document.body.dataset.state = "running";
    $("phone").textContent = name;
    this.ended = measured;
    this.bar(0);
  }

  cell(job) {
    $("cell").textContent = `${job.variant} · ${job.format} ${job.precision} · ${where(job)}`;
    this.fps("–");
    $("phase").textContent = "fetching";
    [$("preview").height, $("preview").width] = job.resolution;
    this.bar(0);
  }

  // `picture` are all frames, flat; the mask is drawn over the one that it belongs to.
  progress(job, { phase, done, of, fps, frame, mask }, picture) {
    $("phase").textContent = phase;
    if (fps === undefined) return;
    this.fps(fps.toFixed(fps < 10 ? 1 : 0));
    if (of) this.bar(Math.min(1, done / of));
    this.preview(job.resolution, picture, frame, mask);
  }

  preview([height, width], frames, index, mask) {
    const size = 3 * height * width;
    const at = (index * size) % frames.length;
    const image = toImage(frames.subarray(at, at + size), width, height);
    for (let i = 0; i < mask.length; i++) {
      // The background sinks into the page; the person keeps its colours.
      image.data[4 * i + 3] = 40 + 215 * mask[i];
    }
    $("preview").getContext("2d").putImageData(image, 0, 0);
  }

  sending() {
    $("phase").textContent = "sending the masks";
  }

  measured(job, result) {
    const ms = median(result.model_ns) / 1e6;
    this.row(job, `${(1000 / ms).toFixed(1)} FPS`, `${ms.toFixed(2)} ms`);
  }

  failed(job, reason) {
    this.row(job, "failed", reason).className = "failed";
  }

  row(job, figure, detail) {
    this.ended += 1;
    this.bar(0);
    const row = $("results").insertRow();
    for (const text of [`${job.variant}`, `${job.format} ${job.precision}, ${where(job)}`, figure, detail]) {
      row.insertCell().textContent = text;
    }
    return row;
  }

  done() {
    document.body.dataset.state = "done";
    const failed = document.querySelectorAll("#results .failed").length;
    const ended = `${this.ended} of ${this.cells.length} done`;
    $("end").textContent = failed ? `${ended}, ${count(failed, "of them failed", "of them failed")}.` : `${ended}.`;
  }

  broken(reason) {
    document.body.dataset.state = "broken";
    $("reason").textContent = `${reason[0].toUpperCase()}${reason.slice(1)}`;
  }

  fps(text) {
    $("fps").textContent = text;
  }

  bar(share) {
    $("bar").value = (this.ended + share) / this.cells.length;
    $("count").textContent = `${Math.min(this.ended + 1, this.cells.length)} of ${this.cells.length}`;
  }
}

const where = ({ unit, threads }) => (unit === "cpu" ? `${UNITS.cpu}, ${count(threads, "thread")}` : UNITS[unit]);

const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
