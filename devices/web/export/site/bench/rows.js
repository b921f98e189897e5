// The file that "save rows" gives and `bench.py import` takes: everything that was measured, and of what.

const KIND = "segmentation-bench web rows";
const SCHEMA = 1;

export function rowsFile({ id, began, facts, manifest, manifestSha256, reference, outcomes, cancelled }) {
  return {
    kind: KIND,
    schema: SCHEMA,
    id,
    began: new Date(began).toISOString(),
    ended: new Date().toISOString(),
    cancelled,
    page: { made: manifest.made, revision: manifest.revision, manifest_sha256: manifestSha256 },
    facts,
    sample: manifest.sample.name,
    counts: manifest.counts,
    configurations: outcomes.map((outcome) => configuration(outcome, manifest, reference)),
    end: "done",
  };
}

export const fileName = ({ id }) => `web-rows-${id}.json`;

export const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function configuration({ network, place, verified, began, ended, result, scored, rounds, reason }, manifest, reference) {
  const { variant, format, precision, resolution, sha256, checkpoint, data_sha256 } = network;
  return {
    network: { variant, format, precision, resolution, sha256, verified, checkpoint, data_sha256 },
    unit: place.unit,
    threads: place.threads,
    began,
    ended,
    status: result ? "ok" : "failed",
    reason: reason ?? null,
    result: result ?? null,
    accuracy: scored ? accuracy(scored, manifest.sample.names) : null,
    rounds: rounds ? { reference: { variant: reference.variant, sha256: reference.sha256 }, rounds } : null,
  };
}

function accuracy({ iou, boundary_f, dtssd, frames }, names) {
  const per_image = frames.map((frame, n) => [names[n], frame.iou, frame.boundary_f]);
  return { iou, boundary_f, dtssd, per_image };
}
