// The calls of the model as a tree: what each is given and gives, what it holds, what it costs. In: the call tree, costs of a step. Out: a tab.
import { box, make, whole } from "../../compiler/cli/page/dom.ts";
import type { CallNode, Mark } from "../../compiler/cli/look/types.ts";
import { Choices, type Option } from "./list.ts";
import type { Context, View } from "./view.ts";

export function callsView(context: Context): View {
  const choices = new Choices(context.selection, "calls");
  const facts = box("figures");
  const list = make("div", undefined, { className: "calls" });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-multiselectable", "true");
  list.setAttribute("aria-label", "Calls");
  const head = box(
    "call head",
    make("span", "call"),
    make("span", "gives"),
    make("span", "parameters"),
    make("span", "arithmetic"),
  );
  const node = box(
    "view",
    make("p", "What is called where: inputs and shapes, parameters, and the share of a training step’s arithmetic.", {
      className: "note",
    }),
    facts,
    head,
    list,
  );
  const show = (): Promise<void> => {
    const costs = context.compiled()?.costs;
    const marks: Mark[] = [];
    const options: Option[] = [];
    // calls of one place are one cost: it is counted once
    const places = (c: CallNode): readonly string[] => [c.mark.join(" "), ...c.calls.flatMap(places)];
    const costOf = (c: CallNode): number =>
      [...new Set(places(c))].reduce((n, place) => n + (costs?.flops[place] ?? 0), 0);
    const add = (c: CallNode, depth: number): void => {
      const mark = marks.push(c.mark) - 1;
      const share = costs?.total ? costOf(c) / costs.total : 0;
      const row = box(
        `call depth${Math.min(depth, 6)} ${c.kind}`,
        nameOf(c),
        make("code", c.output, { className: "gives" }),
        make("span", c.parameters ? whole(c.parameters) : "", { className: "count" }),
        barOf(share),
      );
      options.push({ node: row, label: `${c.callee}${c.path ? ` · ${c.path}` : ""}`, at: [mark], around: [] });
      list.append(row);
      if (options.length < 2000) for (const inner of c.calls) if (inner.kind !== "init") add(inner, depth + 1);
    };
    list.replaceChildren();
    for (const c of context.checked()?.calls ?? []) add(c, 0);
    list.hidden = head.hidden = options.length === 0;
    facts.replaceChildren(
      ...(costs
        ? [
            figure(whole(costs.parameters), "parameters"),
            figure(amount(costs.total), "operations a step"),
            figure(whole(costs.launches), costs.launches === 1 ? "launch a step" : "launches a step"),
            figure(whole(costs.kernels), "kernels"),
          ]
        : []),
    );
    choices.set(options, marks, list);
    return Promise.resolve();
  };
  return { node, show, marks: () => choices.marks };
}
function nameOf(c: CallNode): HTMLElement {
  const inputs = c.inputs.map(({ name, type }) => `${name}: ${type}`).join(", ");
  const path = c.path && c.path !== c.callee ? make("span", c.path, { className: "path" }) : "";
  return make("span", undefined, { className: "name", title: inputs }, [
    make("strong", c.callee),
    path,
    make("span", inputs, { className: "inputs" }),
  ]);
}
function barOf(share: number): HTMLElement {
  const bar = make("span", undefined, { className: "share" });
  if (share < 0.0005) return bar;
  const fill = make("span", undefined, { className: "fill" });
  fill.style.width = `${(100 * share).toFixed(1)}%`;
  bar.append(
    make("span", undefined, { className: "track" }, [fill]),
    make("span", `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`),
  );
  return bar;
}
const figure = (value: string, name: string): HTMLElement => box("figure", make("strong", value), make("span", name));
export const amount = (n: number): string =>
  n >= 1e9
    ? `${(n / 1e9).toPrecision(3)} G`
    : n >= 1e6
      ? `${(n / 1e6).toPrecision(3)} M`
      : n >= 1e3
        ? `${(n / 1e3).toPrecision(3)} k`
        : String(Math.round(n));
