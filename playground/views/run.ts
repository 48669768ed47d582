// The model on the visitor's device: the page that `dlm compile` writes, in a frame, with the plans of the text. In: plans. Out: a tab.
import { box, button, make } from "../../compiler/cli/page/dom.ts";
import type { Given } from "../run/given.ts";
import type { View, Context } from "./view.ts";

const targets = ["software", "integrated", "discrete"];

export function runView(context: Context): View {
  const frame = make("iframe", undefined, { title: "Run the model" });
  const note = make("span", "");
  const stale = box(
    "notice stale",
    note,
    button("Run the changed model", () => void begin(), "small primary"),
  );
  stale.hidden = true;
  stale.setAttribute("role", "status");
  const watch = make("input", undefined, { type: "checkbox", autocomplete: "off" });
  watch.addEventListener("change", () => void begin());
  const bar = box(
    "bar",
    make("label", undefined, { className: "field" }, [
      watch,
      "Watch the norms of gradients and weights, layer by layer",
    ]),
  );
  const node = box("view run", bar, stale, frame);
  let running: string | undefined; // the text that the frame has
  let given: Promise<Given> | undefined;
  addEventListener("message", ({ data, source, origin }: MessageEvent<unknown>) => {
    if (source !== frame.contentWindow || origin !== location.origin || data !== "ready") return;
    void given?.then((plans) => frame.contentWindow?.postMessage(plans, location.origin));
  });
  const begin = async (): Promise<void> => {
    const { text, data, files } = context.document();
    stale.hidden = true;
    const asked = context
      .ask("plans", { targets, watch: watch.checked })
      .then((plans): Given => ({ plans, data, files }));
    await asked;
    running = text + Object.keys(files).join();
    given = asked;
    frame.src = "run/index.html";
  };
  return {
    node,
    marks: () => [],
    show: async () => {
      const { text, files } = context.document();
      const now = text + Object.keys(files).join();
      if (running === undefined) return begin();
      stale.hidden = now === running;
      note.textContent = "The model was changed since. ";
    },
  };
}
