// What stays of a page when it is left: the trainer's checkpoints, what the controls said, whether it was training. In: a plan, events of the trainer.
// Out: how to load the model, what was asked for last time, a sentence for the visitor.
import type { TrainerEvent } from "../../../runtime/api.ts";
import type { Plan } from "../../../runtime/plan.ts";
import type { TrainerOptions } from "../../../runtime/trainer-api.ts";
import { element, whole } from "./dom.ts";

/** What the visitor chose, where the model says something else. */
export interface Choices {
  readonly seed: string; // always: the checkpoint is of this one
  readonly block: string;
  readonly length?: string; // epochs or steps
}
/** Somewhere to write: a browser may refuse it, and then the page forgets. `set` says whether it is written. */
export function remembered(
  storage: () => Storage,
  key: string,
): { get(): string | null; set(text: string | undefined): boolean } {
  const attempt = <T>(run: () => T): T | null => {
    try {
      return run();
    } catch {
      return null;
    }
  };
  return {
    get: () => attempt(() => storage().getItem(key)),
    set: (text) =>
      attempt(() => (text === undefined ? storage().removeItem(key) : storage().setItem(key, text))) !== null,
  };
}

export class Keeping {
  /** As the trainer last said. */
  resumed: { readonly steps: Readonly<Record<string, number>>; readonly changed: boolean } | undefined;
  readonly #name: string;
  readonly #choices: ReturnType<typeof remembered>;
  readonly #running: ReturnType<typeof remembered>; // of this tab, until it is closed
  isElsewhere = false; // another tab has the place
  #isBehind = false; // what another tab left there is trained for longer
  #chosen: Choices | undefined;
  #isLost = false; // the device, and another one takes over
  readonly #isLink = location.hash.startsWith("#weights="); // a link is opened for what it holds

  constructor({ name }: Plan) {
    this.#name = `${location.pathname.replace(/index\.html$/, "")} ${name}`;
    this.#choices = remembered(() => localStorage, `dlm ${this.#name}`);
    this.#running = remembered(() => sessionStorage, `dlm training ${this.#name}`);
  }
  get options(): Pick<TrainerOptions, "keep" | "fitting"> {
    return this.#isLink ? {} : { keep: this.#name, fitting: true };
  }
  get choices(): Partial<Choices> {
    try {
      const kept: unknown = JSON.parse(this.#choices.get() ?? "{}");
      const texts = Object.entries(typeof kept === "object" && kept ? kept : {}).filter(
        ([, x]) => typeof x === "string",
      );
      return Object.fromEntries(texts) as Partial<Choices>; // only what this class wrote has these names
    } catch {
      return {};
    }
  }
  /** From the next checkpoint on. */
  keepChoices(choices: Choices): void {
    this.#chosen = choices;
  }
  /** It trains: the page that takes the place of this one goes on with it. */
  set running(is: boolean) {
    this.#running.set(is ? "yes" : undefined);
  }
  get running(): boolean {
    return this.#running.get() === "yes";
  }
  event(event: TrainerEvent): void {
    if (event.kind === "elsewhere") {
      this.isElsewhere = true;
      this.#say(elsewhere);
    } else if (event.kind === "behind") {
      this.isElsewhere = false;
      this.#isBehind = true;
      this.#say(behind(stepsText(event.steps)));
    } else if (event.kind === "kept") {
      this.#choices.set(JSON.stringify(this.#chosen));
      if (this.#isBehind) element("kept").hidden = true;
      this.#isBehind = false;
    } else if (event.kind === "lost") this.#isLost = event.resuming;
    else if (event.kind === "resumed") {
      if (!this.#isLost) this.resumed = event;
      const step = stepsText(event.steps);
      this.#say(
        this.#isLost ? `The device was lost; another one goes on from step ${step}.` : goingOn(step, event.changed),
      );
      this.#isLost = false;
    } else if (event.kind === "not kept") {
      const [, why] = /^what was kept is passed over: (.*)/s.exec(event.message) ?? [];
      this.#say(
        why === undefined
          ? `What is trained here is gone when the page is left: ${event.message}.`
          : `What was trained before does not fit this model and its data, so it begins anew: ${why}.`,
      );
    }
  }
  /** The other tab is closed. */
  alone(): void {
    this.isElsewhere = false;
    if (element("kept").textContent === elsewhere) element("kept").hidden = true;
  }
  /** What was said of checkpoints is over. */
  forget(): void {
    this.resumed = undefined;
    element("kept").hidden = !this.isElsewhere && !this.#isBehind;
  }
  #say(text: string): void {
    // what another tab does is said first, until it is over
    element("kept").textContent = this.isElsewhere ? elsewhere : text;
    element("kept").hidden = false;
  }
}
const elsewhere = "Another tab trains this model, and what it trains is kept; what this one trains is not.";
const stepsText = (steps: Readonly<Record<string, number>>): string =>
  whole(Object.values(steps).reduce((sum, n) => sum + n, 0));
const behind = (step: string): string =>
  `What is kept is what another tab trained, up to step ${step}. What this one trains is kept from there on; until then, loading the page anew goes on with the other.`;
const goingOn = (step: string, changed: boolean): string =>
  changed
    ? `Going on from step ${step}, from before the model was changed: its parameters still fit. “Start over” begins anew.`
    : `Going on from step ${step}, where training was when the page was left. “Start over” begins anew.`;
