// One step in a worker of its own, which ends with it.

// Resolves to the worker's answer. `signal` ends it: the promise is then rejected with the signal's reason.
export function trial(message, signal, tell) {
  const worker = new Worker(new URL("worker.js", import.meta.url));
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    worker.onerror = (event) => reject(new Error(event.message || "the browser could not start the worker"));
    worker.onmessage = ({ data: { progress, answer, failed } }) => {
      if (progress) tell(progress);
      if (answer) resolve(answer);
      if (failed) reject(new Error(failed));
    };
    worker.postMessage(message);
  }).finally(() => worker.terminate());
}
