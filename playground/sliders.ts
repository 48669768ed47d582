// Sliders for the numbers of a text: consts, rates, widths. In: the text, changes to it. Out: a slider for each, which writes the number into the text.
import { make } from "../compiler/cli/page/dom.ts";
import { patterns } from "../grammar/words.ts";

export interface Knob {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly line: number;
}
const most = 12;
const mostText = 40_000; // characters that are looked through

/** Numbers that have a name: `const lr = 3e-3`, `lr: 0.1`, `Linear(128`, `batch: 64`. Not those of data, and none in comments or strings. */
export function knobsOf(text: string): readonly Knob[] {
  const found: Knob[] = [];
  const number = patterns.number.source;
  let offset = 0;
  let depthOfData = 0;
  const lines = text.slice(0, mostText).split("\n");
  for (const [i, line] of lines.entries()) {
    if (/^data\b/.test(line)) depthOfData = 1;
    else if (/^\S/.test(line)) depthOfData = 0;
    const bare = line.replace(/#.*$/, "").replace(/"[^"]*"?|`[^`]*`?/g, (s) => " ".repeat(s.length));
    const named = new RegExp(
      `(?:\\bconst (\\w+) = |\\b(\\w+): ?|\\b([A-Z]\\w+)\\()(${number})(?![\\w.]|\\s*\\.\\.)`,
      "g",
    );
    for (const match of depthOfData ? [] : bare.matchAll(named)) {
      const [whole, constant, argument, callee, value] = match;
      const start = offset + match.index + whole.length - value!.length;
      const name = constant ?? argument ?? callee!;
      if (!/^(seed|epochs|steps)$/.test(name))
        found.push({ name, start, end: start + value!.length, text: value!, line: i + 1 });
    }
    offset += line.length + 1;
    if (found.length >= most) break;
  }
  return found.slice(0, most);
}
/** Whole numbers go from 1 to four times what they are, shares to 1, rates over two decades each way. */
function scaleOf(text: string): { readonly at: number; readonly read: (at: number) => string } {
  const value = Number(text);
  const isWhole = /^\d+$/.test(text);
  const [low, high] = isWhole
    ? [1, Math.max(4, 4 * value)]
    : value > 0.05 && value < 1
      ? [0, 0.99]
      : [value / 100, value * 100];
  const isLinear = low === 0 || value === 0;
  const at = isLinear ? value / high : Math.log(value / low) / Math.log(high / low);
  const read = (share: number): string => {
    const x = isLinear ? share * high : low * (high / low) ** share;
    return isWhole ? String(Math.max(1, Math.round(x))) : isLinear ? x.toFixed(2) : short(x);
  };
  return { at: Number.isFinite(at) ? at : 0, read };
}
function short(x: number): string {
  const text = Number(x.toPrecision(2));
  return text !== 0 && text < 0.01 ? text.toExponential().replace("e+", "e") : String(text);
}
export class Sliders {
  readonly #node: HTMLElement;
  readonly #write: (start: number, end: number, text: string) => void;
  #held = false; // one of them writes
  constructor(node: HTMLElement, write: (start: number, end: number, text: string) => void) {
    this.#node = node;
    this.#write = write;
  }
  show(text: string): void {
    if (this.#held) return;
    const knobs = knobsOf(text);
    this.#node.replaceChildren(...knobs.map((knob) => this.#slider(knob)));
    this.#node.parentElement!.hidden = knobs.length === 0;
  }
  #slider({ name, start, end, text, line }: Knob): HTMLElement {
    const { at, read } = scaleOf(text);
    const input = make("input", undefined, {
      type: "range",
      min: "0",
      max: "1",
      step: "any",
      value: String(at),
      ariaLabel: `${name}, line ${line}`,
    });
    const shown = make("output", text);
    let now = end;
    input.addEventListener("input", () => {
      const next = read(Number(input.value));
      shown.textContent = next;
      input.setAttribute("aria-valuetext", next);
      this.#held = true;
      this.#write(start, now, next);
      now = start + next.length;
      this.#held = false;
    });
    input.addEventListener("change", () => this.#node.dispatchEvent(new Event("settled")));
    return make("label", undefined, { className: "knob" }, [make("span", name), input, shown]);
  }
}
