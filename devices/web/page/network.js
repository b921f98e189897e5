// The network in a worker of its own, so that the page stays quick.

export class Network {
  // `job` says unit and threads, `features` are those of features.js.
  static async open(model, job, features) {
    const network = new Network();
    const { resolution, facts } = await network.ask({ open: { model, job, features } });
    return Object.assign(network, { resolution, facts });
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
