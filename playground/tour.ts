// A tour in ten steps along the five parts of learning: objective, learning rule, architecture, initialisation, environment. In: what a step does to the
// page. Out: a card that goes from step to step.
import { box, button, make } from "../compiler/cli/page/dom.ts";

export interface Step {
  readonly title: string;
  readonly text: string;
  readonly example: string;
  readonly tab: string;
  readonly choose?: RegExp; // the first match in the text is chosen
}
export const steps: readonly Step[] = [
  {
    title: "A model is a text",
    text: "Everything that learns here stands in these lines: what it sees, what it is made of, what it wants, and how it changes. On the right is what the text becomes. It changes with every key.",
    example: "digits.dlm",
    tab: "calls",
  },
  {
    title: "Environment: what it sees",
    text: "1797 handwritten digits of 8x8 pixels, a fifth of them held out. The field on this line lights up in every stage: here the kernel that brings a batch together.",
    example: "digits.dlm",
    tab: "plan",
    choose: /csv\("data\/digits\.csv", columns: 0\.\.64\)/,
  },
  {
    title: "Architecture: what it is made of",
    text: "Four layers in a row. Each call has its shapes, its parameters and its share of a training step’s arithmetic. Change 128 to 256 and see what it costs.",
    example: "digits.dlm",
    tab: "calls",
    choose: /Linear\(128, act: relu\)/,
  },
  {
    title: "Initialisation: where it begins",
    text: "Two equal towers of sixty layers. From orthogonal weights one learns, from small normal weights the other does not: nothing else differs.",
    example: "depth/dynamic_isometry.dlm",
    tab: "calls",
    choose: /Tower\(orthogonal\(\)\)/,
  },
  {
    title: "Objective: what it wants",
    text: "One number says how wrong the model is: here the cross entropy of its answers, and a little for large weights. The graph shows what it is made of.",
    example: "digits.dlm",
    tab: "graph",
    choose: /cross_entropy\(logits, y\)/,
  },
  {
    title: "The derivative is a formula",
    text: "How the objective changes with every weight follows from its formula. Read from above: every name in a line is defined before it. It can be copied as LaTeX.",
    example: "digits.dlm",
    tab: "formulas",
    choose: /cross_entropy\(logits, y\)/,
  },
  {
    title: "Learning rule: how it changes",
    text: "The gradient is clipped, then AdamW takes a step, at a rate that warms up and falls along a cosine. The whole rule is a kernel or two over all parameters.",
    example: "digits.dlm",
    tab: "fused",
    choose: /clip_norm\(1\) >> adamw\(lr: warmup_cosine\(lr, warm: 50, total: steps\)\)/,
  },
  {
    title: "Kernels that can be read",
    text: "This is what runs on the device. Each module begins with its formula and the line that it comes from. A click on it leads back to the text.",
    example: "digits.dlm",
    tab: "wgsl",
    choose: /Linear\(64, act: relu\)/,
  },
  {
    title: "Let it learn",
    text: "Start training, or take one step at a time. The curves are of batches and of the held-out rows; below, draw a digit and see what the model thinks of it.",
    example: "digits.dlm",
    tab: "run",
  },
  {
    title: "Go on from here",
    text: "The gallery has models in eleven chapters, from the perceptron of 1958 to a GPT, each with what to see. This one cannot learn XOR, whatever it does.",
    example: "history/perceptron.dlm",
    tab: "run",
  },
];
export class Tour {
  readonly #show: (step: Step) => Promise<void>;
  readonly #card = make("section", undefined, { className: "tour", ariaLabel: "Tour", hidden: true, tabIndex: -1 });
  #at = 0;
  constructor(show: (step: Step) => Promise<void>) {
    this.#show = show;
    document.body.append(this.#card);
    this.#card.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#card.hidden = true;
    });
  }
  begin(): void {
    this.#at = 0;
    this.#card.hidden = false;
    void this.#go();
  }
  async #go(): Promise<void> {
    const step = steps[this.#at]!;
    const move = (by: number) => (): void => {
      this.#at += by;
      if (this.#at < steps.length) void this.#go();
      else this.#card.hidden = true;
    };
    const back = button("Back", move(-1), "small");
    back.disabled = this.#at === 0;
    this.#card.replaceChildren(
      box(
        "tour-head",
        make("span", `${this.#at + 1} of ${steps.length}`, { className: "path" }),
        button("End the tour", () => (this.#card.hidden = true), "small"),
      ),
      make("h2", step.title),
      make("p", step.text),
      box("row", back, button(this.#at + 1 < steps.length ? "Next" : "Done", move(1), "small primary")),
    );
    this.#card.focus({ preventScroll: true });
    await this.#show(step);
  }
}
