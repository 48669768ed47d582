// The card that tells where a number first was not finite. In: a model whose training failed, how it was asked to train. Out: a card with the lines of the text.
import { box, button, element, make } from "../../compiler/cli/page/dom.ts";
import type { TrainOptions } from "../../runtime/api.ts";
import type { Plan } from "../../runtime/plan.ts";
import type { TrainerModel } from "../../runtime/trainer-api.ts";
import type { NonFinite } from "../../runtime/windows.ts";
import { showLine } from "./around.ts";

/** Loads the model as this plan has it, for a look. */
type Load = (plan: Plan) => Promise<TrainerModel>;

/** What a training that failed says of the number, if it failed for one. */
function foundIn(error: unknown): { readonly made: NonFinite | undefined } | undefined {
  if (!(error instanceof Error) || !("made" in error) || !("step" in error)) return undefined;
  return { made: error.made as NonFinite | undefined }; // of a NonFiniteLoss: no other problem has both
}
export class OriginCard {
  readonly #card = make("section", undefined, { className: "card error", id: "origin", hidden: true });

  constructor() {
    this.#card.setAttribute("aria-labelledby", "origin-title");
    element("problem").after(this.#card);
  }
  clear(): void {
    this.#card.hidden = true;
  }
  /** `apart`: the plan in which every kernel is a launch of its own, where it can be had. */
  async tell(
    error: unknown,
    model: TrainerModel,
    train: string | undefined,
    { steps, epochs }: TrainOptions,
    load: Load,
    apart: (target: string) => Promise<Plan | undefined>,
  ): Promise<void> {
    const found = foundIn(error);
    if (!found) return;
    if (found.made) return this.#show(found.made, model.plan);
    this.#say(make("p", "One launch does whole steps of this model: its kernels are run one by one …"));
    const plan = await apart(model.plan.target);
    if (!plan) return this.clear();
    const other = await load(plan);
    try {
      await other.restore(await model.checkpoint());
      const length = { ...(steps === undefined ? {} : { steps }), ...(epochs === undefined ? {} : { epochs }) };
      await other.train(train, { ...length, snapshots: { seconds: 0, take: () => {} } });
      this.clear(); // it does not happen there
    } catch (again) {
      const made = foundIn(again)?.made;
      if (made) this.#show(made, plan);
      else this.clear();
    } finally {
      await other.close();
    }
  }
  #show({ value, element: at, tensor, kernel, lines }: NonFinite, { modules }: Plan): void {
    const own = lines.filter((line) => !line.startsWith("std/"));
    const places = own.map((line) => button(line.replace(/^.*:/, "line "), () => showLine(line), "small"));
    places.forEach((b, i) => (b.title = own[i]!));
    const formula = formulaOf(modules.find((m) => m.name === kernel)?.code ?? "", tensor);
    this.#say(
      make("p", undefined, {}, [
        `${value} is first in `,
        make("code", tensor),
        `, element ${at}. The kernel `,
        make("code", kernel),
        " made it:",
      ]),
      ...(formula ? [make("pre", formula, { tabIndex: 0 })] : []),
      box(
        "row",
        make("span", own.length ? "Show it in the text:" : "It comes from the library.", { className: "note" }),
        ...places,
      ),
    );
  }
  #say(...told: readonly Node[]): void {
    this.#card.replaceChildren(make("h2", "Where it began", { id: "origin-title" }), ...told);
    this.#card.hidden = false;
  }
}
/** What a kernel's comment says that a tensor is, with what it is made of. */
function formulaOf(code: string, tensor: string): string {
  const lines = (/^(?:\/\/.*\n)*/.exec(code)?.[0] ?? "").split("\n").map((line) => line.replace(/^\/\/ ?/, ""));
  const at = lines.findIndex((line) => line.startsWith(`${tensor}[`) || line.startsWith(`${tensor} =`));
  if (at < 0) return "";
  let end = at + 1;
  while (lines[end]?.startsWith("  ")) end++;
  const sums = lines
    .slice(0, at)
    .filter((line) => /^sum\w* =/.test(line) && lines[at]!.includes(line.split(" ", 1)[0]!));
  return [...lines.slice(at, end), ...sums.map((line) => `  where ${line}`)].join("\n");
}
