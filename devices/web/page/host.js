// The machine that asked: what it wants measured, and where answers go. Addresses are relative to the page's, which
// holds the token.

const SEAT = "seat";
let seat;

export const plan = async () => (await call("GET", "plan")).json();

// The networks of the camera's page: { networks: [{ name, model }, ...] }, `model` being what `bytes` takes.
export const about = async () => (await call("GET", "about")).json();

// Take part. A page that was loaded again, after a crash say, goes on where it was.
export async function join(facts) {
  const before = sessionStorage.getItem(SEAT);
  const told = await (await call("POST", "join", JSON.stringify({ facts, before }))).json();
  seat = told.phone;
  sessionStorage.setItem(SEAT, seat);
  return told;
}

export const takingPart = () => sessionStorage.getItem(SEAT) !== null;

// The next job, or null at the end.
export async function next() {
  const job = await (await call("POST", `phones/${seat}/next`)).json();
  if (!job.end) return job;
  sessionStorage.removeItem(SEAT);
  return null;
}

export async function bytes(path) {
  return (await call("GET", path)).arrayBuffer();
}

// Whether to go on with this configuration.
export async function alive(index) {
  return (await (await call("POST", `phones/${seat}/cells/${index}/alive`)).json()).go_on;
}

// The masks and, where there are any, the labels, then the result with its end marker: one without the other counts for
// nothing.
export async function answer(index, result, masks, labels) {
  const cell = `phones/${seat}/cells/${index}`;
  await call("PUT", `${cell}/masks`, masks);
  if (labels) await call("PUT", `${cell}/labels`, labels);
  await call("PUT", `${cell}/result`, JSON.stringify({ ...result, end: "done" }));
}

export const failure = (index, reason) => call("PUT", `phones/${seat}/cells/${index}/failure`, JSON.stringify({ reason }));

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, { method, body });
  } catch {
    throw new Error("the computer that serves this page cannot be reached; is its command still running?");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Error(told.refused ?? `the computer that serves this page answered ${response.status} to ${path}`);
}
