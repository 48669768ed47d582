// The model on the visitor's device: the page that `dlm compile` writes, in a frame, with the plans of the text. In: plans. Out: a tab.
import { box, button, make } from "../../compiler/cli/page/dom.ts";
import type { Given } from "../run/given.ts";
import type { View, Context } from "./view.ts";

const targets = ["software", "integrated", "discrete"];

const keyOf = (text: string, files: Given["files"]): string => [text, ...Object.keys(files)].join("\n");

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
      "Watch the norms of gradients and weights, layer by layer",
    ]),
  );
  const node = box("view run", bar, stale, frame);
  let running: string | undefined; // the text that the frame has
  let given: Given | undefined;
  addEventListener("message", ({ data, source, origin }: MessageEvent<unknown>) => {
    if (source !== frame.contentWindow || origin !== location.origin || data !== "ready") return;
    if (given) frame.contentWindow?.postMessage(given, location.origin);
  });
  let begun = 0; // of what was asked for last
  const begin = async (): Promise<void> => {
    const { text, data, files } = context.document();
    const number = ++begun;
    stale.hidden = true;
    running = keyOf(text, files);
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
      const { text, files } = context.document();
      if (running === undefined) return begin();
      stale.hidden = running === keyOf(text, files);
      note.textContent = "The model was changed since. ";
    },
  };
}
