// Kernels for the visitor's device: measured when that is asked for, remembered for the next visit, forgotten again. In: what the device is, a model that is
// not trained just now. Out: how to load the model; a sentence of what was measured.
import type { TuneResult, Tuning as Measured } from "../../../runtime/api.ts";
import type { DeviceFacts } from "../../../runtime/device.ts";
import { dispatchesOf, hashOf, type Plan } from "../../../runtime/plan.ts";
import { messageOf } from "../../../runtime/problem.ts";
import type { TrainerModel, TrainerOptions } from "../../../runtime/trainer-api.ts";
import { element } from "./dom.ts";
import { remembered } from "./keeping.ts";

export class Tuning {
  readonly #kept: ReturnType<typeof remembered>;
  #isFresh = false; // something was said since the model was loaded

  constructor({ name }: Plan, facts: DeviceFacts, tune: () => void) {
    const device = [facts.vendor, facts.architecture, facts.name].join(" ");
    this.#kept = remembered(() => localStorage, `dlm tuned ${location.pathname} ${name} ${device}`);
    element("tune").addEventListener("click", tune);
    element("forget").addEventListener("click", () => {
      this.#kept.set(undefined);
      this.#say("Forgotten: when the page is loaded anew, it has the kernels that the compiler chose.", false);
    });
  }
  get options(): Pick<TrainerOptions, "tuning"> {
    const tuning = this.#measured;
    return tuning ? { tuning } : {};
  }
  /** The runtime looks at what it is of. */
  get #measured(): Measured | undefined {
    try {
      return (JSON.parse(this.#kept.get() ?? "null") as Measured | null) ?? undefined;
    } catch {
      return undefined;
    }
  }
  /** Whether there is anything to tune, and whether that was done before. */
  show(plan: Plan, isLoaded: boolean): void {
    element("tuning").hidden = !plan.trains.some((t) => dispatchesOf(t.step.commands).some((d) => d.alternatives));
    if (!isLoaded || this.#isFresh) return;
    const { plan: of, taken = [] } = this.#measured ?? {};
    const isOurs = of === hashOf(plan);
    if (isOurs && taken.some((n) => n > 0)) this.#say("Tuned for this device on an earlier visit.", true);
    else if (isOurs) this.#say("Measured on an earlier visit: no other kernels are faster on this device.", true);
  }
  /** Whatever goes wrong is said. */
  async measure(load: () => Promise<TrainerModel>, block: string): Promise<void> {
    try {
      const model = await load();
      const result = await model.tune({
        train: block,
        onProgress: ({ kernel, number, of }) => this.#say(`Measuring ${kernel}, ${number} of ${of} …`, false),
      });
      const isKept = this.#kept.set(JSON.stringify(result.tuning));
      this.#say(
        `${textOf(result)}${isKept ? "" : " The browser does not let this page remember it."}`,
        isKept && !result.noMemory,
      );
    } catch (error) {
      this.#say(`It could not be measured: ${messageOf(error)}`, this.#measured !== undefined);
    }
  }
  #say(text: string, isKept: boolean): void {
    this.#isFresh = true;
    element("tuned").textContent = text;
    element("forget").hidden = !isKept;
  }
}
function textOf({ kernels, noMemory }: TuneResult): string {
  if (noMemory) return "There is no memory to measure in.";
  const [faster, noisy, late] = (["faster", "noisy", "late"] as const).map((why) =>
    kernels.filter((k) => k.why === why),
  );
  const took = (way: (taken: number) => number): string =>
    `${(faster!.reduce((sum, k) => sum + k.microseconds[way(k.taken)]!, 0) / 1000).toPrecision(3)} ms`;
  return [
    faster!.length
      ? `${faster!.length} of ${kernels.length} kernels are faster now: ${took((n) => n)}, ${took(() => 0)} before.`
      : `None of ${kernels.length} kernels has another one that is clearly faster here.`,
    noisy!.length ? ` Times vary too much here to judge ${noisy!.length}.` : "",
    late!.length ? ` There was no time for ${late!.length}.` : "",
  ].join("");
}
