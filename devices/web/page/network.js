// The network in a worker of its own, so that the page stays quick.

export class Network {
  // `job` says unit and threads, `features` are those of features.js. It has `resolution`, `facts`, `outputs`: numbers a
  // pixel, 1 for a mask, and `recurrent`: whether it takes a previous mask.
  static async open(model, job, features) {
    const network = new Network();
    return Object.assign(network, await network.ask({ open: { model, job, features } }));
  }

  constructor() {
    this.worker = new Worker(new URL("network-worker.js", import.meta.url));
    this.worker.onerror = (event) => this.waiting?.reject(new Error(event.message || "the browser could not start the worker"));
    this.worker.onmessage = ({ data: { answer, failed } }) => {
      if (failed) this.waiting.reject(new Error(failed));
      else this.waiting.resolve(answer);
    };
  }

  mask(frame, previous) {
    return this.ask({ frame, previous });
  }

  // One question at a time.
  ask(question) {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.worker.postMessage(question);
    });
  }

  close() {
    this.worker.terminate();
  }
}
