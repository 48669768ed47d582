// The plan over time: launches with what they cost, tensors with when they live and whose buffer they share. In: a timeline. Out: a tab.
import { box, bytes, labelled, make } from "../../compiler/cli/page/dom.ts";
import type { Mark, Timeline } from "../../compiler/cli/look/types.ts";
import { amount } from "./calls.ts";
import { Choices, listbox, type Option } from "./list.ts";
import { cut, svg } from "./svg.ts";
import type { Context, View } from "./view.ts";

const mostTensors = 120;
type Program = Timeline["programs"][number];

export function timelineView(context: Context): View {
  const [drawn, listed, kept] = ["plan memory", "plan", "plan states"].map(
    (name) => new Choices(context.selection, name),
  ) as [Choices, Choices, Choices];
  const select = make("select");
  const body = box("plan");
  const node = box(
    "view",
    make(
      "p",
      "What is launched in which order, what it costs, and which memory is alive meanwhile. Tensors that never live at once share a buffer.",
      { className: "note" },
    ),
    box("bar", labelled("Program", select)),
    body,
  );
  let found: Timeline = { marks: [], programs: [], kept: [] };
  const shown = (): Program | undefined => found.programs.find((p) => p.name === select.value);
  const draw = (): void => {
    const program = shown();
    if (!program) return body.replaceChildren();
    body.replaceChildren(
      ...launches(program, found.marks, listed),
      ...memory(program, found.marks, drawn),
      states(found, kept),
    );
  };
  select.addEventListener("change", draw);
  context.selection.onChange((chosen) => {
    if (!chosen || chosen.from.startsWith("plan") || node.hidden) return;
    const lit = (p: Program): boolean => p.launches.some((l) => context.selection.lights(l, found.marks));
    const own = shown();
    const other = own && !lit(own) ? found.programs.find(lit) : undefined;
    if (!other) return;
    select.value = other.name;
    draw();
  });
  return {
    node,
    marks: (): readonly Mark[] => found.marks,
    show: async () => {
      found = await context.ask("timeline", undefined);
      const { value } = select;
      select.replaceChildren(...found.programs.map((p) => make("option", p.name, { value: p.name })));
      const first = found.programs.find((p) => p.name.endsWith("step")) ?? found.programs[0];
      select.value = found.programs.some((p) => p.name === value) ? value : (first?.name ?? "");
      draw();
    },
  };
}
function launches(program: Program, marks: readonly Mark[], choices: Choices): HTMLElement[] {
  const most = Math.max(1, ...program.launches.map((l) => l.flops));
  const list = listbox("Launches", "launches");
  const options = program.launches.map((l, i): Option => {
    const fill = make("span", undefined, { className: "fill" });
    fill.style.width = `${((100 * l.flops) / most).toFixed(1)}%`;
    const row = make("div", undefined, { className: "option launch" }, [
      make("span", String(i), { className: "count" }),
      make("span", undefined, { className: "name" }, [
        make("strong", l.name),
        make("span", l.does, { className: "inputs" }),
      ]),
      make("span", l.workgroups, { className: "path" }),
      make("span", undefined, { className: "share" }, [
        make("span", undefined, { className: "track" }, [fill]),
        make("span", amount(l.flops)),
      ]),
    ]);
    list.append(row);
    return { node: row, label: l.name, at: l.at, around: l.around };
  });
  choices.set(options, marks, list);
  const title = `Launches: ${program.launches.length}${program.oneLaunch ? ", which does all kernels of many steps" : ""}`;
  return [make("h2", title), options.length ? list : make("p", "None: memory is only copied.", { className: "note" })];
}
function memory(program: Program, marks: readonly Mark[], choices: Choices): HTMLElement[] {
  const tensors = [...program.tensors]
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, mostTensors)
    .sort((a, b) => a.first - b.first || a.last - b.last);
  const title = make("h2", "Memory over time");
  if (!tensors.length) return [title, make("p", "No tensor but inputs, outputs and states.", { className: "note" })];
  const [left, width, row] = [150, 560, 17];
  const column = (width - left) / program.steps;
  const buffers = [...new Set(tensors.map((t) => t.buffer))];
  const high = 22 + tensors.length * row;
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${high}`,
    class: "memory",
    role: "listbox",
    "aria-label": "Tensors over time",
    "aria-multiselectable": "true",
  });
  const every = Math.max(1, Math.ceil(program.steps / 12));
  for (let i = 0; i < program.steps; i += every)
    picture.append(
      svg("line", {
        x1: left + i * column,
        x2: left + i * column,
        y1: 16,
        y2: high,
        class: "grid",
        "aria-hidden": "true",
      }),
      svg("text", { x: left + i * column, y: 11, class: "tick", "aria-hidden": "true" }, [String(i)]),
    );
  const options = tensors.map((t, i): Option => {
    const y = 20 + i * row;
    const group = svg(
      "g",
      {
        class: "tensor",
      },
      [
        svg("rect", { x: 0, y: y - 1, width, height: row, class: "row" }),
        svg("text", { x: 0, y: y + 11, class: "label" }, [cut(t.label, 22)]),
        svg("rect", {
          x: left + t.first * column,
          y: y + 2,
          width: Math.max(3, (t.last - t.first + 1) * column - 1),
          height: row - 5,
          rx: 3,
          class: `life hue${buffers.indexOf(t.buffer) % 5}`,
        }),
        svg("title", {}, [`${t.label}: ${bytes(t.bytes)} in ${t.buffer}, launches ${t.first} to ${t.last}`]),
      ],
    );
    picture.append(group);
    return { node: group, label: t.label, at: t.at, around: t.around };
  });
  choices.set(options, marks, picture);
  const saved = `${program.tensors.length} tensors in ${buffers.length} buffers: ${bytes(program.sharedBytes)} instead of ${bytes(program.apartBytes)}. Colours are buffers.`;
  return [title, make("p", saved, { className: "note" }), box("drawing", picture)];
}
/** What stays between steps: parameters and the states of optimizers and layers. */
function states({ kept }: Timeline, choices: Choices): HTMLElement {
  choices.set([], [], box(""));
  const lines = kept.map(({ name, kind, type }) =>
    make("tr", undefined, {}, [make("th", name, { scope: "row" }), make("td", kind), make("td", type)]),
  );
  const table = make("table", undefined, {}, [make("tbody", undefined, {}, lines)]);
  const scroll = make("div", undefined, { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "States" }, [
    table,
  ]);
  return make("details", undefined, {}, [make("summary", `States: ${kept.length}`), scroll]);
}
