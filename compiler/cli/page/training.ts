// Training: start, pause, continue, start over; progress, curves and what is measured. In: a session, the page's controls. Out: a model that trains, also from
// where it was when the page was left.
import type { Tensor, TrainerEvent, TrainEvent, TrainResult } from "../../../runtime/api.ts";
import type { DeviceFacts } from "../../../runtime/device.ts";
import type { PlanTrain } from "../../../runtime/plan.ts";
import type { TrainerModel } from "../../../runtime/trainer-api.ts";
import { add, Chart } from "./chart.ts";
import { bytes, clock, element, figure, make, noProblem, problem, say, whole } from "./dom.ts";
import type { Files } from "./files.ts";
import { Keeping } from "./keeping.ts";
import type { Session } from "./session.ts";
import { Tuning } from "./tuning.ts";
import { Panel } from "./use.ts";

const lengthOf = (block: PlanTrain): "epochs" | "steps" => (block.epochs === undefined ? "steps" : "epochs");
const pathOf = (error: unknown): string | undefined =>
  error instanceof Error && "path" in error && typeof error.path === "string" ? error.path : undefined;

/** With its data and all that training needs, also where weights lie beside it: the page loads those itself. */
const toBeTrained = { weights: false } as const;

export class Training {
  readonly #session: Session;
  readonly #files: Files;
  readonly #loss = new Chart(element("loss-chart"), { title: "Loss", unit: "loss", logarithmic: true });
  readonly #metrics = new Chart(element("metric-chart"), { title: "Metrics", unit: "metric", share: true });
  readonly #shown = new Map<string, Map<string, number>>(); // metric -> split -> value
  readonly #keeping: Keeping;
  readonly #tuning: Tuning;
  #seed: string | undefined; // of the model
  #loading: Promise<TrainerModel> | undefined;
  #running: "running" | "pausing" | "resetting" | "tuning" | undefined;
  #ended: Promise<void> = Promise.resolve(); // of the run
  #leaving = false; // another page takes the place of this one
  #finished = false;
  #pause = new AbortController();
  #told = 0; // when the panels were last told of other weights

  constructor(session: Session, files: Files, device: DeviceFacts) {
    this.#session = session;
    this.#files = files;
    const { plan } = session;
    this.#tuning = new Tuning(plan, device, () => void this.#tune());
    this.#tuning.show(plan, false);
    for (const block of plan.trains) element("block").append(make("option", block.name, { value: block.name }));
    element("block-field").hidden = plan.trains.length < 2;
    this.#keeping = new Keeping(plan);
    this.#field("seed").value = this.#field("seed").defaultValue = String(plan.trains[0]?.seed ?? 0);
    element("start").addEventListener("click", () => this.#press());
    element("step").addEventListener("click", () => this.#start({ stopAfter: 1 }));
    element("reset").addEventListener("click", () => void this.#startOver());
    // the server that follows the source has another page: this one is left in good order
    addEventListener("dlm:reload", (event) =>
      (event as CustomEvent<(ready: Promise<void>) => void>).detail(this.#leave()),
    );
    element("log").addEventListener("click", () => {
      this.#loss.log = !this.#loss.isLog();
      this.#showScale();
      this.#loss.draw();
    });
    element("block").addEventListener("change", () => {
      this.#clear();
      this.#blockChosen();
    });
    session.onModel(() => {
      this.#tuning.show(session.model?.plan ?? plan, session.model !== undefined);
      this.facts();
      this.#buttons();
    });
    this.facts();
    this.#blockChosen();
    this.#loss.draw();
  }
  #field(id: "seed" | "epochs" | "steps"): HTMLInputElement {
    return element(id, "input");
  }
  get #block(): PlanTrain | undefined {
    const { trains } = this.#session.plan;
    return trains.find((block) => block.name === element("block", "select").value) ?? trains[0];
  }

  // ---- the model

  /** The model with the seed that is asked for: that which is there, or a new one. */
  load(): Promise<TrainerModel> {
    const seed = this.#asked;
    const { model } = this.#session;
    if (model && this.#seed === seed) return Promise.resolve(model);
    const loading = this.#loading ?? this.#load(seed).finally(() => (this.#loading = undefined));
    this.#loading = loading;
    return loading.then((made) => (this.#seed === this.#asked ? made : this.load()));
  }
  /** What is no seed is told when training starts: until then the model is what it was. */
  get #asked(): string {
    const field = this.#field("seed");
    return field.validity.valid ? field.value : (this.#seed ?? field.defaultValue);
  }
  async #load(seed: string): Promise<TrainerModel> {
    const { trainer } = this.#session;
    const former = this.#session.model;
    this.#session.model = undefined; // what is still asked of it is no news
    await former?.close();
    this.#keeping.forget();
    try {
      const model: TrainerModel = await trainer.load({
        ...toBeTrained,
        ...this.#keeping.options,
        ...this.#tuning.options,
        ...(seed === "" ? {} : { seed: Number(seed) }),
        host: this.#files.host,
        read: async (path) => this.#files.get(path) ?? trainer.fetchFile(path),
        onEvent: (event) => this.#event(event),
      });
      this.#seed = seed;
      void model.keeping.then((is) => is && this.#keeping.alone());
      if (former && this.#keeping.isElsewhere)
        await model.reset(); // another seed was asked for, not what another tab keeps
      else if (this.#keeping.resumed) this.#takeUp(model);
      this.#session.loaded(model);
      return model;
    } catch (error) {
      const path = pathOf(error);
      if (path !== undefined) this.#files.ask(path);
      throw error;
    }
  }
  #event(event: TrainerEvent): void {
    const { model } = this.#session;
    this.#keeping.event(event);
    if (event.kind !== "resumed" || !model || this.#running) return;
    this.#takeUp(model); // what another tab trained, which is closed now
    this.#session.weightsChanged();
    this.#buttons();
  }
  /** The controls say what the checkpoint was trained with. */
  #takeUp(model: TrainerModel): void {
    const { seed, block, length } = this.#keeping.choices;
    const { trains } = this.#session.plan;
    if (seed !== undefined) this.#seed = this.#field("seed").value = seed;
    if (trains.some((known) => known.name === block)) element("block", "select").value = block!;
    this.#blockChosen();
    const chosen = this.#block;
    if (!chosen) return;
    if (length !== undefined) this.#field(lengthOf(chosen)).value = length;
    const [step, steps] = [model.step(chosen.name), this.#planned(chosen, model)];
    this.#finished = step >= steps;
    this.#track(step, steps);
    say(this.#finished ? `Finished after ${whole(step)} steps` : `At step ${whole(step)} of ${whole(steps)}`);
  }
  #planned(block: PlanTrain, model: TrainerModel): number {
    const length = Number(this.#field(lengthOf(block)).value) || (block.steps ?? block.epochs ?? 0);
    if (block.epochs === undefined) return length;
    const rows = model.data[block.dataset ?? ""]?.splits["train"] ?? 0;
    return Math.ceil((length * rows) / (block.batch * block.accumulate));
  }
  /** Loads it before it is asked for, so that there is something to use; what lacks is told when it is needed. */
  async prepare(): Promise<boolean> {
    const goesOn = this.#keeping.running; // the page before this one trained
    try {
      await this.load();
      if (goesOn && !this.#running) this.#start();
      return true;
    } catch (error) {
      if (pathOf(error) === undefined) problem("The model cannot be loaded", error);
      return false;
    }
  }
  /** What is known of the run: of the plan at once, of data and device when the model is loaded. */
  facts(): void {
    const { plan, model } = this.#session;
    const count = (kind: string): number =>
      plan.states
        .filter((state) => state.kind === kind)
        .reduce(
          (sum, state) => sum + state.shape.reduce<number>((n, size) => n * (typeof size === "number" ? size : 1), 1),
          0,
        );
    const facts: (readonly [string, string, string?])[] = [
      ["parameters", whole(count("parameter"))],
      ["kernels", whole((model?.plan ?? plan).modules.length)],
    ];
    if (model) {
      const cost = model.cost.trains[this.#block?.name ?? ""];
      if (cost)
        facts.push(["launches per step", whole(cost.dispatchesPerStep)], ["steps per submit", `up to ${cost.window}`]);
      facts.push(["device memory", bytes(model.cost.bytes)]);
      for (const [name, { rows, splits }] of Object.entries(model.data))
        facts.push(
          [name, `${whole(rows)} rows`],
          ...Object.entries(splits).map(([split, n]) => [split, whole(n), "part"] as const),
        );
    }
    element("run").replaceChildren(
      ...facts.flatMap(([name, text, kind = ""]) => [make("dt", name, { className: kind }), make("dd", text)]),
    );
  }

  // ---- the run

  #press(): void {
    if (this.#running) this.#pauseRun();
    else if (this.#finished) void this.#reset().then(() => this.#start());
    else this.#start();
  }
  #pauseRun(): void {
    this.#running = "pausing";
    this.#pause.abort();
    say("Pausing …");
    this.#buttons();
  }
  /** A page that takes the place of this one trains on if this one does. */
  async #leave(): Promise<void> {
    if (!this.#running || this.#running === "resetting" || this.#running === "tuning") return;
    this.#leaving = true;
    this.#pauseRun();
    await this.#ended;
  }
  async #startOver(): Promise<void> {
    if (this.#running) {
      this.#pauseRun();
      await this.#ended;
    }
    await this.#reset();
  }
  #start(part: { readonly stopAfter?: number } = {}): void {
    const block = this.#block;
    noProblem();
    if (block && this.#areNumbers()) this.#ended = this.#train(block, part);
  }
  /** What is asked for, or a sentence why it cannot be. */
  #areNumbers(): boolean {
    const names = { seed: "seed", epochs: "number of epochs", steps: "number of steps" } as const;
    for (const id of ["seed", "epochs", "steps"] as const) {
      const field = this.#field(id);
      if (element(`${id}-field`).hidden || field.validity.valid) continue;
      const most = field.max === "" ? "" : `, at most ${whole(Number(field.max))}`;
      const given = field.value === "" ? "" : `, not ${field.value}`;
      problem("It cannot start like this", `The ${names[id]} is a whole number, ${field.min} or more${most}${given}.`);
      field.focus();
      return false;
    }
    return true;
  }
  async #train(block: PlanTrain, part: { readonly stopAfter?: number }): Promise<void> {
    this.#pause = new AbortController();
    this.#running = "running";
    this.#buttons();
    const state = (text: string): void => void (document.documentElement.dataset["state"] = text);
    let model: TrainerModel | undefined;
    try {
      if (!this.#session.model) say("Loading data and compiling kernels …");
      model = await this.load();
      Panel.busy = true;
      this.#keeping.running = true;
      this.#keepChoices(block);
      const result = await model.train(block.name, {
        signal: this.#pause.signal,
        onProgress: (event) => this.#progress(event),
        ...this.#length(block),
        ...part,
      });
      this.#done(result);
      state(result.reason);
    } catch (error) {
      const path = pathOf(error);
      if (path !== undefined)
        problem(
          "A data file is missing",
          `The server of this page does not have ${path}. Choose it below, then start again.`,
        );
      else problem(model ? "The training stopped" : "The model cannot be loaded", error);
      say(path === undefined ? "Stopped" : "Waiting for a file");
      state("problem");
    }
    Panel.busy = false;
    this.#running = undefined;
    this.#keeping.running = this.#leaving;
    this.#buttons();
    if (this.#session.model) this.#session.weightsChanged();
  }
  #keepChoices(block: PlanTrain): void {
    const length = this.#field(lengthOf(block)).value;
    const isOwn = length !== String(block[lengthOf(block)]);
    this.#keeping.keepChoices({
      seed: this.#field("seed").value,
      block: block.name,
      ...(isOwn && length !== "" ? { length } : {}),
    });
  }
  #length(block: PlanTrain): { readonly epochs?: number; readonly steps?: number } {
    const id = lengthOf(block);
    const { value } = this.#field(id);
    return value === "" ? {} : { [id]: Number(value) };
  }
  #done(result: TrainResult): void {
    element("state").setAttribute("aria-live", "polite");
    const measured = Object.entries(result.measured).map(
      ([split, values]) =>
        `${split}: ${Object.entries(values)
          .flatMap(([name, value]) => (typeof value === "number" ? [`${name} ${figure(value)}`] : []))
          .join(", ")}`,
    );
    this.#finished = result.reason !== "paused";
    const end = result.reason === "stalled" ? "Stopped: no longer better" : "Finished";
    say(
      this.#finished
        ? `${end} after ${whole(result.step)} steps · ${measured.join(" · ") || (Number.isNaN(result.loss) ? "" : `loss ${figure(result.loss)}`)}`
        : `Paused at step ${whole(result.step)} of ${whole(result.steps)}`,
    );
    if (this.#finished) {
      this.#track(1, 1);
      this.#loss.steps = this.#metrics.steps = result.step;
    }
    element("rate").replaceChildren(
      make("strong", whole(Math.round(result.stepsPerSecond))),
      ` steps/s · ${result.seconds.toFixed(1)} s`,
    );
  }
  #progress(event: TrainEvent): void {
    if (event.kind === "saved") return;
    if (event.kind === "measuring")
      return say(`Measuring ${event.split}: ${whole(event.done)} of ${whole(event.rows)} rows`);
    const line = (name: string, of: string, points: boolean) =>
      name === "loss" ? this.#loss.line(of, points) : this.#metrics.line(`${name}, ${of}`, points);
    if (event.kind === "evaluation") {
      for (const [name, value] of Object.entries(event.values))
        if (typeof value === "number") add(line(name, event.split, true), event.step, value);
      this.#measured(event.split, event.values);
    } else {
      for (const [name, values] of Object.entries(event.curves)) {
        const target = line(name, "batch", false);
        values.forEach((value, i) => add(target, event.step - values.length + i + 1, value));
      }
      this.#measured("batch", Number.isNaN(event.loss) ? event.metrics : { loss: event.loss, ...event.metrics });
      this.#track(event.step, event.steps);
      this.#loss.steps = this.#metrics.steps = event.steps;
      const epoch = event.epochs
        ? `Epoch ${whole(Math.min(event.epoch + 1, event.epochs))} of ${whole(event.epochs)} · `
        : "";
      element("state").setAttribute("aria-live", "off"); // several times a second is no news
      say(`${epoch}step ${whole(event.step)} of ${whole(event.steps)}`);
      element("rate").replaceChildren(
        make("strong", whole(Math.round(event.stepsPerSecond))),
        ` steps/s · ${clock(event.secondsLeft)} left`,
      );
      this.#tellPanels();
    }
    this.#metrics.hidden = this.#metrics.lines.size === 0;
    this.#showScale();
    this.#loss.draw();
    this.#metrics.draw();
  }
  /** Twice a second, less often where the panels would take more than a fifth of the time: what they show is computed between steps. */
  #tellPanels(): void {
    if (performance.now() - this.#told < Math.max(500, 5 * Panel.spent)) return;
    this.#told = performance.now();
    this.#session.weightsChanged();
  }

  async #tune(): Promise<void> {
    const block = this.#block;
    if (this.#running || !block || !this.#areNumbers()) return;
    this.#running = "tuning";
    this.#buttons();
    await this.#tuning.measure(() => this.load(), block.name);
    this.#running = undefined;
    this.#buttons();
    this.facts();
    if (this.#session.model) this.#session.weightsChanged();
  }

  // ---- what is shown

  #measured(split: string, values: Readonly<Record<string, number | Tensor>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (typeof value !== "number") {
        showTensor(`${name}, ${split}`, value);
        continue;
      }
      const row = this.#shown.get(name) ?? new Map<string, number>();
      row.set(split, value);
      this.#shown.set(name, row);
    }
    const splits = [...new Set([...this.#shown.values()].flatMap((row) => [...row.keys()]))];
    const head = make("tr", undefined, {}, [
      make("th", "metric", { scope: "col" }),
      ...splits.map((name) => make("th", name, { scope: "col" })),
    ]);
    const lines = [...this.#shown].map(([name, row]) =>
      make("tr", undefined, {}, [
        make("th", name, { scope: "row" }),
        ...splits.map((of) => make("td", row.has(of) ? figure(row.get(of)!) : "–")),
      ]),
    );
    element("no-figures").hidden = true;
    element("figures").replaceChildren(make("thead", undefined, {}, [head]), make("tbody", undefined, {}, lines));
  }
  #showScale(): void {
    element("log").setAttribute("aria-pressed", String(this.#loss.isLog()));
  }
  #track(step: number, steps: number): void {
    const percent = (100 * step) / Math.max(steps, 1);
    element("done").style.width = `${percent}%`;
    element("track").setAttribute("aria-valuenow", String(Math.round(percent)));
  }
  #buttons(): void {
    const { model, plan } = this.#session;
    const step = model && this.#block ? model.step(this.#block.name) : 0;
    const isEnding = this.#running !== undefined && this.#running !== "running";
    element("start").textContent =
      this.#running === "running" || this.#running === "pausing"
        ? "Pause"
        : this.#finished
          ? "Train again"
          : step > 0
            ? `Continue from step ${whole(step)}`
            : "Start training";
    element("start", "button").disabled = isEnding || plan.trains.length === 0;
    element("step", "button").disabled = this.#running !== undefined || this.#finished || plan.trains.length === 0;
    const begun = model !== undefined && plan.trains.some((block) => model.step(block.name) > 0);
    element("reset", "button").disabled = isEnding || (!begun && !this.#running);
    for (const id of ["save", "share"]) element(id, "button").disabled = this.#running !== undefined || !model;
    element("load", "input").disabled = this.#running !== undefined;
    element("tune", "button").disabled = this.#running !== undefined;
    for (const id of ["epochs", "steps", "seed"] as const)
      this.#field(id).disabled = this.#running !== undefined || begun;
    element("block", "select").disabled = this.#running !== undefined;
  }
  async #reset(): Promise<void> {
    this.#finished = false;
    this.#running = "resetting";
    noProblem();
    this.#buttons();
    // the model as it is now: what a changed text says holds
    if (this.#keeping.resumed?.changed) {
      this.#field("seed").value = String(this.#session.plan.trains[0]?.seed ?? 0);
      this.#blockChosen();
    }
    this.#keeping.forget();
    try {
      await this.#session.model?.reset();
      if (this.#seed !== this.#asked) await this.load();
      else this.#session.weightsChanged();
    } catch {
      void this.#session.model?.close(); // what a lost device holds is lost; the next start makes everything anew
      this.#session.model = undefined;
    }
    this.#running = undefined;
    this.#clear();
    say("Ready");
    this.#buttons();
  }
  #clear(): void {
    this.#loss.clear();
    this.#metrics.clear();
    this.#shown.clear();
    element("figures").replaceChildren();
    element("no-figures").hidden = false;
    element("tensors").replaceChildren();
    this.#metrics.hidden = element("tensors").hidden = true;
    element("rate").replaceChildren();
    this.#track(0, 1);
  }
  #blockChosen(): void {
    const block = this.#block;
    for (const id of ["epochs", "steps"] as const) {
      element(`${id}-field`).hidden = block?.[id] === undefined;
      this.#field(id).value = String(block?.[id] ?? "");
    }
    if (this.#session.model) this.#finished = false;
    this.#buttons();
  }
}
/** A small matrix that is measured, such as a table of confusion. */
function showTensor(title: string, { shape, data }: Tensor): void {
  const [rows = 0, columns = 0] = shape;
  if (shape.length !== 2 || rows > 24 || columns > 24) return;
  const id = `tensor ${title}`;
  const card = document.getElementById(id) ?? make("section", undefined, { id, className: "card" });
  const largest = Math.max(...data, 1e-30);
  const lines = Array.from({ length: rows }, (_, i) =>
    make(
      "tr",
      undefined,
      {},
      Array.from({ length: columns }, (_, j) => {
        const value = data[i * columns + j]!;
        const cell = make("td", Number.isInteger(value) ? String(value) : value.toFixed(2));
        const strength = Math.round((50 * Math.max(0, value)) / largest);
        cell.style.background = `color-mix(in srgb, var(--curve1) ${strength}%, transparent)`;
        return cell;
      }),
    ),
  );
  const table = make("table", undefined, { className: "heat" }, [make("tbody", undefined, {}, lines)]);
  card.replaceChildren(
    make("h2", title),
    make("div", undefined, { className: "scroll", tabIndex: 0, role: "region", ariaLabel: title }, [table]),
  );
  element("tensors").append(card);
  element("tensors").hidden = false;
}
