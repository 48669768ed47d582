// The model on the visitor's device: the page that `dlm compile` writes, in a frame, with the plans of the text. In: plans. Out: a tab.
import { box, button, make } from "../../compiler/cli/page/dom.ts";
import type { Mark } from "../../compiler/cli/look/types.ts";
import type { Asked, Given, Told } from "../run/given.ts";
import { marksOfCalls } from "../selection.ts";
import { pathFrom } from "../work/paths.ts";
import type { Document, FilePlace } from "../work/protocol.ts";
import type { View, Context } from "./view.ts";

const targets = ["software", "integrated", "discrete"];

const keyOf = ({ text, texts, files }: Document): string =>
  [text, ...Object.entries(texts).flat(), ...Object.keys(files)].join("\n");

/** "digits.dlm:8", without the spaces around what it holds. */
function placeOfLine(line: string, { text, name, texts }: Document): FilePlace | undefined {
  const [, file = "", number] = /^(.*):(\d+)$/.exec(line) ?? [];
  const path = pathFrom(name, file);
  const lines = (path === name ? text : (texts[path] ?? "")).split("\n");
  const own = lines[Number(number) - 1];
  if (own === undefined) return undefined;
  const code = own.trim();
  const start = lines.slice(0, Number(number) - 1).reduce((n, l) => n + l.length + 1, 0) + own.indexOf(code);
  return { path, start, end: start + code.length };
}
const markOf = ({ start, end }: FilePlace, { text }: Document): Mark => [start, end, text.slice(start, end)];
/** The call of an instance, or of what stands in it. */
function markOfLayer(layer: string, context: Context): Mark | undefined {
  const marks = marksOfCalls(context.checked()?.calls ?? []);
  const of = (path: string): Mark | undefined => marks.find((mark) => mark[2] === path);
  const mark = of(layer) ?? of(layer.replace(/\.[^.]*$/, ""));
  return mark && [mark[0], mark[1], layer];
}

export function runView(context: Context): View {
  const frame = make("iframe", undefined, { title: "Run the model" });
  const note = make("span", "");
  const stale = box(
    "notice stale",
    note,
    button("Run the changed model", () => void begin().catch(() => {}), "small primary"),
  );
  stale.hidden = true;
  stale.setAttribute("role", "status");
  const watch = make("input", undefined, { type: "checkbox", autocomplete: "off" });
  watch.addEventListener("change", () => void begin().catch(() => {}));
  const bar = box(
    "bar",
    make("label", undefined, { className: "field" }, [
      watch,
      "Watch the layers: gradients, weights, values, dead units",
    ]),
  );
  const node = box("view run", bar, stale, frame);
  let running: string | undefined; // the text that the frame has
  let runningName = "";
  let given: Given | undefined;
  const tell = (told: Told): void => frame.contentWindow?.postMessage(told, location.origin);
  const isCurrent = (): boolean => {
    return running === keyOf(context.document());
  };
  const answer = async (asked: Asked): Promise<void> => {
    if (asked.ask === "model") {
      if (given) tell({ tell: "model", given });
    } else if (asked.ask === "apart") {
      const about = { targets: [asked.target], watch: watch.checked, apart: true };
      const [plan] = isCurrent() ? await context.ask("plans", about).catch(() => []) : [];
      tell({ tell: "apart", plan });
    } else if (isCurrent()) {
      const place = "line" in asked ? placeOfLine(asked.line, context.document()) : undefined;
      if (place && place.path !== context.document().name) return context.goTo?.(place);
      const mark = place ? markOf(place, context.document()) : "layer" in asked && markOfLayer(asked.layer, context);
      if (mark) context.selection.choose({ marks: [mark], isRange: true, from: "run", label: mark[2] });
    }
  };
  addEventListener("message", ({ data, source, origin }: MessageEvent<Partial<Asked> | null>) => {
    if (source === frame.contentWindow && origin === location.origin && data?.ask) void answer(data as Asked);
  });
  let begun = 0; // of what was asked for last
  const begin = async (): Promise<void> => {
    const document = context.document();
    const { name, data, files } = document;
    const number = ++begun;
    stale.hidden = true;
    running = keyOf(document);
    runningName = name;
    frame.removeAttribute("src"); // what ran there is over
    try {
      const plans = await context.ask("plans", { targets, watch: watch.checked });
      if (number !== begun) return;
      given = { plans, data, files };
      frame.src = "run/index.html";
    } catch (error) {
      if (number === begun) running = undefined;
      throw error;
    }
  };
  return {
    node,
    marks: () => [],
    show: async () => {
      const document = context.document();
      if (running === undefined || document.name !== runningName) return begin(); // another model is not a change of this one
      stale.hidden = running === keyOf(document);
      note.textContent = "The model was changed since. ";
    },
  };
}
