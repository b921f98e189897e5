// What is seen of the exported page. Words come from elsewhere as text, never as HTML.

import { View } from "../page/view.js";
import { card, recommended } from "./card.js";
import { hazards, meaning } from "./hazards.js";
import { ratios } from "./rounds.js";
import { drawCode, shortText } from "./short.js";
import { median, spread } from "./statistics.js";

const $ = (id) => document.getElementById(id);

export class BenchView extends View {
  ready(manifest, places, notIsolated) {
    const own = manifest.networks.filter((network) => network.reference === null);
    const reference = manifest.networks.find((network) => network.reference !== null);
    const networks = new Set(own.map((one) => one.variant)).size;
    const beside = reference ? `${networks > 1 ? ", each" : ""} beside ${reference.variant}` : "";
    const frames = manifest.sample.names.length;
    $("what").textContent = `${count(networks, "network")}${beside}, on ${count(frames, "picture")} whose truth is known. It takes a few minutes.`;
    $("isolation").textContent = notIsolated ? `This page is not isolated, so there is one thread and a coarser clock. ${notIsolated}` : "";
    $("reference").textContent = reference?.variant ?? "";
    $("sample").textContent = `${manifest.sample.name}. ${manifest.sample.description}`;
    const revision = manifest.revision ? `, revision ${manifest.revision.slice(0, 12)}` : "";
    $("version").textContent = `Page of ${manifest.made.slice(0, 10)}${revision}.`;
    this.places = places;
    places.forEach((place) => $("units").append(this.place(place)));
    $("choice").addEventListener("change", () => this.allow());
    this.allow();
    if (places.every(({ why }) => why)) $("hint").textContent = "This browser can run none of it. It needs WebAssembly with SIMD: iOS 16.4, Chrome 91, Firefox 114 and newer have it.";
  }

  place({ label, why }) {
    const whole = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = !why;
    box.disabled = Boolean(why);
    const words = document.createElement("span");
    words.textContent = label;
    whole.append(box, words);
    if (why) words.append(small(`: ${why}`));
    return whole;
  }

  allow() {
    $("start").disabled = !this.chosen().length;
  }

  chosen() {
    const boxes = $("units").querySelectorAll("input");
    return this.places.filter((_, n) => boxes[n].checked);
  }

  // Resolves to the places that were chosen, and the minutes of load.
  async pressed() {
    await super.pressed();
    return { chosen: this.chosen(), minutes: Number($("minutes").value) };
  }

  onCancel(cancel) {
    $("cancel").onclick = () => {
      $("cancel").disabled = true;
      cancel();
    };
  }

  began(facts, todo) {
    this.cells = todo;
    this.passed = this.expected = 0;
    this.start = performance.now();
    $("cancel").disabled = false;
    $("results").replaceChildren();
    $("hazards").replaceChildren();
    document.querySelector(".results").hidden = false;
    super.began(facts.model || "This phone", 0);
    this.facts(facts);
  }

  step(step, job) {
    this.current = step;
    this.cell(job);
  }

  compared({ phase, done, of }) {
    $("phase").textContent = phase;
    this.bar(done / of);
  }

  // A bin under load has ended.
  loaded({ frames, busy }, done, of) {
    $("phase").textContent = "under load, without a pause";
    this.fps((frames / busy).toFixed(frames / busy < 10 ? 1 : 0));
    this.bar(done / of);
  }

  skipped() {
    this.ended += 1;
  }

  stepped(outcomes) {
    this.expected += this.current.seconds;
    this.passed = (performance.now() - this.start) / 1000;
    this.ended += 1;
    this.bar(0);
    this.table(outcomes);
  }

  bar(share) {
    $("bar").value = (this.ended + share) / this.cells.length;
    $("count").textContent = `${Math.min(this.ended + 1, this.cells.length)} of ${this.cells.length}${this.remaining(share)}`;
  }

  // What the remaining steps take about, by how long the first ones took.
  remaining(share) {
    const ahead = this.cells.slice(this.ended).reduce((sum, { seconds }) => sum + seconds, 0) - share * (this.current?.seconds ?? 0);
    const seconds = ahead * (this.expected ? this.passed / this.expected : 1);
    if (seconds < 1) return "";
    return seconds < 90 ? `, about ${Math.ceil(seconds / 5) * 5} s left` : `, about ${Math.round(seconds / 60)} min left`;
  }

  table(outcomes) {
    $("results").replaceChildren(
      ...outcomes.map(({ network, place, result, scored, rounds, reason }) => {
        const row = document.createElement("tr");
        const name = document.createElement("th");
        name.scope = "row";
        name.textContent = network.variant;
        name.append(small(`${network.format} ${network.precision}, ${place.label}${network.reference ? ", reference model" : ""}`));
        row.append(name);
        if (!result) {
          row.className = "failed";
          const cell = row.insertCell();
          cell.colSpan = 3;
          cell.textContent = `failed: ${reason}`;
          return row;
        }
        const ms = median(result.model_ns) / 1e6;
        const ratio = rounds?.length ? spread(ratios(rounds)) : null;
        row.insertCell().append((1000 / ms).toFixed(1), small(`${ms.toFixed(2)} ms`));
        row.insertCell().append((100 * scored.iou).toFixed(1));
        row.insertCell().append(...(ratio ? [ratio.median.toFixed(2), small(`${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}`)] : ["–"]));
        return row;
      }),
    );
  }

  facts(facts) {
    const shown = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined);
    $("facts").hidden = false;
    $("facts").querySelector("dl").replaceChildren(
      ...shown.flatMap(([name, value]) => [element("dt", name.replaceAll("_", " ")), element("dd", String(value))]),
    );
  }

  done(file, name, outcomes, reference) {
    document.body.dataset.state = "done";
    const places = [...new Set(outcomes.map(({ place }) => place))].filter((place) => recommended(place, outcomes, reference));
    $("cards").replaceChildren(
      ...places.map((place) => {
        const made = card(place, outcomes, reference);
        made.append(code(file, file.configurations[outcomes.indexOf(recommended(place, outcomes, reference))]));
        return made;
      }),
    );
    const failed = outcomes.filter(({ result }) => !result).length;
    const measured = count(outcomes.length - failed, "configuration");
    $("end").textContent = `${file.cancelled ? "Cancelled: " : ""}${measured} measured${failed ? `, ${failed} failed` : ""}.`;
    const blob = new Blob([JSON.stringify(file)], { type: "application/json" });
    $("save").href = URL.createObjectURL(blob);
    $("save").download = name;
    this.share(new File([blob], name, { type: "application/json" }));
    const named = new Set(outcomes.filter(({ result }) => result).flatMap(shown));
    $("hazards").replaceChildren(...[...named].map((hazard) => element("li", `${hazard}: ${meaning(hazard)}`)));
  }

  share(file) {
    const possible = navigator.canShare?.({ files: [file] }) === true;
    $("share").hidden = !possible;
    $("share").onclick = () => navigator.share({ files: [file], title: "Speed of segmentation networks on this phone" }).catch(() => {});
  }

  async againPressed() {
    await new Promise((resolve) => $("again").addEventListener("click", resolve, { once: true }));
    document.body.dataset.state = "ready";
  }
}

const shown = ({ result, place }) => hazards(result.environment.facts, median(result.model_ns), place.unit);

// The QR code of one row, made when it is opened.
function code(file, configuration) {
  const details = element("details", "");
  details.className = "code";
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `QR code of the row of ${configuration.network.variant}`);
  const words = element("p", "");
  words.className = "quiet";
  details.append(element("summary", "Scan this row from another machine"), canvas, words);
  details.addEventListener("toggle", async () => {
    if (!details.open || canvas.dataset.text) return;
    try {
      canvas.dataset.text = await shortText(file, configuration);
      await drawCode(canvas, canvas.dataset.text);
      words.textContent = "bench.py import takes the text of this code, or a picture of it. It holds part of the times; the file holds them all.";
    } catch (error) {
      canvas.hidden = true;
      words.textContent = `There is no code: ${error.message}. Save the rows instead.`;
    }
  });
  return details;
}

const small = (text) => element("small", text);

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

const count = (n, one) => `${n} ${n === 1 ? one : `${one}s`}`;
