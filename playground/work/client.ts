// The page's side of a worker: the newest text wins. In: documents and questions. Out: promises; those about a text that is no longer there are refused.
import type { Answer, Document, Questions, Request } from "./protocol.ts";

/** The text has changed meanwhile. */
export class Outdated extends Error {
  override readonly name = "Outdated";
}
interface Asked {
  readonly number: number;
  readonly ask: keyof Questions;
  readonly about: unknown;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}
export class Compiler {
  #worker: Worker;
  #document: Document | undefined;
  #isTold = false; // the worker has this document
  #running: Asked | undefined;
  #began = 0;
  #waiting: Asked[] = [];
  #number = 0;
  readonly #patience: number; // milliseconds that an answer nobody wants may still take

  constructor(patience: number) {
    this.#patience = patience;
    this.#worker = this.#start();
  }
  open(document: Document): void {
    this.#document = document;
    this.#isTold = false;
    for (const asked of this.#waiting.splice(0)) asked.reject(new Outdated());
    const { number } = this.#running ?? {};
    if (number === undefined) return;
    this.#running!.reject(new Outdated());
    setTimeout(
      () => {
        if (this.#running?.number === number && !this.#isTold) this.#restart();
      },
      Math.max(0, this.#patience - (performance.now() - this.#began)),
    );
  }
  ask<K extends keyof Questions>(ask: K, about: Questions[K]["give"]): Promise<Questions[K]["take"]> {
    return new Promise((resolve, reject) => {
      const take = (answer: unknown): void => resolve(answer as Questions[K]["take"]); // of the same question
      this.#waiting.push({ number: ++this.#number, ask, about, resolve: take, reject });
      this.#next();
    });
  }
  #start(): Worker {
    const worker = new Worker(new URL("worker.mjs", location.href.replace(/[?#].*$/s, "")), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.#take(data));
    worker.addEventListener("error", (event) => {
      this.#running?.reject(new Error(event.message || "the compiler did not start"));
      this.#running = undefined;
    });
    return worker;
  }
  #restart(): void {
    this.#worker.terminate();
    this.#worker = this.#start();
    this.#running = undefined;
    this.#isTold = false;
    this.#next();
  }
  #next(): void {
    if (this.#running || !this.#document) return;
    const asked = this.#waiting.shift();
    if (!asked) return;
    const say = (request: Request): void => this.#worker.postMessage(request);
    if (!this.#isTold) say({ open: this.#document });
    this.#isTold = true;
    this.#running = asked;
    this.#began = performance.now();
    say({ number: asked.number, ask: asked.ask, about: asked.about });
  }
  #take(said: Answer): void {
    const asked = this.#running;
    if (said.number !== asked?.number) return;
    this.#running = undefined;
    if ("fault" in said) asked.reject(new Error(said.fault));
    else asked.resolve(said.answer);
    this.#next();
  }
}
